"""How the numbers are put to people: counts, shares and spans in words, and bars as shapes."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from math import floor

from msgspec import Struct

from isthmus.model.basis import Basis, verdict_outcome
from isthmus.ops.status import Classes, ConnectionStatus

PARTS = ("applied", "waiting", "case", "excluded")
"""The classes in the order of the bar: what agrees, what is on its way, what is stuck, what is meant to be missing."""

WIDTH = 1000.0
"""Of a bar, in units of its own."""

RECENT = timedelta(hours=26)
"""How old a comparison may be for a green headline: the nightly one and two hours of grace."""

_SEEN = 6.0
"""The narrowest a part may be drawn: one case among a million must not vanish."""


class Piece(Struct, frozen=True):
    """One part of a bar."""

    part: str
    x: float
    width: float


def bar_segments(n: Classes) -> list[Piece]:
    """The classes of a kind as parts of one bar; nothing where nothing is known."""
    counts = [(part, getattr(n, part)) for part in PARTS if getattr(n, part)]
    if not counts:
        return []
    room = WIDTH - _SEEN * len(counts)
    pieces, x = [], 0.0
    for part, count in counts:
        width = _SEEN + room * count / n.known
        pieces.append(Piece(part, round(x, 2), round(width, 2)))
        x += width
    return pieces


def aria_label(n: Classes) -> str:
    """The same for those who do not see it."""
    return (
        ", ".join(f"{format_number(getattr(n, part))} {part}" for part in PARTS if getattr(n, part)) or "nothing known"
    )


def format_share(value: float | None) -> str:
    """A share in per cent, never rounded up to all of it."""
    if value is None:
        return "–"
    cut = floor(value * 10_000) / 100
    return f"{cut:.0f}" if cut == int(cut) else f"{cut:.2f}".rstrip("0")


def format_number(n: int) -> str:
    return f"{n:,}"


def format_duration(seconds: float) -> str:
    """A span as people say it; a dash for none."""
    if seconds <= 0:
        return "–"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.1f} {unit}" if size == 1 else f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def format_ago(at: datetime | None, now: datetime) -> str:
    """How long ago something was."""
    return "never" if at is None else f"{format_duration(max((now - at).total_seconds(), 0.001))} ago"


def headline(c: ConnectionStatus) -> str:
    """One sentence for whoever has only one glance."""
    waiting = sum(n.waiting for n in c.accounting.values()) + c.events.waiting
    if c.background.blocked_code:
        return "Blocked by an error: nothing is sent until its case is handled."
    if c.paused:
        return f"Paused. Webhooks are kept; {format_number(waiting)} wait."
    if c.background.mode == "shadow":
        return "Shadow: everything is computed and compared, nothing is sent."
    if c.cases.open:
        stuck = f"{format_number(c.cases.open)} open {'case needs' if c.cases.open == 1 else 'cases need'} a person"
        return f"{stuck}; {format_number(waiting)} on their way." if waiting else f"{stuck}; nothing else waits."
    if waiting:
        return f"{format_number(waiting)} on their way, nothing is stuck."
    if c.share_applied is None:
        return "Nothing is known yet."
    if c.basis.n_differ:
        return "The last comparison found differences."
    return "Nothing waits, and no case is open."


def status_colour(c: ConnectionStatus) -> str:
    """good, moving, trouble or asleep: what colour the headline has."""
    if c.background.blocked_code or any(group.severity in ("urgent", "high") for group in c.background.groups):
        return "trouble"
    if c.paused or c.background.mode == "shadow":
        return "asleep"
    is_good = not c.is_waiting and c.basis.n_compared > 0 and verdict_outcome(c.basis).is_green
    return "good" if is_good and _is_recent(c.basis) else "moving"


def _is_recent(basis: Basis) -> bool:
    """Whether every side was read for a comparison within a day: an older one says little about now."""
    times = [one.read_to for one in basis.as_of]
    return bool(times) and all(at is not None and basis.at - at <= RECENT for at in times)


FILTERS: Mapping[str, Callable[..., str]] = {
    "number": format_number,
    "share": format_share,
    "span": format_duration,
    "spoken": aria_label,
    "verdict": headline,
    "mood": status_colour,
}
"""What the templates may call."""
