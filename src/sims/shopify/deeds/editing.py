"""What happens when an order is edited: units taken off, lines put on."""

from __future__ import annotations

from datetime import datetime

from sims.shopify import money
from sims.shopify.deeds import paying, placing
from sims.shopify.events import Event
from sims.shopify.state import ZERO, LineItem, Order, OrderEdit, Store, Variant, World


def remove(world: World, store: Store, order: Order, line: LineItem, quantity: int, at: datetime) -> list[Event]:
    """Take unsent units off a line; the line stays with its ordered quantity (seen live)."""
    if not 0 < quantity <= min(line.fulfillable_quantity, line.current_quantity):
        raise ValueError("only units that are on the order and not yet sent can be removed")
    line.current_quantity -= quantity
    line.removed_quantity += quantity
    line.fulfillable_quantity -= quantity
    return _commit(world, store, order, OrderEdit(world.next_id(), at, [], [(line.id, quantity)]), at)


def add(
    world: World, store: Store, order: Order, good: Variant | placing.Custom, quantity: int, at: datetime
) -> list[Event]:
    """Put a new line on an order."""
    line = _line(world, store, order, good, quantity, at)
    order.lines.append(line)
    return _commit(world, store, order, OrderEdit(world.next_id(), at, [(line.id, quantity)], []), at)


def add_exchange(world: World, store: Store, order: Order, good: Variant, quantity: int, at: datetime) -> LineItem:
    """Put on the line that replaces what comes back; a return tells of it, not an edit."""
    line = _line(world, store, order, good, quantity, at)
    order.lines.append(line)
    return line


def raise_quantity(
    world: World, store: Store, order: Order, line: LineItem, quantity: int, at: datetime
) -> list[Event]:
    """Put more units on a line that nothing has happened to yet."""
    if line.discount or line.current_quantity != line.quantity or line.is_tip:
        raise ValueError("only an untouched line without discount can grow")
    line.quantity += quantity
    line.current_quantity += quantity
    line.fulfillable_quantity += quantity
    rate = line.tax_lines[0].rate if line.tax_lines else ZERO
    line.tax_lines = placing.taxes(money.worth(line, line.quantity), rate, included=order.taxes_included)
    return _commit(world, store, order, OrderEdit(world.next_id(), at, [(line.id, quantity)], []), at)


def _line(
    world: World, store: Store, order: Order, good: Variant | placing.Custom, quantity: int, at: datetime
) -> LineItem:
    first = next((one for one in order.lines if one.price.shop), None)
    rate = None
    if order.currency != order.presentment_currency and first:
        rate = first.price.presentment / first.price.shop
    taxed = next((one.tax_lines[0].rate for one in order.lines if one.tax_lines), ZERO)
    basket = placing.Basket(at, [], rate=rate, tax_rate=taxed, taxes_included=order.taxes_included)
    return placing.line(world, store, good, quantity, basket)


def _commit(world: World, store: Store, order: Order, edit: OrderEdit, at: datetime) -> list[Event]:
    order.edits.append(edit)
    edited = Event(store.shop.domain, "orders/edited", edit.id, order.id)
    return [edited, *paying.changed(world, store, order, at)]
