"""How a long look tells how far it got."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from msgspec import Struct

from isthmus.checks.check import Check
from isthmus.checks.load_time import LoadTime
from isthmus.model.audit_finding import Fact

T = TypeVar("T")

REPORT_EVERY = 2_000
"""Rows between two words about progress."""


class ReadProgress(Struct, frozen=True):
    """How far a reading got: `n` of `total`, where that is known."""

    what: str
    n: int
    total: int | None = None
    is_done: bool = False


ReportProgress = Callable[[ReadProgress], None]
ReportText = Callable[[str], None]


class ProgressCounter:
    """Counts what goes by, and tells of it now and then."""

    def __init__(self, tell: ReportProgress) -> None:
        self.counts: Counter[str] = Counter()
        self._tell = tell

    def of(self, what: str, rows: Iterable[T], total: int | None = None, *, store: str = "") -> Iterator[T]:
        """The rows, as they are."""
        n, name = 0, f"{store} {what}".strip()
        for row in rows:
            yield row
            n += 1
            if not n % REPORT_EVERY:
                self._tell(ReadProgress(name, n, total))
        self.counts[what] += n
        self._tell(ReadProgress(name, n, total, is_done=True))

    def begin(self, what: str) -> None:
        """Something whose rows come all at once, later."""
        self._tell(ReadProgress(what, 0))

    def end(self, what: str, n: int) -> None:
        """They are here."""
        self.counts[what] += n
        self._tell(ReadProgress(what, n, is_done=True))

    def gathering(self, what: str, store: str, n: int, total: int | None) -> None:
        """Shopify is still gathering: nothing of it is here yet."""
        self._tell(ReadProgress(f"{store} {what} gathered", n, total))


def load_time_facts(checks: Iterable[Check]) -> Iterator[Fact]:
    """How long the first load will take, as one line."""
    for check in checks:
        if isinstance(check, LoadTime):
            yield Fact(
                "First load", f"{check.n:,} records, at least {format_seconds(check.seconds)} under the account's limit"
            )


def format_seconds(seconds: float) -> str:
    """`40 seconds`, `12 minutes`, `3.5 hours`."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 3600:.1f} hours" if seconds > 5400 else f"{seconds / 60:.0f} minutes"
