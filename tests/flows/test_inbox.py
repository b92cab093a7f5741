"""The inbox on a real database: kept once, claimed by lease, settled only by its holder, and always accounted for."""

import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from isthmus.db.pool import Database, Tx
from isthmus.db.sql import read_counters
from isthmus.inbox.sql import events as inbox
from isthmus.inbox.sql import partitions as days
from isthmus.model.event import Delivery, Event, EventOutcome, EventState, RefetchRequest
from isthmus.model.lane import Lane

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LEASE = timedelta(seconds=12)
ENDS = ("duplicate", "stale", "applied", "skipped", "parked", "buried")


def told(webhook_id: str, *, connection: str = "acme", lane: Lane = Lane.REALTIME, body: bytes = b"{}") -> Delivery:
    return Delivery(connection, "uk", "orders/create", lane, webhook_id, body, "action", NOW)


def ingest(db: Database, deliveries: list[Delivery], at: datetime) -> list[bool]:
    with db.transaction() as tx:
        return inbox.insert_deliveries(tx, deliveries, at)


def reading(subject: str, *, lane: Lane = Lane.REPAIR, at: datetime = NOW, topic: str = "poll/order") -> RefetchRequest:
    return RefetchRequest(topic, subject, lane, at)


def take(db: Database, *, at: datetime = NOW, lanes: tuple[Lane, ...] = tuple(Lane), limit: int = 100) -> list[Event]:
    return taken(db, at=at, lanes=lanes, limit=limit)[1]


def taken(
    db: Database, *, at: datetime = NOW, lanes: tuple[Lane, ...] = tuple(Lane), limit: int = 100
) -> tuple[uuid.UUID, list[Event]]:
    claim = uuid.uuid4()
    with db.transaction() as tx:
        return claim, inbox.claim_events(tx, "acme", lanes, at, limit, claim, LEASE)


def tell(db: Database, *hints: RefetchRequest, at: datetime = NOW) -> int:
    with db.transaction() as tx:
        return inbox.enqueue_internal(tx, "acme", "uk", hints, at)


def balance(tx: Tx, connection: str = "acme") -> dict[str, int]:
    """The books of a connection, checked to add up."""
    counted = read_counters(tx, connection)
    waiting = inbox.count_waiting(tx, connection)
    assert counted.get("event.received", 0) == sum(counted.get(f"event.{end}", 0) for end in ENDS) + waiting
    return {name.removeprefix("event."): n for name, n in counted.items() if n} | {"waiting": waiting}


@pytest.fixture
def books(database: Database):
    """Check after the test that everything received is accounted for."""
    yield
    with database.transaction() as tx:
        balance(tx)


pytestmark = pytest.mark.usefixtures("books")


def test_a_delivery_comes_out_as_it_went_in(database: Database) -> None:
    body = b"\xff\xfe not even text \x00" * 100
    assert ingest(database, [told("w1", body=body)], NOW) == [True]
    (event,) = take(database)
    assert (event.store, event.topic, event.lane, event.body) == ("uk", "orders/create", Lane.REALTIME, body)
    assert (event.webhook_id, event.action_id, event.received_at, event.triggered_at) == ("w1", "action", NOW, NOW)
    assert (event.attempts, event.subject) == (1, None)


def test_f25_the_same_delivery_is_one_event_in_one_flush_and_over_many(database: Database) -> None:
    assert ingest(database, [told("w1"), told("w2"), told("w1")], NOW) == [True, True, False]
    assert ingest(database, [told("w3"), told("w2")], NOW) == [True, False]
    assert len(take(database)) == 3
    with database.transaction() as tx:
        assert balance(tx) == {"received": 5, "duplicate": 2, "waiting": 3}


def test_f25_flushes_with_the_same_deliveries_in_opposite_order_neither_block_nor_double(database: Database) -> None:
    forward = [told(f"w{n}") for n in range(200)]
    fresh: list[bool] = []

    def flush(deliveries: list[Delivery]) -> None:
        for start in range(0, 200, 20):
            fresh.extend(ingest(database, deliveries[start : start + 20], NOW))

    threads = [threading.Thread(target=flush, args=(order,)) for order in (forward, forward[::-1], forward)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(fresh), sum(fresh)) == (600, 200)
    with database.transaction() as tx:
        assert balance(tx) == {"received": 600, "duplicate": 400, "waiting": 200}


def test_one_shop_that_feeds_two_connections_makes_an_event_for_each(database: Database) -> None:
    assert ingest(database, [told("w1"), told("w1", connection="staging")], NOW) == [True, True]
    with database.transaction() as tx:
        assert balance(tx, "acme") == balance(tx, "staging") == {"received": 1, "waiting": 1}


def test_f27_a_delivery_is_still_known_days_after_its_event_is_gone(database: Database) -> None:
    ingest(database, [told("w1")], NOW)
    claim, (event,) = taken(database)
    with database.transaction() as tx:
        inbox.settle_events(tx, "acme", claim, [EventOutcome(event.id, EventState.APPLIED)], NOW)
    with database.transaction() as tx:
        assert days.prune_events(tx, NOW + timedelta(days=6), timedelta(days=1)) == 1
    assert ingest(database, [told("w1")], NOW + timedelta(days=6)) == [False]
    with database.transaction() as tx:
        assert days.prune_events(tx, NOW + timedelta(days=8), timedelta(days=1)) == 1
        assert balance(tx) == {"received": 2, "duplicate": 1, "applied": 1, "waiting": 0}


def test_a_claim_takes_the_best_lane_first_and_what_is_longest_due(database: Database) -> None:
    ingest(database, [told("slow", lane=Lane.BACKFILL)], NOW)
    ingest(database, [told("second")], NOW + timedelta(seconds=1))
    ingest(database, [told("first")], NOW)
    at = NOW + timedelta(seconds=2)
    assert [event.webhook_id for event in take(database, at=at, limit=2)] == ["first", "second"]
    assert take(database, at=at, lanes=(Lane.REALTIME,)) == []
    assert [event.webhook_id for event in take(database, at=at)] == ["slow"]


def test_two_claims_at_once_never_share_an_event(database: Database) -> None:
    ingest(database, [told(f"w{n}") for n in range(10)], NOW)
    with Database(database.dsn, pool_size=1) as other, database.transaction() as one, other.transaction() as two:
        first = inbox.claim_events(one, "acme", Lane, NOW, 4, uuid.uuid4(), LEASE)
        second = inbox.claim_events(two, "acme", Lane, NOW, 10, uuid.uuid4(), LEASE)
    assert (len(first), len(second)) == (4, 6)
    assert len({event.id for event in (*first, *second)}) == 10


def test_an_ended_lease_is_due_again_and_its_first_holder_may_not_settle(database: Database) -> None:
    ingest(database, [told("w1")], NOW)
    late, (event,) = taken(database)
    assert take(database, at=NOW + LEASE - timedelta(seconds=1)) == []
    prompt, (again,) = taken(database, at=NOW + LEASE)
    assert (again.id, again.attempts) == (event.id, 2)
    with database.transaction() as tx:
        assert inbox.settle_events(tx, "acme", late, [EventOutcome(event.id, EventState.BURIED)], NOW) == 0
        assert inbox.defer_events(tx, "acme", late, [event.id], NOW) == 0
        assert inbox.settle_events(tx, "acme", prompt, [EventOutcome(event.id, EventState.STALE)], NOW) == 1
        assert inbox.settle_events(tx, "acme", prompt, [EventOutcome(event.id, EventState.STALE)], NOW) == 0
        assert balance(tx) == {"received": 1, "stale": 1, "waiting": 0}


def test_a_postponed_event_comes_back_when_it_is_due(database: Database) -> None:
    ingest(database, [told("w1")], NOW)
    claim, (event,) = taken(database)
    later = NOW + timedelta(seconds=10)
    with database.transaction() as tx:
        assert inbox.defer_events(tx, "acme", claim, [event.id], later, "waits for its record") == 1
    assert take(database, at=later - timedelta(seconds=1)) == []
    assert [event.attempts for event in take(database, at=later)] == [2]


def test_an_event_that_only_waited_still_has_all_its_attempts(database: Database) -> None:
    ingest(database, [told("w1")], NOW)
    for _ in range(9):
        claim, (event,) = taken(database)
        assert event.attempts == 1
        with database.transaction() as tx:
            inbox.defer_events(tx, "acme", claim, [event.id], NOW, "waits for its record", is_attempt=False)


def test_the_row_that_kills_its_process_is_found_without_blaming_its_neighbours(database: Database) -> None:
    ingest(database, [told("good"), told("bad"), told("late")], NOW)
    at = NOW
    for crash in range(inbox.POISON_AFTER):
        claim, events = taken(database, at=at)
        while "bad" not in (event.webhook_id for event in events):
            with database.transaction() as tx:
                inbox.settle_events(
                    tx, "acme", claim, [EventOutcome(event.id, EventState.APPLIED) for event in events], at
                )
            claim, events = taken(database, at=at)
        assert len(events) == (3 if crash < inbox.ALONE_AFTER else 1)
        at += LEASE
    assert all(event.webhook_id != "bad" for event in take(database, at=at))
    claim = uuid.uuid4()
    with database.transaction() as tx:
        (found,) = inbox.claim_poisoned(tx, "acme", at, 10, claim, LEASE)
        assert found.webhook_id == "bad"
        assert inbox.settle_events(tx, "acme", claim, [EventOutcome(found.id, EventState.BURIED, "poison")], at) == 1


def test_orderly_retries_are_no_sign_of_poison(database: Database) -> None:
    ingest(database, [told("w1")], NOW)
    for _ in range(inbox.POISON_AFTER + 2):
        claim, (event,) = taken(database)
        with database.transaction() as tx:
            inbox.defer_events(tx, "acme", claim, [event.id], NOW)
            assert inbox.claim_poisoned(tx, "acme", NOW + LEASE, 10, uuid.uuid4(), LEASE) == []
    assert event.attempts == inbox.POISON_AFTER + 2


def test_a_hint_that_waits_already_is_not_stored_twice(database: Database) -> None:
    assert tell(database, reading("order:1"), reading("order:1"), reading("order:2")) == 2
    assert tell(database, reading("order:1", topic="load/order", lane=Lane.BACKFILL)) == 0
    with database.transaction() as tx:
        assert balance(tx) == {"received": 4, "duplicate": 2, "waiting": 2}


def test_a_hint_in_a_better_lane_or_of_another_meaning_is_its_own(database: Database) -> None:
    assert tell(database, reading("order:1")) == 1
    assert tell(database, reading("order:1", lane=Lane.REALTIME)) == 1
    assert tell(database, reading("order:1", topic="isthmus/remap")) == 1
    assert tell(database, RefetchRequest("poll/order", "order:1", Lane.REPAIR, NOW, b"{}")) == 1


def test_a_hint_never_counts_on_one_that_is_being_worked_on(database: Database) -> None:
    tell(database, reading("order:1"))
    assert len(take(database)) == 1
    assert tell(database, reading("order:1")) == 1


def test_a_hint_that_carries_its_record_does_not_stand_for_a_reading(database: Database) -> None:
    tell(database, RefetchRequest("poll/order", "order:1", Lane.REPAIR, NOW, b'{"id": 1}'))
    assert tell(database, reading("order:1")) == 1
    assert [event.body for event in take(database)] == [b'{"id": 1}', None]


def test_a_sooner_hint_pulls_the_waiting_one_forward(database: Database) -> None:
    tell(database, reading("order:1", at=NOW + timedelta(seconds=10)))
    assert take(database) == []
    assert tell(database, reading("order:1", at=NOW)) == 0
    assert [event.subject for event in take(database)] == ["order:1"]


def test_thousands_of_hints_are_told_at_once_and_numbered_apart(database: Database) -> None:
    assert tell(database, *(reading(f"order:{n}") for n in range(2500))) == 2500
    assert tell(database, *(reading(f"order:{n}") for n in range(2400, 2600))) == 100
    assert len({event.id for event in take(database, limit=5000)}) == 2600


def test_the_sweep_sees_what_is_due_and_nothing_that_is_leased(database: Database) -> None:
    ingest(database, [told("w1"), told("w2", lane=Lane.BACKFILL)], NOW)
    with database.transaction() as tx:
        assert [lane for lane in Lane if inbox.is_lane_due(tx, "acme", lane, NOW)] == [Lane.REALTIME, Lane.BACKFILL]
    take(database, lanes=(Lane.REALTIME,))
    with database.transaction() as tx:
        assert not inbox.is_lane_due(tx, "acme", Lane.REALTIME, NOW)
        assert inbox.is_lane_due(tx, "acme", Lane.BACKFILL, NOW)
        assert inbox.is_lane_due(tx, "acme", Lane.REALTIME, NOW + LEASE)


def test_an_event_is_found_by_its_person_and_forgotten(database: Database) -> None:
    ingest(database, [told("w1", body=b"ann"), told("w2", body=b"bob")], NOW)
    claim, events = taken(database)
    ingest(database, [told("w3", body=b"later ann")], NOW)
    ends = [EventOutcome(event.id, EventState.APPLIED, None, "order:1", (event.body or b"", b"x")) for event in events]
    with database.transaction() as tx:
        assert inbox.settle_events(tx, "acme", claim, ends, NOW) == 2
        (found,) = inbox.events_of_people(tx, "acme", [b"ann"])
        assert (found.body, found.subject) == (b"ann", "order:1")
        assert len(inbox.events_of_people(tx, "acme", [b"x", b"ann"])) == 2
    (waits,) = take(database)
    with database.transaction() as tx:
        assert days.delete_bodies(tx, "acme", [found.id, waits.id], "privacy.erased", NOW) == 2
        assert inbox.events_of_people(tx, "acme", [b"ann"]) == []
        assert balance(tx) == {"received": 3, "applied": 2, "skipped": 1, "waiting": 0}


def test_an_ended_event_can_wait_again_and_the_books_still_add_up(database: Database) -> None:
    ingest(database, [told("w1")], NOW)
    claim, (event,) = taken(database)
    with database.transaction() as tx:
        inbox.settle_events(tx, "acme", claim, [EventOutcome(event.id, EventState.PARKED, "odd")], NOW)
        assert balance(tx) == {"received": 1, "parked": 1, "waiting": 0}
        assert inbox.reopen_events(tx, "acme", [event.id], Lane.REPAIR, NOW) == 1
        assert balance(tx) == {"received": 1, "waiting": 1}
    (again,) = take(database)
    assert (again.lane, again.attempts, again.body) == (Lane.REPAIR, 1, b"{}")


def test_days_are_made_ahead_and_dropped_whole(database: Database) -> None:
    with database.transaction() as tx:
        made = days.create_partitions(tx, NOW)
        assert [name for name in made if "body" in name] == [f"event_body_202611{day}" for day in (20, 21, 22)]
        assert days.create_partitions(tx, NOW) == []
    ingest(database, [told("w1")], NOW)
    with database.transaction() as tx:
        assert tx.fetch_value("SELECT count(*) FROM event_body_20261120") == 1
        assert days.drop_partitions(tx, NOW.date()) == []
        assert days.drop_partitions(tx, NOW.date() + timedelta(days=1)) == [
            "event_body_20261120",
            "event_person_20261120",
        ]
    assert [event.body for event in take(database)] == [None]


def test_rows_of_a_day_that_was_not_made_in_time_stay_and_are_deleted_in_their_turn(database: Database) -> None:
    ingest(database, [told("w1")], NOW)
    with database.transaction() as tx:
        made = days.create_partitions(tx, NOW)
        assert "event_body_20261120" not in made
        days.drop_partitions(tx, NOW.date() + timedelta(days=1))
    assert [event.body for event in take(database)] == [None]
