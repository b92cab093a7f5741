"""What the error feed covers, where a read-back differs from what was sent, and how a refused batch is halved."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from isthmus.outbox.plan import EPOCH, FEED_SIZE, FeedCoverage, first_difference, next_bisect_size, update_feed_coverage

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
LATER = AT + timedelta(seconds=30)
NEVER_POLLED = FeedCoverage(None, None, frozenset())


def page(first: int, n: int = FEED_SIZE) -> list[bytes]:
    return [str(i).encode() for i in range(first, first + n)]


def test_a_page_that_is_not_full_shows_everything_there_ever_was() -> None:
    entries = page(0, FEED_SIZE - 1)
    assert update_feed_coverage(NEVER_POLLED, entries, AT) == FeedCoverage(AT, EPOCH, frozenset(entries))
    assert update_feed_coverage(FeedCoverage(AT, AT, frozenset(page(500))), entries, LATER) == FeedCoverage(
        LATER, EPOCH, frozenset(entries)
    )


def test_a_first_full_page_covers_nothing_before_it() -> None:
    assert update_feed_coverage(NEVER_POLLED, page(0), AT) == FeedCoverage(AT, AT, frozenset(page(0)))


def test_two_full_pages_that_share_one_entry_leave_no_gap() -> None:
    before = FeedCoverage(AT, AT - timedelta(minutes=5), frozenset(page(0)))
    entries = page(FEED_SIZE - 1)
    assert update_feed_coverage(before, entries, LATER) == FeedCoverage(LATER, before.covered_since, frozenset(entries))


def test_two_full_pages_that_share_no_entry_leave_a_gap_and_cover_from_the_second_on() -> None:
    before = FeedCoverage(AT, AT - timedelta(minutes=5), frozenset(page(0)))
    entries = page(FEED_SIZE)
    assert update_feed_coverage(before, entries, LATER) == FeedCoverage(LATER, LATER, frozenset(entries))


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ({}, {"added": 1}),
        ({"@type": "order", "id": "1"}, {"id": "1"}),
        ({"note": None}, {}),
        ({"note": None}, {"note": None}),
        ({"total": "10.00"}, {"total": "10.00"}),
        ({"total": 10}, {"total": "10.00"}),
        ({"total": "10.0004"}, {"total": 10}),
        ({"at": "2026-11-23T10:00:00+00:00"}, {"at": "2026-11-23 10:00:00+00"}),
        ({"at": "2026-11-23T10:00:00+00:00"}, {"at": "2026-11-23T11:00:00+01:00"}),
        ({"address": {}}, {}),
        ({"address": {"city": None}}, {}),
        ({"lines": []}, {}),
        ({"lines": [{"sku": "a", "n": 1}]}, {"lines": [{"sku": "a", "n": 1.0, "more": True}]}),
    ],
)
def test_what_is_only_written_otherwise_is_no_difference(sent: dict[str, Any], read: dict[str, Any]) -> None:
    assert first_difference(sent, read) is None


@pytest.mark.parametrize(
    ("sent", "read", "path"),
    [
        ({"id": "1", "status": "complete"}, {"id": "1", "status": "pending"}, "status"),
        ({"status": "complete"}, {}, "status"),
        ({"total": 10}, {"total": 10.0005}, "total"),
        ({"total": 10}, {"total": "ten"}, "total"),
        ({"total": 10}, {"total": None}, "total"),
        ({"is_valid": True}, {"is_valid": 1.0}, None),
        ({"is_valid": True}, {"is_valid": "true"}, "is_valid"),
        ({"is_valid": False}, {}, "is_valid"),
        ({"at": "2026-11-23T10:00:00+00:00"}, {"at": "2026-11-23T10:00:01+00:00"}, "at"),
        ({"at": "2026-11-23"}, {"at": "2026-11-24"}, "at"),
        ({"name": "not a time at all, really"}, {"name": "another name that is long"}, "name"),
        ({"name": "2026-and so on and on"}, {"name": "2026-and so on and off"}, "name"),
        ({"address": {"city": "Bath"}}, {}, "address"),
        ({"address": {"city": "Bath"}}, {"address": {"city": "York"}}, "address.city"),
        ({"address": {"a": None, "b": {"c": 1}}}, {"address": {"b": {"c": 2}}}, "address.b.c"),
        ({"lines": [1]}, {}, "lines"),
        ({"lines": []}, {"lines": [1]}, "lines"),
        ({"lines": [1, 2]}, {"lines": [1]}, "lines"),
        ({"lines": [{"n": 1}, {"n": 2}]}, {"lines": [{"n": 1}, {"n": 3}]}, "lines.1.n"),
        ({"a": 1, "b": 2}, {"a": 0, "b": 0}, "a"),
    ],
)
def test_the_first_difference_is_named_by_its_path(sent: dict[str, Any], read: dict[str, Any], path: str) -> None:
    assert first_difference(sent, read) == path


@pytest.mark.parametrize(("refused", "then"), [(100, 25), (26, 25), (25, 6), (7, 6), (6, 1), (2, 1), (1, 1)])
def test_a_refused_batch_goes_again_in_smaller_ones(refused: int, then: int) -> None:
    assert next_bisect_size(refused) == then
