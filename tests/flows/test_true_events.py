"""A custom event is true for a person now: goods that travel, of orders that were really placed now."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from isthmus.db.pool import Database
from isthmus.flows.delivery_methods import PATIENCE
from isthmus.shopify.topics import DELIVERY_SCOPES
from plays import Play
from sims.shopify.deeds import paying, sending
from sims.shopify.state import Order

SHIPPED = ["order_shipped"]
PARTLY = ["order_partially_shipped"]


class Post(Play):
    """A town whose orders are sent, handed over, collected, emailed and imported."""

    case = 0

    def buy(self, **changed: Any) -> Order:
        self.case += 1
        return self.orders(self.person(f"buyer.{self.case}@example.com"), **changed)

    def send(self, order: Order, units: dict[int, int] | None = None, *, is_carried: bool = True) -> None:
        at = self.now
        self.do(sending.send(self.world, self.uk, order, units or sending.everything(order), at, is_carried=is_carried))

    def events(self, order: Order, *, seconds: float = 0) -> list[str]:
        """What was sent of the order, once everything has settled."""
        if seconds:
            self.hear()
            self.pass_time(seconds)
        self.come_to_rest()
        sent = [one for one in self.pushed("custom_event") if one["properties"].get("order_id") == f"uk:{order.id}"]
        return [one["event_type"] for one in sent]

    def vouchers(self) -> Sequence[Any]:
        return [one for one in self.shelf() if self.uk.products[one.product_id].is_gift_card]


@pytest.fixture(scope="module")
def post(module_database: Database) -> Post:
    return Post(module_database)


@pytest.mark.parametrize("delivery", ["SHIPPING", "LOCAL", "PICKUP_POINT"])
def test_goods_on_their_way_are_told(post: Post, delivery: str) -> None:
    order = post.buy(delivery=delivery)
    post.send(order)
    assert post.events(order) == SHIPPED


@pytest.mark.parametrize("delivery", ["PICK_UP", "RETAIL", "NONE"])
def test_goods_that_are_collected_or_handed_over_are_never_told_as_shipped(post: Post, delivery: str) -> None:
    order = post.buy(delivery=delivery)
    order.shipping_address = order.billing_address
    post.send(order)
    assert post.events(order, seconds=70) == []


def test_a_till_that_fulfils_at_once_ships_nothing(post: Post) -> None:
    order = post.buy(source_name="pos", shipping=None)
    post.do(sending.at_once(post.world, post.uk, order, post.now))
    assert order.fulfillments
    assert post.events(order, seconds=70) == []


def test_a_till_that_ships_is_told(post: Post) -> None:
    order = post.buy(source_name="pos")
    post.send(order)
    assert post.events(order) == SHIPPED


def test_a_gift_card_that_is_emailed_ships_nothing(post: Post) -> None:
    order = post.buy(goods=[(post.vouchers()[0], 1)])
    post.do(sending.at_once(post.world, post.uk, order, post.now))
    assert order.fulfillments
    assert post.events(order, seconds=70) == []


def test_an_order_is_shipped_with_the_parcel_after_which_nothing_that_ships_is_open(post: Post) -> None:
    order = post.buy(goods=[(post.shelf()[0], 1), (post.shelf()[1], 1), (post.vouchers()[0], 1)])
    first, second, _ = order.lines
    post.send(order, {first.id: 1})
    assert post.events(order) == PARTLY
    post.pass_time(60)
    post.send(order, {second.id: 1})
    assert post.events(order) == [*PARTLY, *SHIPPED]
    post.send(order, is_carried=False)
    assert post.events(order) == [*PARTLY, *SHIPPED]


def test_an_imported_order_tells_nothing_that_the_import_brought(post: Post) -> None:
    order = post.buy(processed_at=post.now - timedelta(days=1500))
    post.send(order)
    assert post.events(order, seconds=70) == []
    post.pass_time(timedelta(hours=25).total_seconds())
    post.do(paying.changed(post.world, post.uk, order, post.now))
    assert post.events(order) == []


def test_what_happens_to_an_imported_order_later_is_told(post: Post) -> None:
    order = post.buy(processed_at=post.now - timedelta(days=1500))
    post.come_to_rest()
    post.pass_time(timedelta(hours=25).total_seconds())
    post.send(order)
    assert post.events(order) == SHIPPED


def test_a_parcel_of_an_unknown_order_was_not_delivered_when_it_was_last_touched(post: Post) -> None:
    order = post.orders(post.person("long.ago@example.com"), is_told=False)
    sending.send(post.world, post.uk, order, sending.everything(order), post.now)
    sending.report(post.world, post.uk, order, order.fulfillments[-1], "DELIVERED", post.now)
    post.pass_time(timedelta(days=3).total_seconds())
    order.fulfillments[-1].updated_at = post.now  # its tracking number is corrected
    post.do(paying.changed(post.world, post.uk, order, post.now))
    assert post.events(order, seconds=70) == []


def test_a_parcel_that_is_delivered_days_after_it_was_sent_is_told(post: Post) -> None:
    order = post.buy()
    post.send(order)
    assert post.events(order) == SHIPPED
    post.pass_time(timedelta(days=3).total_seconds())
    post.do(sending.report(post.world, post.uk, order, order.fulfillments[-1], "DELIVERED", post.now))
    assert post.events(order) == [*SHIPPED, "order_delivered"]


def test_where_the_delivery_cannot_be_read_an_address_and_a_shipping_line_decide(post: Post) -> None:
    post.sims.faults.set({"shopify.dropped_scopes": ",".join(DELIVERY_SCOPES)})
    shipped, collected = post.buy(), post.buy(delivery="PICK_UP")
    post.send(shipped)
    post.send(collected)
    post.hear()
    assert post.rows("SELECT 1 FROM event WHERE topic = 'delivery/order' AND state = 'waiting'")
    assert post.events(shipped, seconds=PATIENCE.total_seconds() + 10) == SHIPPED
    assert post.events(collected) == []
    post.sims.faults.clear()


def test_an_order_without_a_parcel_in_question_is_not_read_for_it(post: Post) -> None:
    def asked() -> int:
        return post.rows("SELECT count(*) AS n FROM event WHERE topic = 'delivery/order'")[0]["n"]

    before = asked()
    post.buy()
    till = post.buy(source_name="pos", shipping=None)
    post.do(sending.at_once(post.world, post.uk, till, post.now))
    post.come_to_rest()
    assert asked() == before


def test_one_parcel_is_asked_about_once_however_often_its_order_changes(post: Post) -> None:
    order = post.buy()
    post.send(order)
    post.come_to_rest()
    query = "SELECT count(*) AS n FROM event WHERE topic = 'delivery/order' AND subject = %s"
    before = post.rows(query, f"order:{order.id}")
    for _ in range(3):
        post.do(paying.changed(post.world, post.uk, order, post.now))
        post.come_to_rest()
    assert post.rows(query, f"order:{order.id}") == before
    assert post.events(order) == SHIPPED


def test_being_ready_for_pick_up_is_told_where_it_is_switched_on(post: Post) -> None:
    shop = post.context.shops["uk"]
    for name, expected in ((None, []), ("order_ready_for_pickup", ["order_ready_for_pickup"])):
        rules = replace(shop.rules, event_names=dict(shop.rules.event_names) | {"order_ready_for_pickup": name})
        post.context = replace(post.context, shops=dict(post.context.shops) | {"uk": replace(shop, rules=rules)})
        order = post.buy(delivery="PICK_UP")
        post.send(order, is_carried=False)
        post.come_to_rest()
        post.do(sending.report(post.world, post.uk, order, order.fulfillments[-1], "READY_FOR_PICKUP", post.now))
        assert post.events(order) == expected
    post.context = replace(post.context, shops=dict(post.context.shops) | {"uk": shop})


def test_an_imported_order_is_dated_as_it_was_placed(post: Post) -> None:
    basket_at = post.now - timedelta(days=700)
    order = post.buy(processed_at=basket_at)
    post.come_to_rest()
    assert post.order(order)["timestamp"].startswith(f"{basket_at:%Y-%m-%d}")
    assert order.created_at > basket_at
