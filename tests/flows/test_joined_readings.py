"""A reading that is under way in one worker answers the events of others that were received before it began."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from isthmus.db.pool import Database
from isthmus.flows.process import LEASE, process_batch
from isthmus.model.failure import TransientError
from isthmus.model.lane import Lane
from sims.shopify.state import Customer
from talking import Both

TOPICS = ("customer.tags_added", "customers/purchasing_summary")


@pytest.fixture
def play(database: Database) -> Both:
    made = Both(database)
    made.pass_time(60)
    return made


def asks(play: Both, who: Customer, *topics: str) -> None:
    """Events that only a reading of this customer can answer."""
    for n, topic in enumerate(topics):
        play.tell(topic, {"customerId": f"gid://shopify/Customer/{who.id}"}, webhook_id=f"{topic}{play.now}{n}")


def work(play: Both) -> None:
    """One worker with one event."""
    process_batch(play.db, play.context, tuple(Lane), 1)


def watch(play: Both, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], None]) -> list[list[int]]:
    """What is asked of the shop; `meanwhile` happens while the first is under way."""
    reader = type(play.context.shops["uk"].reader)
    read, asked = reader.customers, list[list[int]]()

    def watched(self: Any, numbers: Sequence[int]) -> Any:
        asked.append(list(numbers))
        if len(asked) == 1:
            meanwhile()
        return read(self, numbers)

    monkeypatch.setattr(reader, "customers", watched)
    return asked


def ended(play: Both) -> list[tuple[str, str | None]]:
    """How the events of these topics ended."""
    rows = play.rows("SELECT state, reason FROM event WHERE topic = ANY(%s) ORDER BY id", list(TOPICS))
    return [(row["state"], row["reason"]) for row in rows]


def test_a_reading_under_way_is_joined_and_not_repeated(play: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    who = play.person("ada@example.com", "SUBSCRIBED")
    play.rest()
    asks(play, who, *TOPICS)
    play.pass_time(15)
    asked = watch(play, monkeypatch, lambda: work(play))
    work(play)
    assert asked == [[who.id]]
    play.pass_time(1)
    work(play)
    assert asked == [[who.id]]
    assert sorted(state for state, _ in ended(play)) in (["applied", "applied"], ["applied", "stale"])
    assert "read since for another event" in {reason for _, reason in ended(play)}


def test_what_is_told_while_a_reading_is_under_way_is_read_after_it(
    play: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = play.person("ada@example.com", "SUBSCRIBED")
    play.rest()
    asks(play, who, TOPICS[0])
    play.pass_time(15)

    def is_told() -> None:
        play.pass_time(1)
        asks(play, who, TOPICS[1])

    asked = watch(play, monkeypatch, is_told)
    work(play)
    play.pass_time(15)
    work(play)
    assert asked == [[who.id], [who.id]]


def test_a_reading_that_fails_or_whose_worker_is_killed_is_made_by_who_waited(
    play: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = play.person("ada@example.com", "SUBSCRIBED")
    play.rest()

    def fails() -> None:
        work(play)
        raise TransientError("storefront.unavailable", "no answer")

    def dies() -> None:
        work(play)
        raise KeyboardInterrupt

    for first in (fails, dies):
        asks(play, who, *TOPICS)
        play.pass_time(15)
        with monkeypatch.context() as patch:
            asked = watch(play, patch, first)
            try:
                work(play)
            except KeyboardInterrupt:
                play.pass_time(LEASE.total_seconds())
            assert asked == [[who.id]]
            play.pass_time(1)
            work(play)
            assert asked == [[who.id], [who.id]]
        play.pass_time(120)
        play.rest()
    assert {state for state, _ in ended(play)} <= {"applied", "stale"}


def test_who_asks_later_reads_again(play: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reading answers for a moment only: a person who has an event replayed wants to know how it is now."""
    who = play.person("ada@example.com", "SUBSCRIBED")
    play.rest()
    asks(play, who, *TOPICS)
    play.pass_time(15)
    asked = watch(play, monkeypatch, lambda: None)
    work(play)
    play.pass_time(LEASE.total_seconds())
    work(play)
    assert asked == [[who.id], [who.id]]
