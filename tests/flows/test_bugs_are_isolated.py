"""What nobody foresaw costs one event: buried as our bug, while its company goes through; and it can be replayed."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import psycopg
import pytest

from isthmus.cases.sql import cases
from isthmus.db.pool import Database
from isthmus.flows.context import Reader
from isthmus.flows.process import LEASE, process_batch
from isthmus.flows.replay import replay_case
from isthmus.inbox.sql import events as inbox
from isthmus.model.event import RefetchRequest
from isthmus.model.lane import Lane
from isthmus.ops import status
from scenes import Town
from sims.neighbourhood import Sizes

HUSH = "ada@example.com"


class Faulty:
    """A reader with a bug: some records make it raise what no failure is. Everything else it leaves to the true one."""

    def __init__(self, true: Reader, bad: set[int], error: Exception) -> None:
        self.true, self.bad, self.error = true, bad, error
        self.n_asked = 0

    def orders(self, ids: Sequence[int]) -> Mapping[int, Any]:
        self.n_asked += 1
        if self.bad & set(ids):
            raise self.error
        return self.true.orders(ids)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.true, name)


class Gap(dict[str, str]):
    """Rules with a hole: one status makes the mapping raise what no failure is."""

    def __init__(self, rare: str) -> None:
        super().__init__()
        self.rare = rare

    def get(self, key: str, default: Any = None) -> Any:
        if key == self.rare:
            raise KeyError(HUSH)
        return default


@pytest.fixture
def town(database: Database) -> Town:
    town = Town(database, sizes=Sizes(customers=6, orders=30, products=4))
    town.load()
    town.come_to_rest()
    return town


def rows(town: Town, query: str, *params: object) -> list[dict[str, Any]]:
    with town.db.transaction() as tx:
        return tx.fetch_all(query, params)


def turn(town: Town, **changed: Any) -> None:
    """Change shop uk's rules or reader."""
    shop = town.context.shops["uk"]
    town.context.shops["uk"] = msgspec.structs.replace(shop, **changed)  # type: ignore[index]


def numbers_of_orders(town: Town) -> list[int]:
    found = rows(town, "SELECT id FROM record WHERE kind = 'order' AND store = 'uk' AND body IS NOT NULL ORDER BY id")
    return [int(row["id"]) for row in found]


def ask(town: Town, topic: str, ids: Sequence[int]) -> None:
    now = town.clock.now()
    with town.db.transaction() as tx:
        inbox.enqueue_internal(
            tx, "acme", "uk", [RefetchRequest(topic, f"order:{one}", Lane.REALTIME, now) for one in ids], now
        )


def ends(town: Town, topic: str) -> dict[str, tuple[str, str | None]]:
    return {
        row["subject"]: (row["state"], row["reason"])
        for row in rows(town, "SELECT subject, state, reason FROM event WHERE topic = %s", topic)
    }


def bugs(town: Town) -> list[dict[str, Any]]:
    return rows(town, "SELECT * FROM cases WHERE code = 'internal.bug' AND state = 'open' ORDER BY id")


def books_add_up(town: Town) -> bool:
    (told,) = status.read_status(town.db, town.clock.now()).connections
    e = told.events
    return e.received == e.duplicate + e.stale + e.processed + e.skipped + e.quarantined + e.failed + e.waiting


def test_f36_a_record_that_trips_the_mapping_is_buried_alone(town: Town) -> None:
    shown = rows(town, "SELECT subject FROM outbox WHERE kind = 'order' AND store = 'uk' AND state = 'applied'")
    ids = [int(row["subject"].partition(":")[2]) for row in shown]
    assert len(ids) > 5
    states = [state(town, f"uk:{one}") for one in ids]
    rare = min(states, key=lambda name: (states.count(name), name))
    turn(town, rules=msgspec.structs.replace(town.context.shops["uk"].rules, statuses=Gap(rare)))
    ask(town, "isthmus/remap", ids)
    process_batch(town.db, town.context)
    ended = ends(town, "isthmus/remap")
    failed = {subject for subject, (state, _) in ended.items() if state == "buried"}
    assert 0 < len(failed) < len(ended)
    assert {state for subject, (state, _) in ended.items() if subject not in failed} == {"applied"}
    assert {reason for state, reason in ended.values() if state == "buried"} == {"internal.bug"}
    assert {case["subject"] for case in bugs(town)} == failed
    assert all("KeyError in isthmus/mapping/" in case["detail"] for case in bugs(town))
    assert HUSH not in str(bugs(town))
    assert books_add_up(town)


def state(town: Town, order: str) -> str:
    found = town.context.platform.order(order)
    return "" if found is None else str(found["status"])


def test_a_reading_that_trips_a_parser_is_buried_alone_and_quotes_nobody(town: Town) -> None:
    ids = numbers_of_orders(town)
    true = town.context.shops["uk"].reader
    turn(town, reader=Faulty(true, {ids[0]}, ValueError(f"no such thing: {HUSH}")))
    ask(town, "repair/order", ids)
    process_batch(town.db, town.context)
    ended = ends(town, "repair/order")
    assert [subject for subject, (state, _) in ended.items() if state == "buried"] == [f"order:{ids[0]}"]
    assert "waiting" not in {state for state, _ in ended.values()}
    (case,) = bugs(town)
    assert case["subject"] == f"order:{ids[0]}"
    assert case["detail"].startswith("ValueError in ")
    assert HUSH not in str(case)


def test_the_bug_once_mended_its_case_is_replayed(town: Town) -> None:
    ids = numbers_of_orders(town)
    true = town.context.shops["uk"].reader
    turn(town, reader=Faulty(true, {ids[0]}, KeyError("x")))
    ask(town, "repair/order", ids[:3])
    process_batch(town.db, town.context)
    (case,) = bugs(town)
    turn(town, reader=true)
    _, back = replay_case(town.db, case["id"], town.clock.now(), by="ada")
    assert back.n_events == 1
    town.come_to_rest()
    assert "buried" not in {state for state, _ in ends(town, "repair/order").values()}
    assert bugs(town) == []
    assert books_add_up(town)


def test_a_bug_that_meets_everything_is_still_one_line_of_cases(town: Town) -> None:
    """F92: ten thousand errors of one cause are one group with a count and a sample."""
    ids = numbers_of_orders(town)
    turn(town, reader=Faulty(town.context.shops["uk"].reader, set(ids), KeyError("x")))
    ask(town, "repair/order", ids)
    process_batch(town.db, town.context)
    with town.db.transaction() as tx:
        (group,) = [group for group in cases.group_by_code(tx) if group.code == "internal.bug"]
    assert group.cases == group.times == len(ids)
    assert group.sample_detail.startswith("KeyError in ")


def test_what_may_pass_by_itself_is_no_bug(town: Town) -> None:
    """A deadlock or a timeout of the database: nobody is blamed, and the rows are taken up when the lease ends."""
    ids = numbers_of_orders(town)[:2]
    true = town.context.shops["uk"].reader
    turn(town, reader=Faulty(true, set(ids), psycopg.errors.DeadlockDetected("deadlock detected")))
    ask(town, "repair/order", ids)
    with pytest.raises(psycopg.errors.DeadlockDetected):
        process_batch(town.db, town.context)
    assert {state for state, _ in ends(town, "repair/order").values()} == {"waiting"}
    assert bugs(town) == []
    turn(town, reader=true)
    town.pass_time((LEASE + timedelta(seconds=1)).total_seconds())
    town.come_to_rest()
    assert "waiting" not in {state for state, _ in ends(town, "repair/order").values()}
    assert bugs(town) == []
