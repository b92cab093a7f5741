"""What happens to an order's money before any refund: authorized, captured, paid, voided, expired."""

from __future__ import annotations

from datetime import datetime

from sims.shopify import money
from sims.shopify.deeds import people
from sims.shopify.events import Event
from sims.shopify.state import MoneyBag, Order, Store, Transaction, World


def transact(
    world: World, order: Order, kind: str, amount: MoneyBag, at: datetime, *, status: str = "SUCCESS"
) -> Transaction:
    """Append a transaction to an order, with the authorization or payment it continues as its parent."""
    parent = None
    if kind in ("CAPTURE", "VOID", "REFUND"):
        wanted = ("AUTHORIZATION",) if kind != "REFUND" else ("SALE", "CAPTURE")
        parent = next(
            (one.id for one in reversed(order.transactions) if one.kind in wanted and one.status == "SUCCESS"), None
        )
    one = Transaction(world.next_id(), kind, status, order.gateway, amount, at, at, parent)
    order.transactions.append(one)
    return one


def authorize(world: World, store: Store, order: Order, at: datetime) -> list[Event]:
    """Reserve the whole amount."""
    transact(world, order, "AUTHORIZATION", money.outstanding(order), at)
    return changed(world, store, order, at)


def await_money(world: World, store: Store, order: Order, at: datetime) -> list[Event]:
    """Note a payment that is on its way, such as a bank transfer."""
    transact(world, order, "SALE", money.outstanding(order), at, status="PENDING")
    return changed(world, store, order, at)


def fail(world: World, store: Store, order: Order, at: datetime) -> list[Event]:
    """Note a payment that did not go through."""
    transact(world, order, "SALE", money.outstanding(order), at, status="FAILURE")
    return changed(world, store, order, at)


def pay(world: World, store: Store, order: Order, at: datetime, *, part: MoneyBag | None = None) -> list[Event]:
    """Take what is outstanding, or a part of it; an authorization is captured, a pending sale comes true."""
    due = money.outstanding(order)
    amount = part or due
    if amount.shop <= 0:
        return []
    pending = next((one for one in order.transactions if one.status == "PENDING" and one.kind == "SALE"), None)
    if pending and pending.amount == amount:
        pending.status, pending.processed_at = "SUCCESS", at
    else:
        transact(world, order, "CAPTURE" if money.capturable(order) else "SALE", amount, at)
    return changed(world, store, order, at)


def void(world: World, store: Store, order: Order, at: datetime) -> list[Event]:
    """Give an authorization back."""
    transact(world, order, "VOID", money.capturable(order), at)
    return changed(world, store, order, at)


def expire(world: World, store: Store, order: Order, at: datetime) -> list[Event]:
    """Let an authorization run out."""
    order.expired = True
    return changed(world, store, order, at)


def changed(world: World, store: Store, order: Order, at: datetime) -> list[Event]:
    """Set the statuses of a changed order right and tell; being paid and the customer's sum are told on their own."""
    before = order.financial_status
    money.settle(order)
    world.touch(store, order, at)
    events = [Event(store.shop.domain, "orders/updated", order.id)]
    if order.financial_status == "PAID" != before:
        events.append(Event(store.shop.domain, "orders/paid", order.id))
    customer = store.customer_of(order)
    if customer and not world.building:
        events += people.summarise(world, store, customer, at)
    return events
