"""What a verdict rests on: what was compared, as of when each side was heard, and what was not judged and why.

Every report, check, page, message and exit code that says how two sides stand says it with `sentence` and `outcome`, so
that *agree* is only said of what was compared and nothing that could not look is green.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

MOST_IN_FLIGHT = 100
"""One record in so many may be in flight before a verdict is not green for it."""


class NotJudgedReason(StrEnum):
    """Why a record was not judged."""

    IN_FLIGHT = "in flight"
    """Heard, or desired and not settled, within the grace period."""
    YOUNG = "younger than the grace period"
    """What differs changed within the grace period."""
    WAITING = "waiting"
    """Desired or heard longer ago than the grace period, and not settled."""
    CONSENT = "consent not settled"
    """The records agree, and what may be sent to the person is not the same on both sides yet, or a case says so."""
    CASE = "held by an open case"
    OUT_OF_SIGHT = "out of sight"
    HORIZON = "before the accepted horizon"
    EXCLUDED = "excluded"
    NEVER_LISTED = "never listed"
    NOT_LOADED = "history not loaded"
    COULD_NOT_LOOK = "could not look"
    NOT_COMPARED = "not compared yet"

    @property
    def is_in_flight(self) -> bool:
        return self in (NotJudgedReason.IN_FLIGHT, NotJudgedReason.YOUNG)

    @property
    def is_accepted(self) -> bool:
        """Whether somebody decided that these are not looked at: printed, and no reason for exit code 1."""
        return self in (NotJudgedReason.EXCLUDED, NotJudgedReason.HORIZON)


class NotJudged(Struct, frozen=True):
    """So many records were not judged for a reason. `n` is None where they cannot be counted; `what` says which side,
    store or kind it is about, and why it could not be looked at.
    """

    reason: NotJudgedReason
    n: int | None = None
    what: str = ""


class AsOf(Struct, frozen=True):
    """When one side was last heard, and from when to when it was read for this verdict; None where it never was."""

    side: str
    heard_at: datetime | None = None
    read_from: datetime | None = None
    read_to: datetime | None = None


class Basis(Struct, frozen=True, kw_only=True):
    """What one verdict rests on. `n_differ` of the `n_compared` records differ. `at` is when it was given."""

    at: datetime
    n_compared: int
    n_differ: int = 0
    not_judged: tuple[NotJudged, ...] = ()
    as_of: tuple[AsOf, ...] = ()
    unit: str = ""
    """What is counted, such as `records` or `people`; may be empty."""
    needs_some: bool = False
    """Whether it claims something of all there are, so that nothing compared is nothing shown."""

    @property
    def n_not_judged(self) -> int:
        """How many records were not judged, as far as they can be counted; accepted ones are among them."""
        return sum(one.n or 0 for one in self.not_judged)

    @property
    def n_in_flight(self) -> int:
        return sum(one.n or 0 for one in self.not_judged if one.reason.is_in_flight)

    @property
    def is_uncounted(self) -> bool:
        """Whether something could not be looked at and nobody can say how many records that are."""
        return any(one.n is None for one in self.not_judged)


class VerdictOutcome(Struct, frozen=True):
    """Whether a verdict may be shown as good, the exit code of a command that gives it, and why it is not good."""

    is_green: bool
    exit_code: int
    why: str = ""


def verdict_outcome(basis: Basis, *, strict: bool = False) -> VerdictOutcome:
    """Green only where everything was compared and agrees, but for what was accepted and at most 1 % in flight.

    With `strict` nothing may be left out at all.
    """
    if basis.n_differ:
        return VerdictOutcome(False, 1, f"{basis.n_differ:,} differ")
    left = [one for one in basis.not_judged if one.n is None or one.n > 0]
    bad = [one for one in left if strict or not (one.reason.is_in_flight or one.reason.is_accepted)]
    if bad:
        return VerdictOutcome(False, 1, f"not judged: {_listed(bad)}")
    if basis.needs_some and not basis.n_compared and not basis.n_in_flight:
        return VerdictOutcome(False, 1, "nobody was compared" if basis.unit == "people" else "nothing was compared")
    if basis.n_in_flight * MOST_IN_FLIGHT > basis.n_compared + basis.n_in_flight:
        moving = [one for one in left if one.reason.is_in_flight]
        return VerdictOutcome(False, 1, f"more than 1 % in flight: {_listed(moving)}")
    return VerdictOutcome(True, 0)


def verdict_sentence(basis: Basis) -> str:
    """The verdict in words: "Of 1,204 compared, all agree; 3 not judged: 2 in flight, 1 out of sight"."""
    unit = f" {name}" if (name := _unit(basis)) else ""
    if not basis.n_compared:
        said = "Nothing was compared"
    elif basis.n_differ:
        said = f"Of {basis.n_compared:,}{unit} compared, {basis.n_differ:,} differ{'s' if basis.n_differ == 1 else ''}"
    else:
        said = f"Of {basis.n_compared:,}{unit} compared, {'all agree' if basis.n_compared > 1 else 'it agrees'}"
    left = [one for one in basis.not_judged if one.n is None or one.n > 0]
    if not left:
        return said
    n = f"{basis.n_not_judged:,} " if basis.n_not_judged and not basis.is_uncounted else ""
    n = f"at least {n or f'{basis.n_not_judged:,} '}" if basis.is_uncounted and basis.n_not_judged else n
    return f"{said}; {n}not judged: {_listed(left)}"


def as_of_times(basis: Basis) -> str:
    """As of when each side was heard and read: "uk heard 12:00:05, read 12:00:01 to 12:02:10; Ometria never read"."""
    day = basis.at.date()

    def clock(at: datetime) -> str:
        return f"{at:%H:%M:%S}" if at.date() == day else f"{at:%Y-%m-%d %H:%M:%S}"

    parts = []
    for one in basis.as_of:
        said = []
        if one.heard_at is not None:
            said.append(f"heard {clock(one.heard_at)}")
        if one.read_to is not None and one.read_from is not None and one.read_from != one.read_to:
            said.append(f"read {clock(one.read_from)} to {clock(one.read_to)}")
        elif one.read_to is not None:
            said.append(f"read {clock(one.read_to)}")
        parts.append(f"{one.side} {', '.join(said) or 'never read'}")
    return "; ".join(parts)


def not_judged_counts(found: Iterable[NotJudged]) -> tuple[NotJudged, ...]:
    """The same, summed by reason and what, the most first; what is none at all is left out."""
    sums: dict[tuple[NotJudgedReason, str], int | None] = {}
    for one in found:
        key = (one.reason, one.what)
        before = sums.get(key, 0)
        sums[key] = None if before is None or one.n is None else before + one.n
    kept = [NotJudged(reason, n, what) for (reason, what), n in sums.items() if n is None or n > 0]
    order = list(NotJudgedReason)
    return tuple(sorted(kept, key=lambda one: (one.n is not None, -(one.n or 0), order.index(one.reason), one.what)))


def basis_document(basis: Basis, *, strict: bool = False) -> dict[str, object]:
    """For --json and the API."""
    end = verdict_outcome(basis, strict=strict)
    return {
        "at": basis.at,
        "says": verdict_sentence(basis),
        "is_green": end.is_green,
        "n_compared": basis.n_compared,
        "n_differ": basis.n_differ,
        "n_in_flight": basis.n_in_flight,
        "n_not_judged": basis.n_not_judged,
        "not_judged": [{"reason": one.reason.value, "n": one.n, "what": one.what} for one in basis.not_judged],
        "as_of": [
            {"side": one.side, "heard_at": one.heard_at, "read_from": one.read_from, "read_to": one.read_to}
            for one in basis.as_of
        ],
    }


def _unit(basis: Basis) -> str:
    """What is counted, of as many as were compared."""
    if basis.n_compared != 1:
        return basis.unit
    first, space, rest = basis.unit.partition(" ")
    one = f"{first[:-3]}y" if first.endswith("ies") else first.removesuffix("s")
    return f"{'person' if first == 'people' else one}{space}{rest}"


def _listed(found: Iterable[NotJudged]) -> str:
    parts = []
    for one in found:
        n = "" if one.n is None else f"{one.n:,} "
        what = f" ({one.what})" if one.what else ""
        parts.append(f"{n}{one.reason}{what}")
    return ", ".join(parts)
