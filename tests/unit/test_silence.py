"""How unlikely a silence is: the same weekday and hour, a sale left out, small shops and new ones never alarming."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.runs.rhythm.silence import HOUR, LONGEST, WEEK, silence, usual

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
LONG_AGO = NOW.replace(minute=0) - 5 * WEEK


def rhythm(per_hour: dict[int, int], days: int = 35) -> dict[datetime, int]:
    """So many at each hour of every day."""
    hours = (NOW.replace(minute=0) - n * HOUR for n in range(1, days * 24))
    return {at: per_hour[at.hour] for at in hours if at.hour in per_hour}


def test_a_busy_shop_is_silent_after_ten_that_did_not_come() -> None:
    busy = rhythm(dict.fromkeys(range(24), 20))
    short = silence(busy, LONG_AGO, NOW - timedelta(minutes=20), NOW)
    assert short.expected == pytest.approx(20 / 3)
    assert not short.is_alarming
    long = silence(busy, LONG_AGO, NOW - timedelta(minutes=30), NOW)
    assert long.expected == pytest.approx(10)
    assert long.is_alarming
    assert long.chance < 1 / 20_000


def test_a_quiet_night_is_no_silence() -> None:
    by_day = rhythm(dict.fromkeys(range(8, 22), 50))
    night = datetime(2026, 11, 23, 7, 55, tzinfo=UTC)
    assert silence(by_day, LONG_AGO, night - timedelta(hours=9, minutes=55), night).expected == 0


@given(st.integers(min_value=0, max_value=4), st.integers(min_value=0, max_value=23))
def test_a_shop_of_a_few_deliveries_a_day_is_never_silent(n: int, hour: int) -> None:
    small = rhythm({hour: n})
    assert not silence(small, LONG_AGO, NOW - timedelta(days=20), NOW).is_alarming


def test_one_sale_is_no_rhythm() -> None:
    hour = NOW.replace(minute=0)
    hours = {hour - n * WEEK: count for n, count in ((1, 5000), (2, 2), (3, 1), (4, 3))}
    assert usual(hours, LONG_AGO, hour) == 2


def test_the_same_weekday_counts_and_not_the_other_days() -> None:
    hour = NOW.replace(minute=0)
    hours = {hour - timedelta(days=n): 100 for n in range(1, 28) if n % 7}
    assert usual(hours, LONG_AGO, hour) == 0


def test_a_new_shop_is_judged_by_its_last_days_and_at_first_not_at_all() -> None:
    hour = NOW.replace(minute=0)
    hours = {hour - timedelta(days=n): 9 for n in range(1, 6)}
    assert usual(hours, hour - timedelta(days=5), hour) == 9
    assert usual(hours, hour - timedelta(days=2), hour) == 0


def test_of_a_long_silence_only_the_last_days_count() -> None:
    small = rhythm(dict.fromkeys(range(24), 1))
    assert silence(small, LONG_AGO, NOW - timedelta(days=9), NOW).expected == LONGEST / HOUR


def test_an_hour_is_taken_by_its_part() -> None:
    busy = rhythm(dict.fromkeys(range(24), 60))
    found = silence(busy, LONG_AGO, NOW - timedelta(minutes=3), NOW)
    assert found.expected == pytest.approx(3)
    assert found.chance == pytest.approx(0.0498, abs=1e-4)
