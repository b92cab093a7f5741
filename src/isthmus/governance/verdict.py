"""What a look at one thing answers: found, not found, or could not look, and only not found may close a case."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum

from msgspec import Struct


class Answer(StrEnum):
    """found: there is a difference · not found: looked, and all is well · nothing to judge: looked, and there is
    nothing of its kind · could not look: nobody knows.
    """

    FOUND = "found"
    NOT_FOUND = "not found"
    NOTHING_TO_JUDGE = "nothing to judge"
    COULD_NOT_LOOK = "could not look"


class Verdict(Struct, frozen=True, kw_only=True):
    """The answer about one kind of case of one store ("" for the whole connection) and subject.

    `detail` says what was seen, or why nothing could be; `due_on` is the last day, where there is one.
    """

    code: str
    answer: Answer
    store: str = ""
    subject: str = ""
    detail: str = ""
    due_on: date | None = None


def judged(code: str, details: Iterable[str], store: str = "", subject: str = "") -> Verdict:
    """Found with all that was seen, not found when that is nothing."""
    told = "; ".join(details)
    answer = Answer.FOUND if told else Answer.NOT_FOUND
    return Verdict(code=code, answer=answer, store=store, subject=subject, detail=told)


def idle(code: str, why: str, store: str = "", subject: str = "") -> Verdict:
    """Looked, and there is nothing of its kind to judge: no reason to worry, and none to close a case."""
    return Verdict(code=code, answer=Answer.NOTHING_TO_JUDGE, store=store, subject=subject, detail=why)


def blind(code: str, why: str, store: str = "", subject: str = "") -> Verdict:
    """Could not look."""
    return Verdict(code=code, answer=Answer.COULD_NOT_LOOK, store=store, subject=subject, detail=why)
