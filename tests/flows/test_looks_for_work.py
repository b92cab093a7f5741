"""The looks for work: each connection by itself, what all processes share in the database, no error in its log."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from isthmus.db.pool import Database
from isthmus.outbox.feed import sql as feed
from isthmus.runtime import engine
from isthmus.runtime.tasks import Bells
from isthmus.runtime.timetable import Timetable

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
EVERY = timedelta(seconds=2)


def rows(db: Database, query: str) -> list[dict[str, Any]]:
    with db.transaction() as tx:
        return tx.fetch_all(query)


@pytest.mark.parametrize("look", ["sweep", "come_round"])
def test_a_bug_in_one_connection_stops_no_other_and_is_a_case_of_its_own(
    database: Database, monkeypatch: pytest.MonkeyPatch, look: str
) -> None:
    looked: list[str] = []

    def one(_: Timetable, name: str) -> None:
        looked.append(name)
        if name == "broken":
            raise KeyError("ada@example.com")

    monkeypatch.setattr(Timetable, "_look", one)
    monkeypatch.setattr(Timetable, "_come_round", one)
    app: Any = SimpleNamespace(db=database, names=lambda: ["broken", "sound"], clock=SimpleNamespace(now=lambda: AT))
    timetable = Timetable(app, (), SimpleNamespace(), lambda *_, **__: None, lambda: True)  # type: ignore[arg-type]
    getattr(timetable, look)()
    assert looked == ["broken", "sound"]
    (case,) = rows(database, "SELECT * FROM cases")
    assert (case["connection"], case["code"], case["n"]) == ("broken", "internal.bug", 1)
    assert "ada@" not in str(case)
    timetable.sweep()
    assert looked[2:] == ["broken", "sound"]


def test_whoever_asks_first_looks_at_the_feed_for_all_processes(database: Database) -> None:
    def turn(at: datetime) -> bool:
        with database.transaction() as tx:
            return feed.take_turn(tx, "acme", at, EVERY)

    assert turn(AT)
    assert not turn(AT + timedelta(seconds=1.9))
    assert turn(AT + EVERY)
    assert not turn(AT + EVERY)
    assert turn(AT - timedelta(hours=1)), "a clock that was turned back stops nobody"
    with database.transaction() as tx:
        assert not feed.take_turn(tx, "acme", AT - timedelta(hours=1), EVERY)
        assert feed.take_turn(tx, "other", AT, EVERY)


def test_the_feed_is_due_only_while_something_awaits_settlement(database: Database) -> None:
    with database.transaction() as tx:
        assert not feed.is_due(tx, "acme", AT, EVERY)
        tx.execute(
            """INSERT INTO outbox (connection, kind, id, store, lane, state, due_at, since)
               VALUES ('acme', 'order', 'uk:1', 'uk', 0, 'accepted', now(), now())"""
        )
        assert feed.is_due(tx, "acme", AT, EVERY)
        assert feed.take_turn(tx, "acme", AT, EVERY)
        assert not feed.is_due(tx, "acme", AT + timedelta(seconds=1), EVERY)
        assert feed.is_due(tx, "acme", AT + EVERY, EVERY)


def test_a_wake_up_that_is_already_waiting_is_no_error(database: Database) -> None:
    """An error would stand in PostgreSQL's log, once for every delivery of a busy second."""
    engine.migrate(database, AT)
    with Bells(database.dsn) as bells:
        for _ in range(3):
            bells.ring("poll", "acme", store="uk", kind="order")
            bells._rung.clear()  # as if another process had rung
        bells.ring("poll", "other", store="uk", kind="order")
    found = rows(database, "SELECT * FROM procrastinate_jobs ORDER BY id")
    assert [job["queueing_lock"] for job in found] == ["poll:acme:uk:order", "poll:other:uk:order"]
    assert found[0]["args"] == {"connection": "acme", "store": "uk", "kind": "order"}
    assert {(job["queue_name"], job["task_name"], job["status"]) for job in found} == {("default", "poll", "todo")}
    (told,) = rows(database, "SELECT count(*) AS n FROM procrastinate_events WHERE type = 'deferred'")
    assert told["n"] == 2
