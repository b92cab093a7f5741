"""The simulators' clock."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from sims.clock import SimClock, iso, parse

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def test_a_frozen_clock_moves_only_by_hand() -> None:
    clock = SimClock(AT, rate=0)
    assert clock.now() == clock.now() == AT
    assert clock.advance(90) == AT + timedelta(seconds=90)
    clock.set(AT)
    assert clock.now() == AT


def test_a_running_clock_runs_at_its_rate() -> None:
    clock = SimClock(AT, rate=1_000_000.0)
    first = clock.now()
    while clock.now() == first:
        pass
    assert clock.now() > first
    clock.rate(0)
    assert clock.now() == clock.now()
    assert clock.speed == 0


def test_a_clock_without_a_start_shows_the_present() -> None:
    assert abs(SimClock().now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_every_time_is_utc_whatever_it_was_given() -> None:
    plus_two = timezone(timedelta(hours=2))
    assert SimClock(AT.astimezone(plus_two), rate=0).now().tzinfo is UTC
    assert SimClock(AT.replace(tzinfo=None), rate=0).now() == AT
    assert parse(iso(AT)) == parse("2026-11-23T11:00:00+02:00") == AT


def test_a_clock_does_not_run_backwards() -> None:
    with pytest.raises(ValueError, match="backwards"):
        SimClock(rate=-1)
