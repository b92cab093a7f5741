from datetime import timedelta

import pytest

from isthmus.kit.backoff import LONGEST, WAITS, requested_wait, wait_after_attempt


def test_waits_follow_the_list_and_then_repeat_its_last() -> None:
    assert [wait_after_attempt(n) for n in range(1, len(WAITS) + 3)] == [*WAITS, WAITS[-1], WAITS[-1]]


def test_no_wait_is_longer_than_five_minutes_whatever_is_asked_for() -> None:
    asked = [None, timedelta(), timedelta(hours=9)]
    assert max(wait_after_attempt(n, span) for n in range(100) for span in asked) == timedelta(minutes=5)


def test_a_neighbour_may_ask_for_more_and_never_for_less() -> None:
    assert wait_after_attempt(1, timedelta(minutes=5)) == timedelta(minutes=5)
    assert wait_after_attempt(3, timedelta(seconds=1)) == WAITS[2]


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("7", timedelta(seconds=7)),
        ("2.5", timedelta(seconds=2.5)),
        ("86400", LONGEST),
        ("9" * 400, None),
        ("1e999", None),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("Mon, 23 Nov 2026 09:00:30 GMT", timedelta(seconds=30)),
        ("Mon, 23 Nov 2026 08:00:00 GMT", timedelta()),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, wait: timedelta | None) -> None:
    assert requested_wait({"retry-after": text, "date": "Mon, 23 Nov 2026 09:00:00 GMT"}) == wait


def test_a_date_without_the_answers_own_says_nothing() -> None:
    assert requested_wait({"retry-after": "Mon, 23 Nov 2026 09:00:30 GMT"}) is None
    assert requested_wait({}) is None
