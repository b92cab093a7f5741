"""What happens when money or goods go back: refunds with and without lines, shipping, goodwill, and cancellation.

A refund names lines and shipping and moves money by its transactions; what the two differ by is its order adjustment,
positive when less money went back than was named (https://shopify.dev/docs/api/admin-graphql/latest/objects/OrderAdjustment).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sims.shopify import money
from sims.shopify.deeds import paying
from sims.shopify.events import Event
from sims.shopify.state import (
    NOTHING,
    LineItem,
    MoneyBag,
    Order,
    OrderAdjustment,
    Refund,
    RefundLine,
    RefundShipping,
    Store,
    World,
)


@dataclass(slots=True)
class Giving:
    """What goes back: units by line id, a share of shipping, money beyond that, and how the money fares."""

    units: Mapping[int, int] = field(default_factory=dict)
    shipping: MoneyBag = NOTHING  # of the first shipping line, in its own tax treatment
    goodwill: MoneyBag = NOTHING  # money without lines
    tax_only: MoneyBag = NOTHING  # tax given back without lines
    owed: MoneyBag = NOTHING  # money the customer is owed already, after an edit: no adjustment
    held_back: MoneyBag = NOTHING  # what an exchange keeps for its new lines: no adjustment
    withheld: MoneyBag = NOTHING  # what the shop keeps of what was named, such as a restocking fee
    moves_money: bool = True
    status: str = "SUCCESS"  # of the transaction
    restock_type: str | None = None  # None: CANCEL for unsent units, RETURN for sent ones
    note: str | None = None
    return_id: int | None = None


def refund(world: World, store: Store, order: Order, giving: Giving, at: datetime) -> list[Event]:
    """Record a refund, never returning more than the shop still holds."""
    made = Refund(
        id=world.next_id(),
        created_at=at,
        processed_at=at,
        note=giving.note,
        lines=[_line(world, order, number, units, giving) for number, units in giving.units.items() if units],
        shipping=_shipping(world, order, giving.shipping),
        adjustments=[],
        transactions=[],
        return_id=giving.return_id,
    )
    made.restock = any(one.restock_type != "NO_RESTOCK" for one in made.lines)
    order.refunds.append(made)
    _move(world, order, made, giving, at)
    return [Event(store.shop.domain, "refunds/create", made.id, order.id), *paying.changed(world, store, order, at)]


def finish(
    world: World, store: Store, order: Order, made: Refund, at: datetime, *, status: str = "SUCCESS"
) -> list[Event]:
    """Let a refund's pending money arrive, or fail."""
    for one in made.transactions:
        if one.status == "PENDING":
            one.status, one.processed_at = status, at
    return paying.changed(world, store, order, at)


def cancel(
    world: World, store: Store, order: Order, reason: str, at: datetime, *, give_back: bool = True
) -> list[Event]:
    """Cancel an order that was not sent: nothing of it is left, its money goes back or is kept (seen live)."""
    if any(line.fulfilled_quantity for line in order.lines):
        raise ValueError("Cannot cancel an order that has been fulfilled")
    held = money.received_by(order)
    order.cancelled_at, order.cancel_reason, order.closed_at = at, reason, at
    events: list[Event] = []
    awaited = [one for one in order.transactions if one.status == "PENDING" and one.kind == "SALE"]
    for one in awaited:
        one.status = "FAILURE"
    if not held.shop and (awaited or money.capturable(order)):
        paying.transact(world, order, "VOID", money.capturable(order) or awaited[0].amount, at)
    units = {line.id: line.current_quantity for line in order.lines if line.current_quantity}
    rest = (
        money.shipping_worth(order.shipping_lines[0]) - order.shipping_lines[0].refunded if _ships(order) else NOTHING
    )
    giving = Giving(units, rest, moves_money=give_back, restock_type="CANCEL", note="Order canceled")
    if units or rest:
        events += refund(world, store, order, giving, at)
    else:
        events += paying.changed(world, store, order, at)
    for line in order.lines:
        line.fulfillable_quantity = 0
    return [Event(store.shop.domain, "orders/cancelled", order.id), *events]


def refundable(order: Order) -> MoneyBag:
    """Give the money that can still go back: what came in less what went back or is on its way."""
    on_its_way = money.total(
        one.amount for one in order.transactions if one.kind == "REFUND" and one.status in ("SUCCESS", "PENDING")
    )
    return money.received_by(order) - on_its_way


def _move(world: World, order: Order, made: Refund, giving: Giving, at: datetime) -> None:
    """Move the money, never more than the shop holds, and write down what it differs by from what was named."""
    named = money.suggested(made, order.taxes_included)
    if not giving.moves_money:
        if giving.restock_type != "CANCEL" and named and money.received_by(order).shop:
            made.adjustments.append(OrderAdjustment(world.next_id(), named, NOTHING))
        return
    held = refundable(order)
    amount = _least(named + giving.owed - giving.held_back - giving.withheld, held)
    extra = giving.goodwill + giving.tax_only
    if extra and _least(amount + extra, held) != held:
        amount = amount + extra
        if giving.tax_only:
            made.adjustments.append(OrderAdjustment(world.next_id(), NOTHING, -giving.tax_only))
        if giving.goodwill:
            made.adjustments.append(OrderAdjustment(world.next_id(), -giving.goodwill, NOTHING))
    if giving.withheld:
        made.adjustments.append(OrderAdjustment(world.next_id(), giving.withheld, NOTHING))
    if amount.shop > 0:
        one = paying.transact(world, order, "REFUND", amount, at, status=giving.status)
        one.refund_id = made.id
        made.transactions.append(one)


def _line(world: World, order: Order, number: int, units: int, giving: Giving) -> RefundLine:
    line = next(one for one in order.lines if one.id == number)
    if not 0 < units <= line.current_quantity:
        raise ValueError("Quantity cannot refund more items than were purchased")
    left = line.current_quantity - units
    made = RefundLine(
        id=world.next_id(),
        line_id=line.id,
        quantity=units,
        restock_type=giving.restock_type or _restock(line, units),
        subtotal=money.worth(line, line.current_quantity) - money.worth(line, left),
        total_tax=money.tax_of(line, line.current_quantity) - money.tax_of(line, left),
    )
    line.current_quantity = left
    line.refunded_quantity += units
    unsent = 0 if made.restock_type == "RETURN" else min(units, line.fulfillable_quantity)
    line.fulfillable_quantity = min(line.fulfillable_quantity - unsent, left)
    return made


def _restock(line: LineItem, units: int) -> str:
    return "CANCEL" if line.fulfillable_quantity >= units else "RETURN"


def _shipping(world: World, order: Order, amount: MoneyBag) -> list[RefundShipping]:
    if not amount:
        return []
    line = order.shipping_lines[0]
    before = money.shipping_tax_left(line)
    line.refunded = line.refunded + amount
    tax = before - money.shipping_tax_left(line)
    return [RefundShipping(world.next_id(), line.id, amount, tax)]


def _ships(order: Order) -> bool:
    return bool(order.shipping_lines)


def _least(wanted: MoneyBag, limit: MoneyBag) -> MoneyBag:
    """Take the smaller amount, shop and presentment together so that they stay one payment."""
    return wanted if wanted.shop <= limit.shop and wanted.presentment <= limit.presentment else limit
