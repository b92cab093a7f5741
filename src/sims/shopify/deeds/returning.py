"""What happens to returns: requested, approved, declined, cancelled, closed, and exchanged."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sims.shopify import money
from sims.shopify.deeds import editing, paying, refunding
from sims.shopify.events import Event
from sims.shopify.state import NOTHING, MoneyBag, Order, Return, ReturnLine, Store, Variant, World


def request(
    world: World, store: Store, order: Order, units: Mapping[int, int], reason: str, at: datetime
) -> list[Event]:
    """Ask to send sent units back."""
    made = _make(world, order, units, reason, "REQUESTED", at)
    return _told(world, store, order, made, "returns/request", at)


def approve(world: World, store: Store, order: Order, one: Return, at: datetime) -> list[Event]:
    """Open a requested return."""
    _from(one, "REQUESTED")
    one.status, one.approved_at = "OPEN", at
    return _told(world, store, order, one, "returns/approve", at)


def decline(world: World, store: Store, order: Order, one: Return, at: datetime) -> list[Event]:
    """Refuse a requested return."""
    _from(one, "REQUESTED")
    one.status, one.decline_reason = "DECLINED", "RETURN_PERIOD_ENDED"
    return _told(world, store, order, one, "returns/decline", at)


def withdraw(world: World, store: Store, order: Order, one: Return, at: datetime) -> list[Event]:
    """Cancel an open return of which nothing has been refunded."""
    _from(one, "OPEN")
    one.status = "CANCELED"
    return _told(world, store, order, one, "returns/cancel", at)


def close(world: World, store: Store, order: Order, one: Return, at: datetime) -> list[Event]:
    """Close an open return."""
    _from(one, "OPEN")
    one.status, one.closed_at = "CLOSED", at
    return _told(world, store, order, one, "returns/close", at)


def reopen(world: World, store: Store, order: Order, one: Return, at: datetime) -> list[Event]:
    """Open a closed return again."""
    _from(one, "CLOSED")
    one.status, one.closed_at = "OPEN", None
    return _told(world, store, order, one, "returns/reopen", at)


def refund(world: World, store: Store, order: Order, one: Return, at: datetime) -> list[Event]:
    """Give the money back for an open return's units."""
    _from(one, "OPEN")
    units = _due(order, one)
    if not units:
        return []
    events = refunding.refund(world, store, order, refunding.Giving(units, restock_type="RETURN", return_id=one.id), at)
    return [*events, Event(store.shop.domain, "returns/process", one.id, order.id)]


def exchange(
    world: World, store: Store, order: Order, units: Mapping[int, int], good: Variant, quantity: int, at: datetime
) -> list[Event]:
    """Take sent units back and put a new line on; the difference goes back, or is owed by the customer.

    ASSUMED: the refund that comes with an exchange moves only the difference and carries no order adjustment.
    """
    one = _make(world, order, units, "SIZE_TOO_SMALL", "OPEN", at)
    line = editing.add_exchange(world, store, order, good, quantity, at)
    one.exchange_line_ids.append(line.id)
    fresh = money.worth(line, line.quantity)
    if not order.taxes_included:
        fresh = fresh + money.tax_of(line, line.quantity)
    old = _worth(order, units)
    held = fresh if fresh.shop < old.shop and fresh.presentment < old.presentment else old
    giving = refunding.Giving(units, held_back=held, restock_type="RETURN", return_id=one.id)
    events = _told(world, store, order, one, "returns/approve", at)
    for back in one.lines:
        back.refunded_quantity = back.quantity
    return events + refunding.refund(world, store, order, giving, at)


def _make(world: World, order: Order, units: Mapping[int, int], reason: str, status: str, at: datetime) -> Return:
    lines = [ReturnLine(world.next_id(), number, quantity, reason) for number, quantity in units.items() if quantity]
    made = Return(world.next_id(), f"{order.name}-R{len(order.returns) + 1}", status, at, lines)
    order.returns.append(made)
    return made


def _due(order: Order, one: Return) -> dict[int, int]:
    """Say which units of a return are still to be refunded, and note that they now are."""
    units: dict[int, int] = {}
    for back in one.lines:
        line = next(each for each in order.lines if each.id == back.line_id)
        quantity = min(back.quantity - back.refunded_quantity, line.current_quantity - units.get(line.id, 0))
        if quantity > 0:
            units[line.id] = units.get(line.id, 0) + quantity
            back.refunded_quantity += quantity
    return units


def _worth(order: Order, units: Mapping[int, int]) -> MoneyBag:
    worth = NOTHING
    for line in order.lines:
        left = line.current_quantity - units.get(line.id, 0)
        worth = worth + money.worth(line, line.current_quantity) - money.worth(line, left)
        if not order.taxes_included:
            worth = worth + money.tax_of(line, line.current_quantity) - money.tax_of(line, left)
    return worth


def _from(one: Return, status: str) -> None:
    if one.status != status:
        raise ValueError(f"the return is {one.status}, not {status}")


def _told(world: World, store: Store, order: Order, one: Return, topic: str, at: datetime) -> list[Event]:
    return [Event(store.shop.domain, topic, one.id, order.id), *paying.changed(world, store, order, at)]
