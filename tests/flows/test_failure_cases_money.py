"""Failures that others had with money, by their numbers in docs/reference/failure-cases.md."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec
import pytest

from isthmus.db.pool import Database
from isthmus.flows.abandoned_checkouts import send_abandoned_checkouts
from plays import Play
from sims.shopify import chance, money
from sims.shopify.deeds import browsing, editing, paying, placing, refunding
from sims.shopify.deeds.refunding import Giving
from sims.shopify.state import MoneyBag


@pytest.fixture
def play(database: Database) -> Play:
    return Play(database)


def bag(amount: str) -> MoneyBag:
    return MoneyBag(Decimal(amount), Decimal(amount))


def net(found: object) -> Decimal:
    """What Ometria counts: the total less what went back on lines."""
    order = msgspec.convert(found, dict)
    lines = sum(Decimal(str(line.get("refunded") or 0)) for line in order["lineitems"])
    return Decimal(str(order["grand_total"])) - lines


def test_f44_a_refund_sends_its_order_again_with_what_went_back(play: Play) -> None:
    """F44: refunds/create is no no-op."""
    placed = play.orders(play.person())
    play.come_to_rest()
    line = placed.lines[0]
    play.do(refunding.refund(play.world, play.uk, placed, Giving({line.id: 1}), play.now))
    play.come_to_rest()
    found = play.order(placed)
    assert (found["status"], found["is_valid"]) == ("partial_refund", True)
    (back,) = [one for one in found["lineitems"] if one.get("quantity_refunded")]
    assert back["quantity_refunded"] == 1
    assert net(found) == money.received_by(placed).shop - sum(
        one.amount.shop for one in placed.transactions if one.kind == "REFUND"
    )


def test_f45_a_cancellation_changes_the_order_itself(play: Play) -> None:
    """F45: not only a moment."""
    placed = play.orders(play.person())
    play.come_to_rest()
    play.do(refunding.cancel(play.world, play.uk, placed, "CUSTOMER", play.now))
    play.come_to_rest()
    found = play.order(placed)
    assert (found["status"], found["is_valid"]) == ("cancelled", False)
    assert {event["event_type"] for event in play.pushed("custom_event")} >= {"order_cancelled"}


def test_f46_an_order_becomes_an_order(play: Play) -> None:
    """F46: not a custom event."""
    play.orders(play.person())
    play.come_to_rest()
    assert {order["@type"] for order in play.pushed("order")} == {"order"}
    assert play.pushed("custom_event") == []


def test_f47_part_of_the_goods_shipping_and_goodwill_add_up_to_the_penny(play: Play) -> None:
    """F47: a unit, the shipping and some money beside the lines."""
    placed = play.orders(play.person())
    line = placed.lines[0]
    play.do(
        refunding.refund(
            play.world, play.uk, placed, Giving({line.id: 1}, shipping=bag("3.95"), goodwill=bag("1.37")), play.now
        )
    )
    play.come_to_rest()
    back = sum(one.amount.shop for one in placed.transactions if one.kind == "REFUND" and one.status == "SUCCESS")
    paid = sum(one.amount.shop for one in placed.transactions if one.kind in ("SALE", "CAPTURE"))
    assert net(play.order(placed)) == paid - back
    assert play.compare().differences == ()


def test_f50_a_refund_heard_of_before_its_order_converges(play: Play) -> None:
    """F50: the hint waits for the body, then the order is read."""
    who = play.person()
    placed = play.orders(who, is_told=False)
    events = refunding.refund(play.world, play.uk, placed, Giving({placed.lines[0].id: 1}), play.now)
    play.do([event for event in events if event.topic == "refunds/create"])
    play.come_to_rest()
    assert play.order(placed)["status"] == "partial_refund"
    assert play.compare().differences == ()


def test_f51_a_refund_without_its_transactions_is_read_from_the_order(play: Play) -> None:
    """F51: what went back is never guessed."""
    placed = play.orders(play.person())
    play.come_to_rest()
    play.do(refunding.refund(play.world, play.uk, placed, Giving({placed.lines[0].id: 1}), play.now), is_told=False)
    play.do(paying.changed(play.world, play.uk, placed, play.now))

    def without(uri: str, headers: Mapping[str, str], raw: bytes) -> int:
        body = msgspec.json.decode(raw)
        for refund in body.get("refunds", ()):
            del refund["transactions"]
        return play.post(uri, headers, msgspec.json.encode(body))

    play.sims.deliver(without)
    play.come_to_rest()
    back = sum(one.amount.shop for one in placed.transactions if one.kind == "REFUND")
    paid = sum(one.amount.shop for one in placed.transactions if one.kind in ("SALE", "CAPTURE"))
    assert net(play.order(placed)) == paid - back


def test_f53_what_is_not_paid_counts_only_as_the_setting_says(play: Play) -> None:
    """F53: pending by `orders.valid_when`; voided never."""
    pending = play.orders(play.person("a@example.com"), is_paid=False)
    voided = play.orders(play.person("b@example.com"), is_paid=False)
    play.do(paying.authorize(play.world, play.uk, voided, play.now))
    play.do(paying.void(play.world, play.uk, voided, play.now))
    play.come_to_rest()
    assert (play.order(pending)["status"], play.order(pending)["is_valid"]) == ("pending", True)
    assert (play.order(voided)["status"], play.order(voided)["is_valid"]) == ("cancelled", False)
    shop = play.context.shops["uk"]
    play.context.shops["uk"] = msgspec.structs.replace(  # type: ignore[index]
        shop, rules=msgspec.structs.replace(shop.rules, valid_when="paid")
    )
    unpaid = play.orders(play.person("c@example.com"), is_paid=False)
    play.come_to_rest()
    assert (play.order(unpaid)["status"], play.order(unpaid)["is_valid"]) == ("pending", False)


def test_f54_the_shops_money_is_the_orders_money_everywhere(play: Play) -> None:
    """F54: a pound shop, paid in euros: one currency at the top, the customer's beside it, and no rate of one."""
    placed = play.orders(play.person(), presentment_currency="EUR", rate=Decimal("1.17"))
    play.do(refunding.refund(play.world, play.uk, placed, Giving({placed.lines[0].id: 1}), play.now))
    play.come_to_rest()
    found = play.order(placed)
    assert found["currency"] == "GBP"
    back = sum(one.amount.shop for one in placed.transactions if one.kind == "REFUND")
    paid = sum(one.amount.shop for one in placed.transactions if one.kind in ("SALE", "CAPTURE"))
    assert net(found) == paid - back
    sent = play.desired("order", f"uk:{placed.id}")
    assert sent["totals"]["local"]["currency"] == "EUR"
    assert play.compare().differences == ()


def test_f55_a_refund_does_not_move_its_orders_date(play: Play) -> None:
    """F55: the order keeps the day it was placed; the moment has the day of the refund."""
    placed = play.orders(play.person())
    play.pass_time(40 * 86_400)
    play.do(refunding.refund(play.world, play.uk, placed, Giving({placed.lines[0].id: 1}), play.now))
    play.come_to_rest()
    assert play.desired("order", f"uk:{placed.id}")["timestamp"] == f"{placed.processed_at:%Y-%m-%dT%H:%M:%SZ}"
    (moment,) = play.pushed("custom_event")
    assert moment["timestamp"] == f"{placed.refunds[0].created_at:%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.parametrize("included", [True, False])
def test_f56_a_discount_and_tax_add_up_to_the_shops_own_total(play: Play, *, included: bool) -> None:
    """F56: whichever of the two comes first."""
    placed = play.orders(
        play.person(), discount_code="TEN", discount_rate=Decimal("0.1"), tax_rate=Decimal("0.1"),
        taxes_included=included,
    )  # fmt: skip
    play.come_to_rest()
    assert net(play.order(placed)) == money.totals(placed).total.shop


def test_f57_an_edited_order_is_sent_whole(play: Play) -> None:
    """F57: the lines are what they are now."""
    placed = play.orders(play.person(), is_paid=False)
    play.come_to_rest()
    first, second = placed.lines
    play.do(editing.remove(play.world, play.uk, placed, second, second.quantity, play.now))
    play.do(editing.add(play.world, play.uk, placed, play.shelf()[3], 1, play.now))
    play.come_to_rest()
    lines = play.order(placed)["lineitems"]
    assert [line["quantity"] for line in lines] == [first.quantity, 1]
    assert f"uk:{second.variant_id}" not in [line.get("variant_id") for line in lines]
    assert net(play.order(placed)) == money.current_total(placed).shop


def test_f59_test_orders_stay_home_and_the_counters_keep_their_channel(play: Play) -> None:
    """F59: a test order is never sent; point of sale is, with where it came from. Drafts are no orders to the API."""
    tested = play.orders(play.person("a@example.com"), test=True)
    sold = play.orders(play.person("b@example.com"), source_name="pos", shipping=None)
    play.come_to_rest()
    assert f"uk:{tested.id}" not in {order["id"] for order in play.pushed("order")}
    (row,) = play.rows("SELECT state, excluded FROM outbox WHERE id = %s", f"uk:{tested.id}")
    assert row["state"] == "excluded"
    assert "test" in row["excluded"]
    assert play.order(sold)["channel"] == "pos"


def test_f61_no_reminder_goes_to_who_has_bought(play: Play) -> None:
    """F61: neither when the order comes before the basket is quiet, nor when the reminder already waits."""
    for email, waits in (("a@example.com", 60), ("b@example.com", 31 * 60)):
        who = play.person(email)
        basket = chance.basket(play.uk, play.dice, play.now, who, play.shelf())
        basket.source_name, basket.checkout_token, basket.email = "web", f"token-{waits}", email
        basket.test = False
        left = chance.checkout(play.world, play.uk, play.dice, basket)
        play.do(browsing.start(play.uk, left))
        chance.identify(left, basket)
        play.do(browsing.update(play.world, play.uk, left, play.now))
        play.hear()
        play.pass_time(waits)
        send_abandoned_checkouts(play.db, play.context)
        placed, events = placing.place(play.world, play.uk, basket)
        play.do(events)
        play.do(browsing.complete(play.world, play.uk, left, placed, play.now))
        play.come_to_rest()
        play.pass_time(40 * 60)
        play.come_to_rest()
    assert [event for event in play.pushed("custom_event") if event["event_type"] == "checkout_abandoned"] == []
    withheld = play.rows("SELECT excluded FROM outbox WHERE kind = 'moment'")
    assert [row["excluded"] for row in withheld] == ["an order was placed since"]
