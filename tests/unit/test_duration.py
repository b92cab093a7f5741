from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.kit.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("2s", timedelta(seconds=2)),
        ("0.5s", timedelta(milliseconds=500)),
        ("5m", timedelta(minutes=5)),
        (" 1h ", timedelta(hours=1)),
        ("7 d", timedelta(days=7)),
        ("0s", timedelta()),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "5", "m", "5 minutes", "-5m", "1h30m", "1e3s", "5M", "٣m"])
def test_anything_else_is_refused_with_what_it_should_look_like(text: str) -> None:
    with pytest.raises(ValueError, match="such as"):
        parse_duration(text)


@given(st.integers(0, 10**9 - 1))
def test_what_is_spelled_is_read_as_the_same(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize("text", ["2s", "0.25s", "5m", "1h", "7d", "90m", "0s"])
def test_durations_are_spelled_as_people_write_them(text: str) -> None:
    assert format_duration(parse_duration(text)) == text
