"""Whoever has trouble with an order is held at once, in all their contacts, and let go when it is over."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from isthmus.customer_metrics.sql import service_hold as holds
from isthmus.db.pool import Database
from isthmus.flows import service_hold
from isthmus.flows.process import process_batch
from isthmus.model.lane import Lane
from plays import Play
from sims.shopify.deeds import paying, people, placing, refunding, returning, sending
from sims.shopify.deeds.refunding import Giving
from sims.shopify.state import Customer, MoneyBag, Order

DAY = 86_400.0


@pytest.fixture
def play(database: Database) -> Play:
    return Play(database)


def held(play: Play, who: Customer, namespace: str = "uk:") -> tuple[str, datetime] | None:
    """What Ometria says of them."""
    said: Mapping[str, Any] = play.contact(who, namespace)["properties"]
    if (reason := said.get("service_hold")) is None:
        assert said.get("service_hold_until") is None
        return None
    return reason, datetime.fromisoformat(said["service_hold_until"])


def cancel(play: Play, order: Order, *, is_told: bool = True) -> None:
    play.do(refunding.cancel(play.world, play.uk, order, "CUSTOMER", play.now), is_told=is_told)


def goodwill(play: Play, order: Order) -> None:
    five = MoneyBag(Decimal("5.00"), Decimal("5.00"))
    play.do(refunding.refund(play.world, play.uk, order, Giving(goodwill=five), play.now))


def sent(play: Play, order: Order) -> None:
    play.do(sending.send(play.world, play.uk, order, sending.everything(order), play.now))


def says(play: Play, order: Order, word: str) -> None:
    """The carrier reports."""
    play.do(sending.report(play.world, play.uk, order, order.fulfillments[-1], word, play.now))


# What holds ----------------------------------------------------------------------------------------------------------


def test_a_cancellation_holds_for_a_week_and_no_longer(play: Play) -> None:
    ada = play.person()
    cancelled = play.orders(ada)
    play.come_to_rest()
    assert held(play, ada) is None
    cancel(play, cancelled)
    play.come_to_rest()
    assert cancelled.cancelled_at is not None
    until = (cancelled.cancelled_at + timedelta(days=7)).replace(microsecond=0)
    assert held(play, ada) == ("cancelled", until)
    play.pass_time((until - play.now).total_seconds() - 5)
    play.come_to_rest()
    assert held(play, ada) is not None or play.now >= until
    play.pass_time(30)
    play.come_to_rest()
    assert held(play, ada) is None
    assert play.rows("SELECT * FROM hold") == []


def test_a_refund_holds(play: Play) -> None:
    ada = play.person()
    placed = play.orders(ada)
    goodwill(play, placed)
    play.come_to_rest()
    assert held(play, ada) == ("refund", (placed.refunds[0].created_at + timedelta(days=7)).replace(microsecond=0))


def test_a_return_holds_until_it_is_closed(play: Play) -> None:
    ada = play.person()
    placed = play.orders(ada)
    sent(play, placed)
    line = placed.lines[0]
    play.do(returning.request(play.world, play.uk, placed, {line.id: 1}, "UNWANTED", play.now))
    play.come_to_rest()
    assert (held(play, ada) or ("",))[0] == "return"
    play.do(returning.approve(play.world, play.uk, placed, placed.returns[0], play.now))
    play.come_to_rest()
    assert (held(play, ada) or ("",))[0] == "return"
    play.do(returning.close(play.world, play.uk, placed, placed.returns[0], play.now))
    play.come_to_rest()
    assert held(play, ada) is None


def test_a_return_of_an_order_that_was_first_heard_of_later_holds_too(play: Play) -> None:
    """While a load is under way an update overtakes the order's own line, and its body does not tell of returns."""
    ada = play.person()
    placed = play.orders(ada, is_told=False)
    play.do(sending.send(play.world, play.uk, placed, sending.everything(placed), play.now), is_told=False)
    play.do(
        returning.request(play.world, play.uk, placed, {placed.lines[0].id: 1}, "UNWANTED", play.now), is_told=False
    )
    play.pass_time(60)
    play.do(paying.changed(play.world, play.uk, placed, play.now))
    play.come_to_rest()
    assert (held(play, ada) or ("",))[0] == "return"


@pytest.mark.parametrize("end", [returning.decline, None])
def test_a_declined_return_ends_it_and_a_forgotten_one_its_time(play: Play, end: Any) -> None:
    ada = play.person()
    placed = play.orders(ada)
    sent(play, placed)
    play.do(returning.request(play.world, play.uk, placed, {placed.lines[0].id: 1}, "UNWANTED", play.now))
    play.come_to_rest()
    assert held(play, ada) is not None
    if end is not None:
        play.do(end(play.world, play.uk, placed, placed.returns[0], play.now))
    else:
        play.pass_time(30 * DAY)
    play.come_to_rest()
    assert held(play, ada) is None


@pytest.mark.parametrize("word", ["DELAYED", "FAILURE"])
def test_a_parcel_in_trouble_holds_until_it_arrives(play: Play, word: str) -> None:
    ada = play.person()
    placed = play.orders(ada)
    sent(play, placed)
    says(play, placed, word)
    play.come_to_rest()
    assert (held(play, ada) or ("",))[0] == "fulfilment"
    says(play, placed, "DELIVERED")
    play.come_to_rest()
    assert held(play, ada) is None


def test_the_trouble_that_lasts_longest_is_told_and_then_the_next(play: Play) -> None:
    ada = play.person()
    first, second = play.orders(ada), play.orders(ada)
    sent(play, first)
    says(play, first, "DELAYED")
    cancel(play, second)
    play.come_to_rest()
    assert (held(play, ada) or ("",))[0] == "fulfilment"
    says(play, first, "DELIVERED")
    play.come_to_rest()
    assert (held(play, ada) or ("",))[0] == "cancelled"


def test_an_order_that_is_deleted_holds_nobody(play: Play) -> None:
    ada = play.person()
    placed = play.orders(ada)
    cancel(play, placed)
    play.come_to_rest()
    assert held(play, ada) is not None
    play.do(placing.erase(play.uk, placed))
    play.come_to_rest()
    assert held(play, ada) is None


# Who is held ---------------------------------------------------------------------------------------------------------


def test_all_contacts_of_a_person_are_held_also_by_an_order_as_a_guest(play: Play) -> None:
    there = play.sims.store("int")
    here, abroad = play.person("ada@example.com"), play.person("ada@example.com", store=there)
    other = play.person("grace@example.com")
    guest = play.orders(None, email="Ada@example.com")
    play.come_to_rest()
    cancel(play, guest)
    play.come_to_rest()
    assert held(play, here) is not None
    assert held(play, here) == held(play, abroad, "int:")
    assert held(play, other) is None


def test_who_comes_to_an_address_is_held_by_its_orders_and_leaves_them_with_it(play: Play) -> None:
    there = play.sims.store("int")
    elder, younger = play.person("ada@example.com"), play.person("grace@example.com", store=there)
    cancel(play, play.orders(elder))
    play.come_to_rest()
    assert held(play, younger, "int:") is None
    play.do(people.change_address(play.world, there, younger, "ada@example.com", None, play.now))
    play.come_to_rest()
    assert held(play, younger, "int:") == held(play, elder)
    play.do(people.change_address(play.world, there, younger, "eve@example.com", None, play.now))
    play.come_to_rest()
    assert held(play, younger, "int:") is None
    assert held(play, elder) is not None


def test_a_merge_takes_the_trouble_along(play: Play) -> None:
    kept, lost = play.person("countess@example.com"), play.person("ada@example.com")
    cancel(play, play.orders(lost))
    play.come_to_rest()
    play.do(people.merge(play.world, play.uk, kept, lost, play.now))
    play.come_to_rest()
    assert held(play, kept) is not None


# How fast ------------------------------------------------------------------------------------------------------------


def slow(play: Play) -> None:
    pace = msgspec.structs.replace(play.context.pace, enrichment_every=timedelta(hours=1))
    play.context = msgspec.structs.replace(play.context, pace=pace)


def contact_lane(play: Play, who: Customer) -> tuple[int, str]:
    (row,) = play.rows("SELECT lane, state FROM outbox WHERE kind = 'contact' AND id = %s", f"uk:{who.id}")
    return row["lane"], row["state"]


def test_a_hold_begins_and_ends_in_a_hurry_while_metrics_wait(play: Play) -> None:
    ada = play.person()
    guest = play.orders(None, email="ada@example.com")  # so that no body of the customer's own comes along
    play.come_to_rest()
    slow(play)
    cancel(play, guest)
    play.hear()
    assert contact_lane(play, ada) == (Lane.REALTIME.rank, "due")
    play.pass_time(2)
    play.push()
    play.pass_time(10)
    assert held(play, ada) is not None
    play.do(placing.erase(play.uk, guest))
    play.hear()
    assert contact_lane(play, ada) == (Lane.REALTIME.rank, "due")
    play.pass_time(2)
    play.push()
    play.pass_time(10)
    assert held(play, ada) is None


def test_also_when_the_customers_own_body_comes_in_the_same_batch(play: Play) -> None:
    ada = play.person()
    placed = play.orders(ada)
    play.come_to_rest()
    slow(play)
    cancel(play, placed)
    play.hear()
    assert contact_lane(play, ada) == (Lane.REALTIME.rank, "due")


def test_a_hold_whose_time_is_up_goes_behind_what_happens_now(play: Play) -> None:
    ada = play.person()
    cancel(play, play.orders(ada))
    play.come_to_rest()
    play.pass_time(7 * DAY)
    with play.db.transaction() as tx:
        assert holds.has_expired_holds(tx, "acme", play.now)
    assert service_hold.release_expired_holds(play.db, play.context) == 1
    with play.db.transaction() as tx:
        assert not holds.has_expired_holds(tx, "acme", play.now)
    while process_batch(play.db, play.context).n_claimed:
        pass
    assert contact_lane(play, ada) == (Lane.REPAIR.rank, "due")


# History -------------------------------------------------------------------------------------------------------------


def test_history_holds_for_what_is_still_going_on_and_for_nothing_that_is_over(play: Play) -> None:
    ada, grace = play.person(is_told=False), play.person("grace@example.com", is_told=False)
    cancel(play, play.orders(grace, is_told=False), is_told=False)
    play.pass_time(8 * DAY)
    cancel(play, play.orders(ada, is_told=False), is_told=False)
    play.load_history()
    play.come_to_rest()
    assert held(play, ada) is not None
    assert held(play, grace) is None
    asked = play.rows("SELECT DISTINCT lane FROM event WHERE topic = 'isthmus/remap'")
    assert asked == [{"lane": Lane.BACKFILL.rank}]
    assert play.pushed("custom_event") == []


# Held against each other ---------------------------------------------------------------------------------------------


def test_a_hold_whose_time_is_up_is_no_finding(play: Play) -> None:
    """Neither before the scheduler has let go of it, nor while the contact waits, nor after."""
    ada = play.person()
    cancel(play, play.orders(ada))
    play.come_to_rest()
    play.pass_time(7 * DAY)
    assert play.findings(play.reconcile().run) == []
    service_hold.release_expired_holds(play.db, play.context)
    assert play.findings(play.reconcile().run) == []
    play.come_to_rest()
    play.pass_time(600)
    assert play.findings(play.reconcile().run) == []
    assert held(play, ada) is None


def test_a_hold_that_was_lost_is_found(play: Play) -> None:
    ada = play.person()
    cancel(play, play.orders(ada))
    play.come_to_rest()
    play.pass_time(600)
    with play.db.transaction() as tx:
        tx.execute("DELETE FROM hold")
    assert "integration.stale_mapping" in {one.code for one in play.findings(play.reconcile().run)}


def test_switched_off_nothing_is_said_of_it(play: Play) -> None:
    shops = {
        name: msgspec.structs.replace(shop, rules=msgspec.structs.replace(shop.rules, hold_for={}))
        for name, shop in play.context.shops.items()
    }
    play.context = msgspec.structs.replace(play.context, shops=shops)
    ada = play.person()
    cancel(play, play.orders(ada))
    play.come_to_rest()
    assert "service_hold" not in play.contact(ada)["properties"]
    assert play.rows("SELECT * FROM hold") == []
