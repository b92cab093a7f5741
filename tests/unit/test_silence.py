"""How unlikely a silence is: the same weekday and hour, a sale left out, small shops and new ones never alarming."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.runs.webhook_gaps import HOUR, LONGEST, WEEK, judge_silence, usual_count

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
LONG_AGO = NOW.replace(minute=0) - 5 * WEEK


def rhythm(per_hour: dict[int, int], days: int = 35) -> dict[datetime, int]:
    """So many at each hour of every day."""
    hours = (NOW.replace(minute=0) - n * HOUR for n in range(1, days * 24))
    return {at: per_hour[at.hour] for at in hours if at.hour in per_hour}


def test_a_busy_shop_is_silent_after_ten_that_did_not_come() -> None:
    busy = rhythm(dict.fromkeys(range(24), 20))
    short = judge_silence(busy, LONG_AGO, NOW - timedelta(minutes=20), NOW)
    assert short.expected == pytest.approx(20 / 3)
    assert not short.is_alarming
    long = judge_silence(busy, LONG_AGO, NOW - timedelta(minutes=30), NOW)
    assert long.expected == pytest.approx(10)
    assert long.is_alarming
    assert long.chance < 1 / 20_000


def test_a_quiet_night_is_no_silence() -> None:
    by_day = rhythm(dict.fromkeys(range(8, 22), 50))
    night = datetime(2026, 11, 23, 7, 55, tzinfo=UTC)
    assert judge_silence(by_day, LONG_AGO, night - timedelta(hours=9, minutes=55), night).expected == 0


@given(st.integers(min_value=0, max_value=4), st.integers(min_value=0, max_value=23))
def test_a_shop_of_a_few_deliveries_a_day_is_never_silent(n: int, hour: int) -> None:
    small = rhythm({hour: n})
    assert not judge_silence(small, LONG_AGO, NOW - timedelta(days=20), NOW).is_alarming


def test_a_short_silence_means_nothing_however_busy_the_shop() -> None:
    busy = rhythm(dict.fromkeys(range(24), 6000))
    assert not judge_silence(busy, LONG_AGO, NOW - timedelta(minutes=14), NOW).is_alarming
    assert judge_silence(busy, LONG_AGO, NOW - timedelta(minutes=15), NOW).is_alarming


def test_one_sale_is_no_rhythm() -> None:
    hour = NOW.replace(minute=0)
    hours = {hour - n * WEEK: count for n, count in ((1, 5000), (2, 2), (3, 1), (4, 3))}
    assert usual_count(hours, LONG_AGO, hour) == 1


def test_the_same_weekday_counts_and_not_the_other_days() -> None:
    hour = NOW.replace(minute=0)
    hours = {hour - timedelta(days=n): 100 for n in range(1, 28) if n % 7}
    assert usual_count(hours, LONG_AGO, hour) == 0


def test_a_new_shop_is_judged_by_its_last_days_and_at_first_not_at_all() -> None:
    hour = NOW.replace(minute=0)
    hours = {hour - timedelta(days=n): 9 for n in range(1, 6)}
    assert usual_count(hours, hour - timedelta(days=5), hour) == 9
    assert usual_count(hours, hour - timedelta(days=2), hour) == 0


def test_of_a_long_silence_only_the_last_days_count() -> None:
    small = rhythm(dict.fromkeys(range(24), 1))
    assert judge_silence(small, LONG_AGO, NOW - timedelta(days=9), NOW).expected == LONGEST / HOUR


def test_an_hour_is_taken_by_its_part() -> None:
    busy = rhythm(dict.fromkeys(range(24), 60))
    found = judge_silence(busy, LONG_AGO, NOW - timedelta(minutes=3), NOW)
    assert found.expected == pytest.approx(3)
    assert found.chance == pytest.approx(0.0498, abs=1e-4)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("a_day", [3, 30, 300, 3000])
def test_a_week_of_a_lively_shop_is_never_called_silent(a_day: int, seed: int) -> None:
    """Nights, weekends, and hours that bring twice or a third of the usual: looked at every quarter of an hour.

    By chance it happens now and then: of 240 such weeks one held a silence that was called so.
    """
    dice = random.Random(f"{a_day} {seed}")
    begun = NOW.replace(minute=0) - 5 * WEEK
    hours: dict[datetime, int] = {}
    arrivals = []
    for n in range(5 * 7 * 24):
        at = begun + n * HOUR
        rate = a_day / 24 * (2.0 if 8 <= at.hour < 22 else 0.1) * (0.5 if at.weekday() > 4 else 1.0)
        rate *= dice.gammavariate(4, 0.25)
        passed = dice.expovariate(rate)
        while passed < 1:
            hours[at] = hours.get(at, 0) + 1
            arrivals.append(at + passed * HOUR)
            passed += dice.expovariate(rate)
    last, left = begun, iter([*arrivals, NOW + WEEK])
    coming = next(left)
    for n in range(7 * 24 * 4):
        now = begun + 4 * WEEK + n * timedelta(minutes=15)
        while coming <= now:
            last, coming = coming, next(left)
        assert not judge_silence(hours, begun, last, now).is_alarming
