"""What happens to parcels: sent, on their way, delivered, in trouble."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sims.shopify import money
from sims.shopify.events import Event
from sims.shopify.state import Fulfillment, FulfillmentEvent, Order, Store, World


def send(
    world: World, store: Store, order: Order, units: Mapping[int, int], at: datetime, *, is_carried: bool = True
) -> list[Event]:
    """Send units (by line id) in one parcel, or hand them over without a carrier."""
    lines = [(number, quantity) for number, quantity in units.items() if quantity]
    for number, quantity in lines:
        line = next(one for one in order.lines if one.id == number)
        if quantity > line.fulfillable_quantity:
            raise ValueError("Invalid fulfillment order line item quantity requested.")
        line.fulfillable_quantity -= quantity
        line.fulfilled_quantity += quantity
    n = len(order.fulfillments) + 1
    number_text = f"1Z{world.next_id() % 10**10:010d}"
    made = Fulfillment(
        id=world.next_id(),
        created_at=at,
        updated_at=at,
        status="SUCCESS",
        name=f"{order.name}-F{n}",
        lines=lines,
        tracking_company="DHL Express" if is_carried else None,
        tracking_number=number_text if is_carried else None,
        tracking_url=f"https://www.dhl.com/tracking?id={number_text}" if is_carried else None,
    )
    order.fulfillments.append(made)
    _touch(world, store, order, at)
    shop = store.shop.domain
    done = "orders/fulfilled" if order.fulfillment_status == "FULFILLED" else "orders/partially_fulfilled"
    return [
        Event(shop, "fulfillments/create", made.id, order.id),
        Event(shop, done, order.id),
        Event(shop, "orders/updated", order.id),
    ]


def at_once(world: World, store: Store, order: Order, at: datetime) -> list[Event]:
    """Fulfil what needs nobody to send it: everything at a till that hands it over, and gift cards that are emailed."""
    if order.financial_status != "PAID":
        return []
    units = everything(order)
    if order.delivery != "RETAIL":
        sent_by_email = {one.id for one in order.lines if one.is_gift_card and not one.requires_shipping}
        units = {number: quantity for number, quantity in units.items() if number in sent_by_email}
    return send(world, store, order, units, at, is_carried=False) if units else []


def everything(order: Order) -> dict[int, int]:
    """Give all units that can still be sent."""
    return {line.id: line.fulfillable_quantity for line in order.lines if line.fulfillable_quantity}


def report(world: World, store: Store, order: Order, parcel: Fulfillment, status: str, at: datetime) -> list[Event]:
    """Note a carrier's message: IN_TRANSIT, OUT_FOR_DELIVERY, DELIVERED, FAILURE, DELAYED."""
    message = FulfillmentEvent(world.next_id(), status, at, at)
    parcel.events.append(message)
    parcel.shipment_status = status
    world.touch(store, parcel, at)
    _touch(world, store, order, at)
    shop = store.shop.domain
    return [
        Event(shop, "fulfillment_events/create", message.id, order.id),
        Event(shop, "fulfillments/update", parcel.id, order.id),
        Event(shop, "orders/updated", order.id),
    ]


def recall(world: World, store: Store, order: Order, parcel: Fulfillment, at: datetime) -> list[Event]:
    """Cancel a parcel: its units can be sent again, as far as they are still on the order."""
    parcel.status = "CANCELLED"
    for number, quantity in parcel.lines:
        line = next(one for one in order.lines if one.id == number)
        line.fulfilled_quantity -= quantity
        line.fulfillable_quantity = min(line.fulfillable_quantity + quantity, line.current_quantity)
    world.touch(store, parcel, at)
    _touch(world, store, order, at)
    shop = store.shop.domain
    return [
        Event(shop, "fulfillments/update", parcel.id, order.id),
        Event(shop, "orders/updated", order.id),
    ]


def _touch(world: World, store: Store, order: Order, at: datetime) -> None:
    order.fulfillment_status = money.fulfillment_status(order)
    world.touch(store, order, at)
