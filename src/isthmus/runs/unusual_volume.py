"""Whether a store states unusually much of one topic: more than a limit, and far more than on any day before."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from isthmus.runs.webhook_gaps import REACH

DAY = timedelta(days=1)

TIMES = 2
"""So many times the busiest day of the weeks before is no longer usual."""


def count_last_day(hours: Mapping[datetime, int], now: datetime) -> int:
    """How many deliveries came within the last 24 hours, whole hours counted."""
    return sum(n for hour, n in hours.items() if hour > now - DAY)


def busiest_day(hours: Mapping[datetime, int], now: datetime) -> int:
    """The most that came within one of the spans of 24 hours before the last, as far back as hours are kept."""
    days: dict[int, int] = {}
    for hour, n in hours.items():
        nth = (now - hour) // DAY
        if nth > 0 and now - hour <= REACH:
            days[nth] = days.get(nth, 0) + n
    return max(days.values(), default=0)


def is_unusual(n: int, before: int, limit: int) -> bool:
    """Whether `n` deliveries of one day deserve to be announced, where `before` came on the busiest day until then."""
    return n > limit and n > TIMES * before
