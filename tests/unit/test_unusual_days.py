"""What is unusual: more than the limit, and more than twice the busiest day of the weeks before."""

from datetime import UTC, datetime, timedelta

import pytest

from isthmus.runs.unusual_volume import busiest_day, count_last_day, is_unusual

NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
HOUR = NOW.replace(minute=0)


def ago(**span: int) -> datetime:
    return HOUR - timedelta(**span)


def test_the_last_day_and_the_busiest_before_it_share_no_hour() -> None:
    hours = {ago(hours=0): 3, ago(hours=23): 4, ago(hours=24): 5, ago(days=2): 6, ago(days=2, hours=2): 1}
    assert count_last_day(hours, NOW) == 7
    assert busiest_day(hours, NOW) == 7


def test_what_is_older_than_hours_are_kept_counts_for_nothing() -> None:
    assert busiest_day({ago(days=40): 9}, NOW) == 0
    assert busiest_day({}, NOW) == 0


@pytest.mark.parametrize(
    ("n", "before", "limit", "is_so"),
    [(5, 0, 5, False), (6, 0, 5, True), (6, 3, 5, False), (7, 3, 5, True), (60, 0, 60, False), (61, 30, 60, True)],
)
def test_both_the_limit_and_the_days_before_are_exceeded(n: int, before: int, limit: int, is_so: bool) -> None:
    assert is_unusual(n, before, limit) is is_so
