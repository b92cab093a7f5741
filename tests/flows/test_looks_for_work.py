"""The looks for work: each connection by itself, what all processes share in the database, no error in its log."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import procrastinate
import pytest

from isthmus.app import engine
from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Database
from isthmus.flows.consent import poll_unsubscribes
from isthmus.flows.context import Timings
from isthmus.flows.good_runs import GoodRuns
from isthmus.model.lane import Lane
from isthmus.outbox.sql import error_feed as feed
from isthmus.runtime.scheduler import Scheduler
from isthmus.runtime.tasks import WakeUps, Worker
from scenes import Town
from sims.neighbourhood import Sizes

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

    def one(_: Scheduler, name: str) -> None:
        looked.append(name)
        if name == "broken":
            raise KeyError("ada@example.com")

    monkeypatch.setattr(Scheduler, "_look", one)
    monkeypatch.setattr(Scheduler, "_come_round", one)
    app: Any = SimpleNamespace(
        db=database, names=lambda: ["broken", "sound"], unusable=lambda _: None, clock=SimpleNamespace(now=lambda: AT)
    )
    timetable = Scheduler(app, (), SimpleNamespace(), lambda *_, **__: None, lambda: True)  # type: ignore[arg-type]
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
            return feed.take_poll_turn(tx, "acme", at, EVERY)

    assert turn(AT)
    assert not turn(AT + timedelta(seconds=1.9))
    assert turn(AT + EVERY)
    assert not turn(AT + EVERY)
    assert turn(AT - timedelta(hours=1)), "a clock that was turned back stops nobody"
    with database.transaction() as tx:
        assert not feed.take_poll_turn(tx, "acme", AT - timedelta(hours=1), EVERY)
        assert feed.take_poll_turn(tx, "other", AT, EVERY)


def test_the_feed_is_due_only_while_something_awaits_settlement(database: Database) -> None:
    with database.transaction() as tx:
        assert not feed.is_poll_due(tx, "acme", AT, EVERY)
        tx.execute(
            """INSERT INTO outbox (connection, kind, id, store, lane, state, due_at, since)
               VALUES ('acme', 'order', 'uk:1', 'uk', 0, 'accepted', now(), now())"""
        )
        assert feed.is_poll_due(tx, "acme", AT, EVERY)
        assert feed.take_poll_turn(tx, "acme", AT, EVERY)
        assert not feed.is_poll_due(tx, "acme", AT + timedelta(seconds=1), EVERY)
        assert feed.is_poll_due(tx, "acme", AT + EVERY, EVERY)


def test_a_wake_up_that_is_already_waiting_is_no_error(database: Database) -> None:
    """An error would stand in PostgreSQL's log, once for every delivery of a busy second."""
    engine.migrate_engine(database, AT)
    n_errors = rolled_back(database)
    with WakeUps(database.dsn) as bells:
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
    assert rolled_back(database) == n_errors


def test_what_comes_round_while_the_last_of_it_still_waits_is_no_error(database: Database) -> None:
    """All threads are busy for a while: the engine defers again, and an error would stand in PostgreSQL's log."""
    engine.migrate_engine(database, AT)
    app: Any = SimpleNamespace(db=database)
    made = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=database.dsn))
    worker = Worker(app)
    worker._register(made)

    async def come_round(first: int) -> None:
        async with made.open_async():
            for task in made.periodic_registry.periodic_tasks.values():
                for timestamp in (first, first + 86_400):
                    job = task.task.configure(task_kwargs={"timestamp": timestamp}).job
                    await made.job_manager.defer_periodic_job(
                        job=job, periodic_id=task.periodic_id, defer_timestamp=timestamp
                    )

    n_errors: list[int] = []
    while len(n_errors) < 3 and 0 not in n_errors:
        before = rolled_back(database)
        asyncio.run(come_round(len(n_errors) * 7 * 86_400))
        n_errors.append(rolled_back(database) - before)
    # PostgreSQL may count what an idle session did before only now; an error of ours would be there every time.
    assert 0 in n_errors
    found = rows(database, "SELECT task_name, count(*) AS n FROM procrastinate_jobs GROUP BY 1 ORDER BY 1")
    n = 2 * len(n_errors)
    assert {job["task_name"]: job["n"] for job in found} == {"forget_the_dead": n, "prune": n, "timetable": n}


def rolled_back(db: Database) -> int:
    with db.transaction() as tx:
        tx.execute("SELECT pg_stat_force_next_flush()")
    (found,) = rows(db, "SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()")
    return int(found["xact_rollback"])


@pytest.mark.parametrize(("every", "step"), [(10, 1.0), (10, 1.07), (2, 1.0), (30, 1.03)])
def test_the_list_of_unsubscribes_is_asked_for_as_often_as_the_file_says(
    database: Database, every: int, step: float
) -> None:
    """A sweep comes about once a second; two workers sweep, and neither asks where the other just has."""
    pace = Timings(unsubscribes_every=timedelta(seconds=every), read_per_second=1000)
    town = Town(database, sizes=Sizes(customers=0, orders=0, products=0), pace=pace)
    app: Any = SimpleNamespace(
        db=database, names=lambda: ["acme"], unusable=lambda _: None, clock=town.clock, context=lambda _: town.context,
        connected=lambda _: SimpleNamespace(paused_at=None, paused_lanes=frozenset()),
    )  # fmt: skip
    asked: list[datetime] = []

    def ring(task: str, _: str, **__: str) -> None:
        if task == "listen":
            asked.append(town.clock.now())
            poll_unsubscribes.poll_unsubscribes(database, town.context)

    workers = [Scheduler(app, tuple(Lane), SimpleNamespace(), ring, lambda: True) for _ in range(2)]  # type: ignore[arg-type]
    for n in range(120):
        workers[n % 2].sweep()
        town.pass_time(step / 2)
        workers[1 - n % 2].sweep()
        town.pass_time(step / 2)
    apart = [(later - sooner).total_seconds() for sooner, later in pairwise(asked)]
    assert len(apart) > 2
    assert all(abs(one - every) <= step / 2 for one in apart), apart
    lists = [one for one in town.sims.tape.read(side="ometria") if "unsubscribe" in one["path"]]
    assert len(lists) >= len(asked)


@pytest.mark.parametrize("task", ["watch", "sweep"])
def test_a_case_of_a_task_closes_when_the_task_goes_well_again(
    database: Database, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    town = Town(database, sizes=Sizes(customers=0, orders=0, products=0))
    app: Any = SimpleNamespace(
        db=database, names=lambda: ["acme"], unusable=lambda _: None, clock=town.clock, context=lambda _: town.context
    )
    broken = [True]

    def look(*_: Any) -> int:
        if broken[0]:
            raise KeyError("ada@example.com")
        return 0

    monkeypatch.setattr(Scheduler, "_look", look)
    worker = Worker(app)

    def run() -> None:
        if task == "sweep":
            worker._timetable.sweep()
        else:
            worker._look_after(task, "acme", look)
        worker._look_after("recheck", "acme", lambda: worker._recheck("acme"))

    run()
    (case,) = rows(database, "SELECT * FROM cases")
    assert (case["code"], case["subject"], case["state"]) == ("internal.bug", task, "open")
    town.pass_time(180)
    worker._look_after("recheck", "acme", lambda: worker._recheck("acme"))
    assert rows(database, "SELECT state FROM cases") == [{"state": "open"}], (
        "another task that goes well closes nothing"
    )
    broken[0] = False
    run()
    (case,) = rows(database, "SELECT * FROM cases")
    assert (case["state"], case["closed_by"]) == ("resolved", "worker")
    assert case["note"] == f"{task} went well at {town.clock.now():%Y-%m-%d %H:%M:%S}"


def test_a_task_that_another_process_still_meets_a_bug_in_keeps_its_case(database: Database) -> None:
    runs = GoodRuns()
    with database.transaction() as tx:
        cases.open_or_count(
            tx, "acme", [Touch("internal.bug", "watch", "", "KeyError in isthmus/flows/subscription_monitor.py:3")], AT
        )
    runs.note("watch", "acme", AT + timedelta(seconds=50))
    assert runs.close(database, "acme", AT + timedelta(seconds=60)) == 0
    runs.note("watch", "other", AT + timedelta(minutes=5))
    assert runs.close(database, "other", AT + timedelta(minutes=5)) == 0
    assert runs.close(database, "acme", AT + timedelta(minutes=5)) == 1
