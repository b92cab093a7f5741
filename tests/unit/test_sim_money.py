"""The simulated store's money: every total follows from the leaves, to the penny, in both currencies."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims.clock import SimClock
from sims.shopify import money, world
from sims.shopify.state import NOTHING, MoneyBag, Order, World

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
amounts = st.decimals(Decimal("0.00"), Decimal("9999.99"), places=2)


@pytest.fixture(scope="module")
def built() -> World:
    return world.build(11, 150, 1500, 60, SimClock(NOW, 0.0))


def orders(built: World) -> Iterator[Order]:
    return (order for store in built.stores.values() for order in store.orders.values())


@given(amounts, amounts, st.integers(1, 40), st.data())
def test_pieces_cut_from_an_amount_sum_to_the_amount(
    shop: Decimal, presentment: Decimal, whole: int, data: st.DataObject
) -> None:
    bag, left, pieces = MoneyBag(shop, presentment), whole, NOTHING
    while left:
        taken = data.draw(st.integers(1, left))
        pieces = pieces + money.cut(bag, left, whole) - money.cut(bag, left - taken, whole)
        left -= taken
    assert pieces == bag


@given(amounts, st.sampled_from([Decimal("0.20"), Decimal("0.19"), Decimal("0.0825")]))
def test_included_tax_is_the_part_that_makes_the_net_grow_to_the_gross(amount: Decimal, rate: Decimal) -> None:
    tax = money.embedded(MoneyBag(amount, amount), rate, included=True).shop
    assert abs((amount - tax) * rate - tax) <= Decimal("0.01")


def test_total_is_lines_shipping_and_tax_that_is_not_included(built: World) -> None:
    for order in orders(built):
        sums = money.totals(order)
        lines = sum((one.price.shop * one.quantity - one.discount.shop for one in order.lines), Decimal(0))
        shipping = sum((one.price.shop - one.discount.shop for one in order.shipping_lines), Decimal(0))
        on_top = Decimal(0) if order.taxes_included else sums.tax.shop
        assert sums.total.shop == lines + shipping + on_top, order.name
        assert sums.line_items_price + sums.shipping - sums.discounts == sums.subtotal + _shipped(order), order.name


def test_what_refunds_named_and_returned_beyond_explains_the_current_total(built: World) -> None:
    for order in orders(built):
        if any(one.removed_quantity for one in order.lines):
            continue
        sums = money.totals(order)
        named = money.total(money.suggested(refund, order.taxes_included) for refund in order.refunds)
        assert sums.current_total == sums.total - named + sums.refund_discrepancy, order.name


def test_net_payment_is_what_came_in_less_what_went_back(built: World) -> None:
    for order in orders(built):
        done = [one for one in order.transactions if one.status == "SUCCESS"]
        came = sum((one.amount.shop for one in done if one.kind in ("SALE", "CAPTURE")), Decimal(0))
        went = sum((one.amount.shop for one in done if one.kind == "REFUND"), Decimal(0))
        assert money.totals(order).net_payment.shop == came - went >= 0, order.name


def test_a_paid_order_whose_refunds_arrived_owes_nobody_anything(built: World) -> None:
    seen = 0
    for order in orders(built):
        sums = money.totals(order)
        stuck = any(one.status != "SUCCESS" for one in order.transactions)
        open_edit = order.edits or order.returns  # a difference may be left unpaid or not yet given back
        if stuck or open_edit or order.cancelled_at or order.financial_status not in ("PAID", "PARTIALLY_REFUNDED"):
            continue
        seen += 1
        assert sums.outstanding == NOTHING, order.name
        assert sums.net_payment == sums.current_total, order.name
    assert seen > 500


def test_nothing_is_left_of_a_cancelled_order(built: World) -> None:
    cancelled = [order for order in orders(built) if order.cancelled_at]
    assert cancelled
    for order in cancelled:
        sums = money.totals(order)
        assert (sums.current_total, sums.current_subtotal, sums.current_tax) == (NOTHING, NOTHING, NOTHING), order.name


def test_one_currency_means_one_amount(built: World) -> None:
    for order in orders(built):
        if order.currency == order.presentment_currency:
            sums = money.totals(order)
            bags = (sums.total, sums.current_total, sums.tax, sums.discounts, sums.net_payment)
            assert all(bag.shop == bag.presentment for bag in bags), order.name


def test_status_follows_the_money(built: World) -> None:
    seen = {order.financial_status for order in orders(built)}
    wanted = {"AUTHORIZED", "EXPIRED", "PAID", "PARTIALLY_PAID", "PARTIALLY_REFUNDED", "PENDING", "REFUNDED", "VOIDED"}
    assert seen == wanted | {None}
    for order in orders(built):
        sums = money.totals(order)
        if order.financial_status == "REFUNDED":
            assert sums.net_payment.shop == 0, order.name
        if order.financial_status in ("PENDING", "AUTHORIZED", "EXPIRED", "VOIDED", None):
            assert sums.received.shop == 0, order.name


def _shipped(order: Order) -> MoneyBag:
    return money.total(one.price - one.discount for one in order.shipping_lines)
