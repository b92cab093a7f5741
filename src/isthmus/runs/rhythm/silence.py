"""How unlikely a silence is, held against what the same hours of the same weekday brought in the weeks before."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from statistics import fmean

from msgspec import Struct

HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)
WEEKS = 4
DAYS = 7
LEAST_WEEKS = 2
LEAST_DAYS = 3
"""With fewer weeks of this hour the same hour of the last days counts; with fewer days than that nobody can tell."""

ENOUGH = 10.0
"""Deliveries that a silence must have swallowed before it means anything: by chance that is one in 22,000."""

LONGEST = timedelta(days=2)
"""Of a longer silence only so much is counted: a shop of five orders a week is not silent, it is small."""


REACH = WEEKS * WEEK + LONGEST + HOUR
"""How far back hours must be known: four weeks, at most, before the beginning of the longest silence."""


class Silence(Struct, frozen=True):
    """Nothing came since `since`, where `expected` deliveries would have been usual; the `chance` of that (0 to 1)."""

    since: datetime
    expected: float
    chance: float

    @property
    def is_alarming(self) -> bool:
        return self.expected >= ENOUGH


def silence(hours: Mapping[datetime, int], known_since: datetime, since: datetime, now: datetime) -> Silence:
    """Judge that nothing of a topic came from `since`, its last delivery, until `now`.

    `hours` are deliveries by the hour of the clock (UTC) they came in; hours without any are left out. `known_since` is
    when counting began: before it nobody knows, after it an hour without a row is an hour of silence. Deliveries are
    taken to come by chance at the hour's usual rate (Poisson), so the chance of none is e to the minus expected.
    """
    expected = 0.0
    at = _hour(max(since, now - LONGEST))
    while at < now:
        begun, over = max(at, since, now - LONGEST), min(at + HOUR, now)
        if begun < over:
            expected += usual(hours, known_since, at) * ((over - begun) / HOUR)
        at += HOUR
    return Silence(since, expected, math.exp(-expected))


def usual(hours: Mapping[datetime, int], known_since: datetime, hour: datetime) -> float:
    """How many deliveries this hour of the clock usually brings; 0 where too little is known to say.

    The best of the weeks is left out: one sale, or one edit of the whole catalogue, is no rhythm.
    """
    weeks = [hour - n * WEEK for n in range(1, WEEKS + 1)]
    days = [hour - timedelta(days=n) for n in range(1, DAYS + 1)]
    for before, least in ((weeks, LEAST_WEEKS), (days, LEAST_DAYS)):
        counts = sorted(hours.get(at, 0) for at in before if at >= known_since)
        if len(counts) >= least:
            return fmean(counts[:-1])
    return 0.0


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
