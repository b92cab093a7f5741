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
"""Deliveries that a silence must have swallowed before it means anything."""

CHANCE = math.exp(-ENOUGH)
"""The chance of that in a shop whose hours differ by nothing but chance: one in 22,000."""

SHORTEST = timedelta(minutes=15)
"""A shorter silence means nothing: where there is much to tell, it comes in bursts."""

LONGEST = timedelta(days=2)
"""Of a longer silence only so much is counted: a shop of five orders a week is not silent, it is small."""

REACH = WEEKS * WEEK + LONGEST + HOUR
"""How far back hours must be known: four weeks, at most, before the beginning of the longest silence."""


class WebhookGap(Struct, frozen=True):
    """Nothing came since `since`, for `lasted`, where `expected` deliveries would have been usual.

    `chance` is that of such a silence (0 to 1).
    """

    since: datetime
    lasted: timedelta
    expected: float
    chance: float

    @property
    def is_alarming(self) -> bool:
        return self.chance <= CHANCE and self.lasted >= SHORTEST


def judge_silence(hours: Mapping[datetime, int], known_since: datetime, since: datetime, now: datetime) -> WebhookGap:
    """Judge that nothing of a topic came from `since`, its last delivery, until `now`.

    `hours` are deliveries by the hour of the clock (UTC) they came in; hours without any are left out. `known_since` is
    when counting began: before it nobody knows, after it an hour without a row is an hour of silence.

    Deliveries come by chance (Poisson) at a rate that itself differs from week to week (gamma) as much as the shop's
    own weeks did; where they did not differ, the chance of none is e to the minus expected.
    """
    parts = []
    begin = max(since, now - LONGEST)
    at = _hour(begin)
    while at < now:
        parts.append(usual_count(hours, known_since, at) * ((min(at + HOUR, now) - max(at, begin)) / HOUR))
        at += HOUR
    expected = logarithm = sum(parts)
    # Unevenness makes a silence likelier, never less likely; where it is likely already nobody need ask.
    uneven = dispersion(hours, known_since, now) if expected >= ENOUGH else 0.0
    if uneven:
        logarithm = sum(math.log1p(uneven * part) / uneven for part in parts)
    return WebhookGap(since, now - since, expected, math.exp(-logarithm))


def usual_count(hours: Mapping[datetime, int], known_since: datetime, hour: datetime) -> int:
    """How many deliveries this hour of the clock brings at the least; 0 where too little is known to say.

    That is the poorest of the weeks: one sale, or one edit of the whole catalogue, is no rhythm, and after a holiday
    nobody is surprised by another.
    """
    return min(_before(hours, known_since, hour), default=0)


def dispersion(hours: Mapping[datetime, int], known_since: datetime, now: datetime) -> float:
    """How much the same hour differs from week to week beyond chance: the square of its coefficient of variation.

    Estimated over all hours of the last week at once, by moments; 0 where hours differ by no more than chance.
    """
    surplus = square = 0.0
    for n in range(int(WEEK / HOUR)):
        counts = _before(hours, known_since, _hour(now) - n * HOUR)
        if len(counts) > 1:
            mean = fmean(counts)
            surplus += sum((count - mean) ** 2 for count in counts) / (len(counts) - 1) - mean
            square += mean * mean
    return max(0.0, surplus / square) if square else 0.0


def _before(hours: Mapping[datetime, int], known_since: datetime, hour: datetime) -> list[int]:
    """What this hour brought in the weeks before, or, where those are too few, in the days before."""
    weeks = [hour - n * WEEK for n in range(1, WEEKS + 1)]
    days = [hour - timedelta(days=n) for n in range(1, DAYS + 1)]
    for before, least in ((weeks, LEAST_WEEKS), (days, LEAST_DAYS)):
        counts = [hours.get(at, 0) for at in before if at >= known_since]
        if len(counts) >= least:
            return counts
    return []


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
