"""The numbers are of one moment: they add up whenever they are asked for, whatever is being worked on."""

import threading

import pytest
from prometheus_client import CollectorRegistry

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Database
from isthmus.flows import duplicates, identifiers
from isthmus.inbox.sql import events as inbox
from isthmus.model.event import RefetchRequest
from isthmus.model.lane import Lane
from isthmus.model.write import RecordKind, Write
from isthmus.ops import metrics, status
from isthmus.ops.status import Classes, ConnectionStatus
from isthmus.outbox.sql import queue as outbox
from isthmus.outbox.sql.queue import DesiredWrite
from plays import Play
from scenes import Stage, Town
from sims.shopify.state import Address

KINDS = {"orders", "customers", "products", "custom_events"}


def adds_up(told: ConnectionStatus) -> bool:
    e = told.events
    return e.received == e.duplicate + e.stale + e.processed + e.skipped + e.quarantined + e.failed + e.waiting and all(
        n.known == n.applied + n.excluded + n.waiting + n.case and min(n.known, n.applied, n.waiting, n.case) >= 0
        for n in told.accounting.values()
    )


def test_every_record_and_every_event_is_counted_once_while_all_of_it_moves(database: Database) -> None:
    town = Town(database)
    over = threading.Event()
    told: list[ConnectionStatus] = []

    def ask() -> None:
        while not over.is_set():
            told.extend(status.read_status(database, town.clock.now()).connections)

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        town.load()
        for _ in range(6):
            town.sims.live(4)
            town.pass_time(3)
            town.work()
        town.come_to_rest()
    finally:
        over.set()
        asker.join()
    assert len(told) > 20
    assert len({t.events.received for t in told}) > 3  # it was asked while things moved
    assert [t for t in told if not adds_up(t)] == []

    (rest,) = status.read_status(database, town.clock.now()).connections
    assert not rest.is_waiting
    assert {lane.depth for lane in rest.lanes.values()} == {0}
    assert rest.accounting["orders"].known > 10
    with database.transaction() as tx:
        counted = tx.fetch_value("SELECT count(*) FROM record WHERE kind = 'customer' AND deleted_at IS NULL")
    assert rest.accounting["customers"].known >= counted


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


def desire(stage: Stage, *writes: Write) -> None:
    now = stage.clock.now()
    with stage.db.transaction() as tx:
        outbox.upsert_desired(
            tx,
            "acme",
            [DesiredWrite("uk", write, now) for write in writes],
            now=now,
            coalesce=stage.context.pace.coalesce,
            contact_head_start=stage.context.pace.contact_head_start,
            packer=stage.context.packer,
        )


def order(number: int) -> Write:
    return Write(RecordKind.ORDER, f"uk:{number}", b"{}", Lane.REALTIME, subject=f"order:{number}")


def orders(stage: Stage) -> Classes:
    (told,) = status.read_status(stage.db, stage.clock.now()).connections
    assert adds_up(told)
    return told.accounting["orders"]


def open_case(stage: Stage, code: str, subject: str, store: str = "") -> None:
    with stage.db.transaction() as tx:
        cases.open_or_count(tx, "acme", [Touch(code, subject, store)], stage.clock.now())


@pytest.mark.parametrize(
    ("subject", "store"), [("order:uk:1", ""), ("order:1", "uk")], ids=["as Ometria", "as the store"]
)
def test_an_open_case_takes_its_record_out_of_waiting(stage: Stage, subject: str, store: str) -> None:
    desire(stage, order(1), order(2))
    open_case(stage, "platform.differs", subject, store)
    assert orders(stage) == Classes(known=2, waiting=1, case=1)


def test_two_cases_about_one_record_count_it_once(stage: Stage) -> None:
    desire(stage, order(1))
    open_case(stage, "platform.differs", "order:uk:1")
    open_case(stage, "internal.bug", "order:1", "uk")
    assert orders(stage) == Classes(known=1, case=1)


def test_a_privacy_request_does_not_keep_a_record_from_being_right(stage: Stage) -> None:
    desire(stage, order(1))
    open_case(stage, "privacy.data_request", "order:1", "uk")
    assert orders(stage) == Classes(known=1, waiting=1)


def test_what_is_excluded_stays_excluded_whatever_case_is_open(stage: Stage) -> None:
    desire(stage, Write(RecordKind.ORDER, "uk:1", None, Lane.REALTIME, excluded="test order", subject="order:1"))
    open_case(stage, "internal.bug", "order:1", "uk")
    assert orders(stage) == Classes(known=1, excluded=1)


def test_a_record_of_which_only_a_case_tells_is_known(stage: Stage) -> None:
    open_case(stage, "storefront.unreadable_record", "order:7", "uk")
    assert orders(stage) == Classes(known=1, case=1)


def test_a_customer_who_is_still_to_be_read_waits(stage: Stage) -> None:
    now = stage.clock.now()
    with stage.db.transaction() as tx:
        tx.execute(
            """INSERT INTO record (connection, kind, store, id, updated_at, changed_at)
               VALUES ('acme', 'customer', 'uk', '5', %(now)s, %(now)s),
                      ('acme', 'customer', 'uk', '6', %(now)s, %(now)s)""",
            {"now": now},
        )
    desire(stage, Write(RecordKind.CONTACT, "uk:6", b"{}", Lane.REALTIME, subject="customer:6"))
    open_case(stage, "storefront.unreadable_record", "customer:5", "uk")
    (told,) = status.read_status(stage.db, now).connections
    assert told.accounting["customers"] == Classes(known=2, waiting=1, case=1)


def test_depth_and_age_count_what_was_told_and_what_is_to_be_sent(stage: Stage) -> None:
    now = stage.clock.now()
    with stage.db.transaction() as tx:
        inbox.enqueue_internal(tx, "acme", "uk", [RefetchRequest("poll/order", "order:9", Lane.REPAIR, now)], now)
    stage.pass_time(3)
    desire(stage, order(1))
    stage.pass_time(2)
    (told,) = status.read_status(stage.db, stage.clock.now()).connections
    assert (told.lanes["repair"].depth, told.lanes["repair"].oldest_seconds) == (1, 5.0)
    assert (told.lanes["realtime"].depth, told.lanes["realtime"].oldest_seconds) == (1, 2.0)
    assert told.lanes["backfill"].depth == 0


def test_the_public_form_is_what_programs_rely_on(stage: Stage) -> None:
    told = status.status_as_json(status.read_status(stage.db, stage.clock.now()))
    (acme,) = told["connections"]
    assert list(acme) == ["name", "paused", "paused_lanes", "accounting", "lanes", "events", "pushes", "cases"]
    assert set(acme["accounting"]) == KINDS
    assert set(acme["accounting"]["orders"]) == {"known", "applied", "excluded", "waiting", "case"}
    assert list(acme["lanes"]) == ["realtime", "enrichment", "repair", "backfill"]
    assert set(acme["lanes"]["realtime"]) == {"depth", "oldest_seconds", "p50_seconds", "p99_seconds"}
    assert list(acme["cases"]["by_cause"]) == ["storefront", "integration", "platform"]


def test_metrics_tell_the_same_numbers(stage: Stage) -> None:
    desire(stage, order(1))
    open_case(stage, "platform.differs", "order:uk:1")
    registry = CollectorRegistry()
    metrics.register_status(lambda: status.read_status(stage.db, stage.clock.now()), registry)
    labels = {"connection": "acme", "kind": "orders", "class": "case"}
    assert registry.get_sample_value("isthmus_records", labels) == 1
    assert registry.get_sample_value("isthmus_connection_live", {"connection": "acme"}) == 1
    assert registry.get_sample_value("isthmus_lane_depth", {"connection": "acme", "lane": "realtime"}) == 1


def test_a_number_that_thirty_customers_gave_as_their_addresses_holds_no_record_up(database: Database) -> None:
    play = Play(database)
    for n in range(30):
        address = Address(
            play.world.next_id(),
            None,
            None,
            f"{n} High Street",
            "Leeds",
            f"LS{n} 1AA",
            "United Kingdom",
            "GB",
            phone="+44 20 7946 0999",
        )
        play.person(
            f"p{n}@example.com",
            first_name=f"Given{n}",
            last_name=f"Family{n}",
            addresses=[address],
            default_address=address,
        )
    play.come_to_rest()
    duplicates.find_duplicates(play.db, play.context)
    identifiers.remap_resolved_conflicts(play.db, play.context)
    play.come_to_rest()
    warned = play.cases("identity.shared_phone")
    assert len(warned) > 10
    (told,) = status.read_status(database, play.now).connections
    assert told.accounting["customers"] == Classes(known=30, applied=30)
    assert told.cases.open == len(warned)
