"""One audit's round: every check, shown every row it wants, and asked at the end."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from isthmus.checks.check import Check
from isthmus.model.audit_finding import AuditFinding, Chart, CheckAnswer, NotChecked, Passed
from isthmus.model.audit_rows import (
    CustomerRow,
    ForeignSample,
    Mapped,
    OrderRow,
    ProductRow,
    ProfileRow,
    ReadDenied,
    ShopFacts,
    Source,
)

Observer = Callable[[Any], None]

_WORDS: dict[type, str] = {
    CustomerRow: "person",
    OrderRow: "sale",
    ProductRow: "thing",
    ProfileRow: "profile",
    ShopFacts: "facts",
    Mapped: "mapped",
    ForeignSample: "foreign",
    ReadDenied: "denied",
}


class CheckRunner:
    """Show rows with the callables of `eyes`; then ask with `answers`."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = checks

    def eyes(self, kind: type) -> Observer:
        """What shows a row of a kind to every check that wants it."""
        looks: tuple[Observer, ...] = tuple(
            getattr(check, _WORDS[kind]) for check in self._checks if hasattr(check, _WORDS[kind])
        )

        def show(row: Any) -> None:
            for look in looks:
                look(row)

        return show

    def answers(self, unread: Mapping[Source, str]) -> list[CheckAnswer]:
        """Every check's answer, the weightiest first; `unread` says which sources were not read whole, and why."""
        given: list[CheckAnswer] = []
        for check in self._checks:
            lacking = sorted(source for source in check.needs if source in unread)
            if lacking:
                reasons = dict.fromkeys(f"{source}: {unread[source]}" for source in lacking)
                given.append(NotChecked(check.code, check.title, "; ".join(reasons)))
                continue
            given += check.answer() or [Passed(check.code, check.title)]
        return sorted(given, key=_weight)

    def pictures(self, unread: Mapping[Source, str]) -> list[Chart]:
        """Of the checks that could look."""
        return [one for check in self._checks if not check.needs & unread.keys() for one in check.pictures()]


def _weight(answer: CheckAnswer) -> tuple[Any, ...]:
    if isinstance(answer, AuditFinding):
        return (0, answer.level.rank, -(answer.people + (answer.n if answer.money else 0)), -answer.n, answer.code)
    return (1 if isinstance(answer, NotChecked) else 2, answer.code)
