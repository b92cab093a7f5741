"""The record of what people said, and what shops do by themselves a little later."""

from datetime import UTC, datetime, timedelta

from sims.shopify.events import Event
from sims.shopify.later import Later
from sims.statements import Statements

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def hear(said: Statements, address: str | None, state: str, minutes: int, **more: object) -> None:
    side = str(more.pop("side", "shopify"))
    said.hear(side, "acme", "email", address, state, AT + minutes * MINUTE, way="x", **more)  # type: ignore[arg-type]


def test_the_last_word_is_the_one_with_the_latest_time_whenever_it_was_heard() -> None:
    said = Statements()
    hear(said, " Ada@example.com", "SUBSCRIBED", 5, side="ometria")
    hear(said, "ada@example.com", "UNSUBSCRIBED", 3)
    hear(said, "ada@example.com", "SUBSCRIBED", 9, is_own_write=True)
    last, here = said.last("ADA@example.com "), said.last("ada@example.com", side="shopify")
    assert last is not None
    assert here is not None
    assert (last.state, here.state) == ("SUBSCRIBED", "UNSUBSCRIBED")
    assert said.last("ada@example.com", "sms") is None
    assert len(said.of("ada@example.com", is_people_only=False)) == 3


def test_nothing_is_said_about_no_address() -> None:
    said = Statements()
    hear(said, None, "SUBSCRIBED", 1)
    assert (len(said), list(said.addresses())) == (0, [])


def test_the_oldest_fall_off_and_numbers_go_on() -> None:
    said = Statements(entries=3)
    for n, address in enumerate(("a@x.example", "b@x.example", "a@x.example", "c@x.example", "c@x.example")):
        hear(said, address, "SUBSCRIBED", n)
    assert [one["n"] for one in said.read()] == [3, 4, 5]
    assert sorted(said.addresses()) == ["a@x.example", "c@x.example"]
    assert [one.n for one in said.of("a@x.example")] == [3]
    assert [one["n"] for one in said.read(since=3, limit=1, address="c@x.example")] == [4]
    said.clear()
    hear(said, "d@x.example", "SUBSCRIBED", 9)
    assert [one["n"] for one in said.read()] == [6]


def test_what_is_due_is_done_oldest_first_and_once() -> None:
    later, done = Later(), []

    def deed(name: str, at: datetime) -> list[Event]:
        done.append((name, at))
        return [Event("shop", name)]

    later.put(AT + 2 * MINUTE, lambda at: deed("second", at))
    later.put(AT + MINUTE, lambda at: deed("first", at))
    later.put(AT + 9 * MINUTE, lambda at: deed("third", at))
    told = [event.topic for events in later.due(AT + 3 * MINUTE) for event in events]
    assert told == ["first", "second"]
    assert done == [("first", AT + MINUTE), ("second", AT + 2 * MINUTE)]
    assert list(later.due(AT + 3 * MINUTE)) == []
    assert len(later) == 1
