"""Shops that answer late or not at all, workers that stand still, a database that ends a transaction: nothing is lost,
nobody's record is blamed, and nothing needs a person."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import psycopg
import pytest

from isthmus.db.pool import Database, is_retryable
from isthmus.flows import store_records
from isthmus.flows.context import Reader
from isthmus.flows.process import LEASE, STUBBORN_AFTER, process_batch
from isthmus.inbox.sql import events as inbox
from isthmus.kit.backoff import LONGEST
from isthmus.kit.ids import claim_id
from isthmus.model.event import RefetchRequest
from isthmus.model.failure import TransientError
from isthmus.model.lane import Lane
from scenes import Town
from sims.neighbourhood import Sizes


@pytest.fixture(scope="module")
def shared(module_database: Database) -> Town:
    town = Town(module_database, sizes=Sizes(customers=4, orders=12, products=3))
    town.load()
    town.come_to_rest()
    return town


@pytest.fixture
def town(shared: Town, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    with shared.db.transaction() as tx:
        tx.execute("DELETE FROM cases")
    reader, every = shared.context.shops["uk"].reader, shared.db.heartbeat.every
    yield shared
    turn(shared, reader)
    shared.db.heartbeat.every = every
    shared.sims.faults.clear()
    shared.pass_time(LONGEST.total_seconds())
    shared.come_to_rest()


class Watched:
    """A reader that does something first, then what the true one does."""

    def __init__(self, true: Reader, first: Any) -> None:
        self.true, self.first = true, first
        self.asked: list[list[int]] = []

    def orders(self, ids: Sequence[int]) -> Mapping[int, Any]:
        self.asked.append(list(ids))
        self.first(ids)
        return self.true.orders(ids)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.true, name)


def turn(town: Town, reader: Reader) -> None:
    shop = town.context.shops["uk"]
    town.context.shops["uk"] = msgspec.structs.replace(shop, reader=reader)  # type: ignore[index]


def first(town: Town, act: Any) -> Watched:
    watched = Watched(town.context.shops["uk"].reader, act)
    turn(town, watched)  # type: ignore[arg-type]
    return watched


def rows(town: Town, query: str, *params: object) -> list[dict[str, Any]]:
    with town.db.transaction() as tx:
        return tx.fetch_all(query, params)


def orders(town: Town) -> list[int]:
    found = rows(town, "SELECT id FROM record WHERE kind = 'order' AND store = 'uk' AND body IS NOT NULL ORDER BY id")
    return [int(row["id"]) for row in found]


def ask(town: Town, ids: Sequence[int], topic: str = "repair/order") -> None:
    now = town.clock.now()
    with town.db.transaction() as tx:
        inbox.enqueue_internal(
            tx, "acme", "uk", [RefetchRequest(topic, f"order:{one}", Lane.REALTIME, now) for one in ids], now
        )


def waiting(town: Town) -> list[dict[str, Any]]:
    return rows(town, "SELECT * FROM event WHERE state = 'waiting' ORDER BY id")


def counted(town: Town, name: str) -> int:
    (row,) = rows(town, "SELECT coalesce(sum(n), 0) AS n FROM tally WHERE name = %s", name)
    return int(row["n"])


def failed(town: Town) -> int:
    (row,) = rows(town, "SELECT count(*) AS n FROM event WHERE state IN ('buried', 'parked')")
    return int(row["n"])


def codes(town: Town) -> list[tuple[str, str, str]]:
    found = rows(town, "SELECT code, store, subject FROM cases WHERE state = 'open' ORDER BY code, store, subject")
    return [(row["code"], row["store"], row["subject"]) for row in found]


# Leases --------------------------------------------------------------------------------------------------------------


def test_a_lease_is_extended_while_its_holder_waits_for_an_answer(town: Town) -> None:
    town.db.heartbeat.every = 0.02
    others: list[int] = []
    lost = counted(town, "event.lease_lost")

    def slow(_: Sequence[int]) -> None:
        for _ in range(3):  # longer than a lease in all
            town.clock.advance(LEASE.total_seconds() * 0.75)
            ends = town.clock.now() + LEASE
            until(lambda ends=ends: all(row["leased_until"] >= ends for row in waiting(town)))
        with town.db.transaction() as tx:
            claimed = inbox.claim_events(tx, "acme", tuple(Lane), town.clock.now(), 10, claim_id(), LEASE)
            others.append(len(claimed))

    first(town, slow)
    ask(town, orders(town)[:3])
    process_batch(town.db, town.context)
    assert others == [0]
    assert waiting(town) == []
    assert counted(town, "event.lease_lost") == lost


def until(is_so: Any) -> None:
    """Wait for another thread; the suite's own timeout ends what never comes true."""
    while not is_so():
        time.sleep(0.005)


def test_a_holder_whose_lease_has_ended_keeps_nothing_and_the_work_is_done_again(town: Town) -> None:
    ids = orders(town)[:2]
    before = counted(town, "event.lease_lost")
    theirs = claim_id()

    def stolen(_: Sequence[int]) -> None:
        with town.db.transaction() as tx:
            tx.execute(
                "UPDATE event SET claim = %s WHERE state = 'waiting' AND subject = %s", (theirs, f"order:{ids[0]}")
            )

    watched = first(town, stolen)
    versions = rows(town, "SELECT said_at FROM record WHERE kind = 'order' AND id = ANY(%s)", [str(one) for one in ids])
    ask(town, ids)
    process_batch(town.db, town.context)
    assert counted(town, "event.lease_lost") == before + 1
    after = rows(town, "SELECT said_at FROM record WHERE kind = 'order' AND id = ANY(%s)", [str(one) for one in ids])
    assert after == versions  # neither was taken in
    assert {row["claim"] for row in waiting(town)} == {theirs, None}

    watched.first = lambda _: None
    town.pass_time(LEASE.total_seconds() + 1)
    process_batch(town.db, town.context)
    assert waiting(town) == []
    assert failed(town) == 0


def test_what_needs_no_reading_does_not_wait_for_one(town: Town) -> None:
    read, mapped = orders(town)[:2]
    left: list[list[str]] = []
    first(town, lambda _: left.append([row["subject"] for row in waiting(town)]))
    ask(town, [read])
    ask(town, [mapped], "isthmus/remap")
    process_batch(town.db, town.context)
    assert left == [[f"order:{read}"]]


def test_a_heartbeat_goes_on_after_one_that_failed(database: Database) -> None:
    database.heartbeat.every = 0.01
    enough = threading.Event()
    beats: list[int] = []

    def beat() -> None:
        beats.append(1)
        if len(beats) > 2:
            enough.set()
        raise OSError("no")

    with database.heartbeat.during(beat):
        assert enough.wait(30)
    for _ in range(2):  # again after it slept
        enough.clear()
        beats.clear()
        with database.heartbeat.during(beat):
            assert enough.wait(30)


# Faults of the world -------------------------------------------------------------------------------------------------


def test_a_shop_that_is_right_after_twelve_seconds_is_waited_for(town: Town) -> None:
    town.sims.faults.set({"shopify.p_late": 1.0, "shopify.late_by": 12.5})
    ask(town, orders(town))
    town.come_to_rest()
    assert failed(town) == 0
    assert codes(town) == []


@pytest.mark.parametrize(
    ("knobs", "code"),
    [
        ({"shopify.p_unexplained": 1.0}, "storefront.unexplained"),
        ({"shopify.p_deep_json": 1.0}, "storefront.unavailable"),
        ({"shopify.p_drip": 1.0}, "storefront.unavailable"),
        ({"shopify.error": 1.0}, "storefront.unavailable"),
        ({"shopify.timeout": 1.0}, "storefront.unavailable"),
    ],
)
def test_a_fault_of_the_shop_is_one_case_buries_nothing_and_ends_without_a_person(
    town: Town, knobs: dict[str, float], code: str
) -> None:
    town.sims.faults.set(knobs)
    ids = orders(town)
    ask(town, ids)
    for _ in range(30):  # hours of it
        process_batch(town.db, town.context)
        now = town.clock.now()
        assert len(waiting(town)) == len(ids)
        assert max(row["due_at"] for row in waiting(town)) <= now + LONGEST
        town.pass_time(LONGEST.total_seconds() + 1)
    assert codes(town) == [(code, "uk", "")]
    town.sims.faults.clear()
    town.poll()
    town.pass_time(LONGEST.total_seconds())
    town.come_to_rest()
    assert failed(town) == 0
    assert codes(town) == []


def test_a_record_that_alone_cannot_be_read_is_given_up_with_a_case_of_its_own(town: Town) -> None:
    newest = town.context.shops["uk"].reader.newest()["order"].id
    bad, good = [one for one in orders(town) if one != newest][:2]

    def act(ids: Sequence[int]) -> None:
        if bad in ids:
            raise TransientError("storefront.unavailable", "answered 500")

    first(town, act)
    ask(town, [bad])
    rounds = 0
    while waiting(town):
        process_batch(town.db, town.context)
        town.pass_time(LONGEST.total_seconds() + 1)
        rounds += 1
    assert rounds == STUBBORN_AFTER
    assert codes(town)[-1] == ("storefront.unavailable", "uk", f"order:{bad}")
    town.poll()  # what says that the store can be read says nothing of this record
    assert codes(town) == [("storefront.unavailable", "uk", f"order:{bad}")]
    with town.db.transaction() as tx:
        tx.execute("DELETE FROM event WHERE subject = %s AND state = 'buried'", (f"order:{bad}",))
    ask(town, [good])
    process_batch(town.db, town.context)
    assert waiting(town) == []


def test_a_worker_that_stands_still_in_a_transaction_is_no_bug(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """What SIGSTOP does: the server ends the transaction (25P03), and the work is done again."""
    whole, stands_still = store_records.store_records, [True]

    def stopping(tx: Any, *more: Any) -> Any:
        if stands_still.pop() if stands_still else False:
            tx.execute("SET LOCAL idle_in_transaction_session_timeout = '30ms'")
            with Database(town.db.dsn, pool_size=1) as other:
                pid = tx.fetch_value("SELECT pg_backend_pid()")
                until(lambda: not is_there(other, pid))
        return whole(tx, *more)

    monkeypatch.setattr(store_records, "store_records", stopping)
    ids = orders(town)[:1]
    ask(town, ids)
    with pytest.raises(psycopg.Error) as raised:
        process_batch(town.db, town.context)
    assert is_retryable(raised.value)
    assert [(row["claim"], row["unanswered"]) for row in waiting(town)] == [(None, 0)]
    town.pass_time(2)
    process_batch(town.db, town.context)
    assert waiting(town) == []
    assert failed(town) == 0
    assert codes(town) == []


def is_there(db: Database, pid: int) -> bool:
    with db.transaction() as tx:
        return bool(tx.fetch_all("SELECT FROM pg_stat_activity WHERE pid = %s", (pid,)))


def test_a_database_that_refuses_for_a_while_makes_nothing_poison(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, refusals = store_records.store_records, [psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.DiskFull] * 4

    def refusing(*more: Any) -> Any:
        if refusals:
            raise refusals.pop()("no")
        return whole(*more)

    monkeypatch.setattr(store_records, "store_records", refusing)
    ask(town, orders(town)[:3])
    while refusals:
        with pytest.raises(psycopg.Error):
            process_batch(town.db, town.context)
        town.pass_time(LONGEST.total_seconds() + 1)
    process_batch(town.db, town.context)
    assert waiting(town) == []
    assert failed(town) == 0
    assert codes(town) == []
