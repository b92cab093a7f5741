"""Which records of a load one bulk operation tells, and how a span that was too large is halved."""

from datetime import datetime, timedelta

from msgspec import Struct

SMALLEST = timedelta(hours=1)
"""A span this short is not halved again: no shop has a million orders in an hour."""


class Span(Struct, frozen=True):
    """Created at or after `since` and before `until`; None for no bound."""

    since: datetime | None = None
    until: datetime | None = None


def halves(span: Span, oldest: datetime, now: datetime) -> tuple[Span, Span] | None:
    """The two halves of a span; `oldest` and `now` bound it where it has no bounds. None when it is too short."""
    first, last = max(span.since or oldest, oldest), min(span.until or now, now)
    if last - first <= SMALLEST:
        return None
    middle = (first + (last - first) / 2).replace(microsecond=0)
    return Span(span.since, middle), Span(middle, span.until)
