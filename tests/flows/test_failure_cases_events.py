"""Failures that others had with events and deliveries, by their numbers in docs/reference/failure-cases.md."""

from datetime import timedelta

import msgspec
import pytest

from isthmus.cases.sql import cases
from isthmus.db.pool import Database
from isthmus.flows.context import ShopContext
from isthmus.flows.deliver import push_next_batch
from isthmus.flows.process import process_batch
from isthmus.inbox.sql import events as inbox
from isthmus.model.event import Delivery, RefetchRequest
from isthmus.model.lane import Lane
from isthmus.ops import status
from plays import Play
from sims.shopify.deeds import catalogue, people, refunding


@pytest.fixture
def play(database: Database) -> Play:
    return Play(database)


def test_f23_a_webhook_that_was_never_sent_is_only_late(play: Play) -> None:
    """F23: the poll finds what no delivery told."""
    who = play.person(is_told=False)
    placed = play.orders(who, is_told=False)
    play.pass_time(60)
    play.poll()
    play.come_to_rest()
    assert play.order(placed)["id"] == f"uk:{placed.id}"
    assert play.compare().differences == ()


def test_f24_a_delivery_a_day_late_changes_the_state_and_fires_nothing(play: Play) -> None:
    """F24: a state converges however late; a moment older than its most is recorded, never fired."""
    placed = play.orders(play.person())
    play.come_to_rest()
    events = refunding.cancel(play.world, play.uk, placed, "CUSTOMER", play.now)
    play.sims.faults.set({"shopify.p_delay": 0.0})
    play.pass_time(timedelta(hours=25).total_seconds())
    play.do(events)
    play.come_to_rest()
    assert play.order(placed)["status"] == "cancelled"
    assert play.pushed("custom_event") == []
    told = play.rows("SELECT DISTINCT state, excluded FROM outbox WHERE kind = 'moment'")
    assert told == [{"state": "excluded", "excluded": "older than 1d"}]


@pytest.mark.parametrize("days", [1, 6])
def test_f27_an_old_delivery_again_triggers_nothing(play: Play, days: int) -> None:
    """F27: the same webhook id days later is a duplicate; under a new id its body is an old version."""
    placed = play.orders(play.person(), is_paid=False)
    play.come_to_rest()
    (old,) = play.rows("SELECT id, webhook_id FROM event WHERE topic = 'orders/create'")
    (kept,) = play.rows("SELECT body FROM event_body WHERE event_id = %s", old["id"])
    body = play.context.packer.unpack(kept["body"])
    play.pass_time(timedelta(days=days).total_seconds())
    mark = play.mark()
    play.tell("orders/create", body, webhook_id=old["webhook_id"])
    play.tell("orders/create", body, webhook_id="another id")
    play.come_to_rest()
    assert play.pushed("order", mark) == []
    assert play.pushed("custom_event", mark) == []
    assert len(play.rows("SELECT id FROM event WHERE webhook_id = %s", old["webhook_id"])) == 1
    assert play.order(placed)["status"] == "pending"


def test_f39_realtime_goes_first_when_the_platform_says_slow_down(play: Play) -> None:
    """F39: after a 429 nothing is lost, no record is blamed, and what is urgent leaves before history."""
    for n in range(12):
        play.person(f"old{n}@example.com", is_told=False)
    play.load_history()
    placed = play.orders(play.person("now@example.com"))
    play.hear()
    play.pass_time(4)
    play.sims.faults.set({"ometria.p429": 1.0})
    assert push_next_batch(play.db, play.context).n_accepted == 0
    play.sims.faults.set({"ometria.p429": 0.0})
    play.come_to_rest()
    assert play.order(placed)["id"] == f"uk:{placed.id}"
    assert play.rows("SELECT id FROM outbox WHERE state = 'buried'") == []
    assert play.compare().differences == ()


def test_f43_a_store_that_shuts_us_out_is_one_case_and_nothing_is_lost(play: Play) -> None:
    """F43: what needs no reading goes on, the rest waits, and all of it is there when access is back."""
    who = play.person("ada@example.com")
    play.come_to_rest()
    play.sims.faults.set({"shopify.shop_status": 402})
    for n in range(5):
        play.do(people.rename(play.world, play.uk, who, f"Ada {n}", "King", play.now))
        play.person(f"x{n}@example.com", "SUBSCRIBED")
    placed = play.orders(who)
    play.hear()
    play.pass_time(70)
    play.hear()
    shut = play.rows("SELECT code FROM cases WHERE state = 'open'")
    assert [case["code"] for case in shut] == ["storefront.shop_closed"]
    play.pass_time(5)
    play.push()
    assert play.order_was_pushed(placed)
    assert play.rows("SELECT id FROM event WHERE state IN ('buried', 'parked')") == []
    play.sims.faults.set({"shopify.shop_status": 0})
    play.pass_time(70)
    play.come_to_rest()
    assert play.compare().differences == ()


def test_f79_a_live_update_during_the_load_wins(play: Play) -> None:
    """F79: the newest version wins whichever lane it came by."""
    placed = play.orders(play.person(), is_told=False)
    play.load_history()  # listed, and not read yet
    with play.world.lock:
        events = refunding.cancel(play.world, play.uk, placed, "CUSTOMER", play.now)
    play.do(events)
    play.come_to_rest()
    assert play.order(placed)["status"] == "cancelled"
    assert len({order["status"] for order in play.pushed("order")}) == 1


def test_f83_a_deleted_product_is_retired_and_its_orders_still_name_it(play: Play) -> None:
    """F83: inactive, not gone; what was sold stays sold as it was."""
    sold = play.shelf()[0]
    placed = play.orders(play.person(), goods=[(sold, 1)])
    play.come_to_rest()
    before = play.order(placed)["lineitems"]
    play.do(catalogue.leave(play.uk, play.uk.products[sold.product_id]))
    play.come_to_rest()
    found = play.context.platform.product(f"uk:{sold.product_id}")
    assert found is not None
    assert found["is_active"] is False
    play.do(refunding.cancel(play.world, play.uk, placed, "CUSTOMER", play.now))
    play.come_to_rest()
    assert [line["product_id"] for line in play.order(placed)["lineitems"]] == [line["product_id"] for line in before]


def test_f85_tags_are_a_set_and_one_that_is_removed_goes(play: Play) -> None:
    """F85: order, case of spelling and repeats change nothing."""
    who = play.person("ada@example.com", tags=["VIP", "wholesale"])
    play.come_to_rest()
    assert set(play.contact(who)["properties"]["tags"].split(",")) == {"VIP", "wholesale"}
    mark = play.mark()
    play.do(people.tag(play.world, play.uk, who, ["wholesale ", "VIP", "VIP"], play.now))
    play.come_to_rest()
    assert play.pushed("contact", mark) == []
    play.do(people.tag(play.world, play.uk, who, ["wholesale"], play.now))
    play.come_to_rest()
    assert play.contact(who)["properties"]["tags"] == "wholesale"


def test_f91_a_failure_that_passes_is_tried_for_as_long_as_it_lasts_and_is_a_case(play: Play) -> None:
    """F91: no silent endless retry: it is shown, and ends by itself."""
    who = play.person("ada@example.com", is_told=False)
    play.sims.faults.set({"shopify.error": 1.0})
    with play.db.transaction() as tx:
        inbox.enqueue_internal(
            tx, "acme", "uk", [RefetchRequest("repair/customer", f"customer:{who.id}", Lane.REPAIR, play.now)], play.now
        )
    for _ in range(50):
        while process_batch(play.db, play.context).n_claimed:
            pass
        play.pass_time(300)
    (event,) = play.rows("SELECT state, reason, attempts FROM event WHERE topic = 'repair/customer'")
    assert (event["state"], event["reason"]) == ("waiting", "storefront.unavailable")
    assert event["attempts"] > 20
    (case,) = play.cases("storefront.unavailable")
    assert (case["subject"], case["owner"] != "", case["cause"]) == ("", True, "storefront")
    play.sims.faults.clear()
    play.poll()
    play.pass_time(300)
    play.come_to_rest()
    (event,) = play.rows("SELECT state FROM event WHERE topic = 'repair/customer'")
    assert event["state"] in ("applied", "stale")  # whichever reading came first
    assert play.contact(who)["id"] == f"uk:{who.id}"
    assert play.cases("storefront.unavailable") == []


def test_f92_one_cause_is_one_line_with_a_count_and_a_sample(play: Play) -> None:
    """F92: many errors of one kind are one group, and one replay."""
    for n in range(300):
        play.tell("orders/create", b'{"id": "no order"}', webhook_id=f"w{n}")
    play.hear()
    with play.db.transaction() as tx:
        (group,) = cases.group_by_code(tx, "acme")
    assert (group.code, group.times) == ("storefront.unreadable_body", 300)
    assert group.sample_subject.startswith("event:")


# Two connections ------------------------------------------------------------------------------------------------------


class Second:
    """A second connection, `staging`, fed by the same shop."""

    def __init__(self, play: Play) -> None:
        self.play = play
        with play.db.transaction() as tx:
            tx.execute(
                """INSERT INTO connection (connection, config, mode, connected_at, live_since)
                   VALUES ('staging', '{}', 'live', %s, %s)""",
                (play.now, play.live_since),
            )
            tx.execute("INSERT INTO store VALUES ('staging', 'shop', %s)", (play.uk.shop.domain,))
        uk = play.context.shops["uk"]
        rules = msgspec.structs.replace(uk.rules, store="shop", namespace="st:")
        self.context = msgspec.structs.replace(
            play.context, connection="staging", shops={"shop": ShopContext("shop", rules, uk.reader)}
        )

    def tell(self, bodies: list[tuple[str, bytes]]) -> None:
        told = [
            Delivery("staging", "shop", topic, Lane.REALTIME, f"s{n}", body) for n, (topic, body) in enumerate(bodies)
        ]
        with self.play.db.transaction() as tx:
            for first in range(0, len(told), 500):
                inbox.insert_deliveries(tx, told[first : first + 500], self.play.now)


def bodies(play: Play, topic: str) -> list[bytes]:
    found = play.rows(
        "SELECT body FROM event_body JOIN event ON id = event_id WHERE topic = %s AND event.connection = 'acme'", topic
    )
    return [play.context.packer.unpack(row["body"]) for row in found]


def test_one_shop_feeds_two_connections_each_with_its_own_event_and_record(play: Play) -> None:
    """SEMANTICS: a staging account beside the live one; neither knows of the other."""
    second = Second(play)
    placed = play.orders(play.person())
    play.hear()
    (body,) = bodies(play, "orders/create")
    second.tell([("orders/create", body)])
    while process_batch(play.db, second.context).n_claimed:
        pass
    found = play.rows("SELECT connection, store, id FROM outbox WHERE kind = 'order' ORDER BY connection")
    assert [(row["connection"], row["id"]) for row in found] == [
        ("acme", f"uk:{placed.id}"),
        ("staging", f"st:{placed.id}"),
    ]
    records = play.rows("SELECT connection, store FROM record WHERE kind = 'order' ORDER BY connection")
    assert [(row["connection"], row["store"]) for row in records] == [("acme", "uk"), ("staging", "shop")]
    play.tell("orders/create", b"{", webhook_id="bad")
    play.hear()
    told = {row["connection"] for row in play.rows("SELECT connection FROM cases")}
    assert told == {"acme"}


def test_f96_a_flood_of_one_connection_leaves_the_others_freshness_alone(play: Play) -> None:
    """F96: each connection drains and is paced by itself."""
    second = Second(play)
    old = play.orders(play.person())
    play.come_to_rest()
    (body,) = bodies(play, "orders/create")
    number = str(old.id).encode()
    second.tell([("orders/create", body.replace(number, str(old.id + n).encode())) for n in range(1, 2_000)])
    process_batch(play.db, second.context)  # the flood has begun to be worked on
    began = play.now
    placed = play.orders(play.person("b@example.com"))
    play.hear()
    for _ in range(10):
        play.push()
        if play.order_was_pushed(placed):
            break
        play.pass_time(1)
    assert play.order_was_pushed(placed)
    assert play.now - began < timedelta(seconds=10)
    told = {one.name: one for one in status.read_status(play.db, play.now).connections}
    assert told["acme"].events.waiting <= 1  # a consent to be confirmed at most
    assert told["staging"].events.waiting > 1_000


def test_f37_every_push_is_of_one_type_and_within_its_limits(play: Play) -> None:
    """F37: never orders beside contacts, at most 100 records, each at most 60 KB."""
    for n in range(110):
        play.person(f"many{n}@example.com", is_told=False)
    for n in range(3):
        play.orders(play.person(f"some{n}@example.com", is_told=False), is_told=False)
    play.load_history()
    play.come_to_rest()
    pushes = [e["body"] for e in play.sims.tape.read(limit=200_000) if e["path"].endswith("/push")]
    assert pushes
    for records in pushes:
        assert len({record["@type"] for record in records} - {"variant"}) <= 1
        assert len(records) <= 100
        assert all(len(msgspec.json.encode(record)) <= 60_000 for record in records)
    assert max(map(len, pushes)) == 100


def test_f60_a_rebill_is_an_order_that_says_where_it_came_from(play: Play) -> None:
    """F60: counted, told apart by its source and tags; what a first order is, Ometria's automations decide."""
    placed = play.orders(play.person(), source_name="294517", tags=["Subscription Recurring Order"])
    play.come_to_rest()
    said = play.desired("order", f"uk:{placed.id}")
    assert said["is_valid"] is True
    assert said["properties"]["tags"] == "Subscription Recurring Order"
