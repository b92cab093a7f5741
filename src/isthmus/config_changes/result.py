"""What a look at one thing answers: found, not found, or could not look, and only not found may close a case."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum

from msgspec import Struct


class CheckOutcome(StrEnum):
    """found: there is a difference · not found: looked, and all is well · nothing to judge: looked, and there is
    nothing of its kind · could not look: nobody knows.
    """

    FOUND = "found"
    NOT_FOUND = "not found"
    NOTHING_TO_JUDGE = "nothing to judge"
    COULD_NOT_LOOK = "could not look"


class CheckResult(Struct, frozen=True, kw_only=True):
    """The answer about one kind of case of one store ("" for the whole connection) and subject.

    `detail` says what was seen, or why nothing could be; `due_on` is the last day, where there is one.
    """

    code: str
    answer: CheckOutcome
    store: str = ""
    subject: str = ""
    detail: str = ""
    due_on: date | None = None


def found_or_not(code: str, details: Iterable[str], store: str = "", subject: str = "") -> CheckResult:
    """Found with all that was seen, not found when that is nothing."""
    told = "; ".join(details)
    answer = CheckOutcome.FOUND if told else CheckOutcome.NOT_FOUND
    return CheckResult(code=code, answer=answer, store=store, subject=subject, detail=told)


def nothing_to_judge(code: str, why: str, store: str = "", subject: str = "") -> CheckResult:
    """Looked, and there is nothing of its kind to judge: no reason to worry, and none to close a case."""
    return CheckResult(code=code, answer=CheckOutcome.NOTHING_TO_JUDGE, store=store, subject=subject, detail=why)


def could_not_look(code: str, why: str, store: str = "", subject: str = "") -> CheckResult:
    """Could not look."""
    return CheckResult(code=code, answer=CheckOutcome.COULD_NOT_LOOK, store=store, subject=subject, detail=why)
