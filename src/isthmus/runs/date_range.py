"""Which records of a load one bulk operation tells, and how a span that was too large is halved."""

from datetime import datetime, timedelta

from msgspec import Struct

SMALLEST = timedelta(days=1)
"""A span this short is not halved again: in the ten days that an operation may take, one day can be written."""


class DateRange(Struct, frozen=True):
    """Created at or after `since` and before `until`; None for no bound."""

    since: datetime | None = None
    until: datetime | None = None

    @property
    def length(self) -> timedelta:
        """How long it is; the longest there is where it has no bound."""
        return timedelta.max if self.since is None or self.until is None else self.until - self.since


def split_range(span: DateRange, oldest: datetime, now: datetime) -> tuple[DateRange, DateRange] | None:
    """The two halves of a span; `oldest` and `now` bound it where it has no bounds. None when it is too short."""
    first, last = max(span.since or oldest, oldest), min(span.until or now, now)
    if last - first <= SMALLEST:
        return None
    middle = (first + (last - first) / 2).replace(microsecond=0)
    return DateRange(span.since, middle), DateRange(middle, span.until)
