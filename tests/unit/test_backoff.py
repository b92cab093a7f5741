from datetime import timedelta

import pytest

from isthmus.kit.backoff import LONGEST_ASKED, WAITS, asked_for, wait_for


def test_waits_follow_the_list_and_end() -> None:
    assert [wait_for(n) for n in range(1, len(WAITS) + 2)] == [*WAITS, None]


def test_a_neighbour_may_ask_for_more_and_never_for_less() -> None:
    assert wait_for(1, timedelta(minutes=5)) == timedelta(minutes=5)
    assert wait_for(3, timedelta(seconds=1)) == WAITS[2]


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("7", timedelta(seconds=7)),
        ("2.5", timedelta(seconds=2.5)),
        ("86400", LONGEST_ASKED),
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
    assert asked_for({"retry-after": text, "date": "Mon, 23 Nov 2026 09:00:00 GMT"}) == wait


def test_a_date_without_the_answers_own_says_nothing() -> None:
    assert asked_for({"retry-after": "Mon, 23 Nov 2026 09:00:30 GMT"}) is None
    assert asked_for({}) is None
