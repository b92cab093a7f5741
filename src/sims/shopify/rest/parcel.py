"""How parcels and their events are written, in their own topics and inside orders."""

from __future__ import annotations

from typing import Any

from sims.shopify.rest import lines, parts
from sims.shopify.state import Fulfillment, FulfillmentEvent, Order, Store, gid


def parcel(store: Store, order: Order, one: Fulfillment) -> dict[str, Any]:
    """Write a parcel as fulfillments/* carry it."""
    made = inner(store, order, one)
    made["email"] = order.email
    made["destination"] = parts.postal(order.shipping_address)
    return made


def inner(store: Store, order: Order, one: Fulfillment) -> dict[str, Any]:
    """Write a parcel as orders carry it."""
    zone = store.shop.iana_timezone
    by_id = {each.id: each for each in order.lines}
    numbers = [one.tracking_number] if one.tracking_number else []
    urls = [one.tracking_url] if one.tracking_url else []
    return {
        "id": one.id,
        "order_id": order.id,
        "status": one.status.lower(),
        "created_at": parts.local(one.created_at, zone),
        "service": "manual",
        "updated_at": parts.local(one.updated_at, zone),
        "tracking_company": one.tracking_company,
        "shipment_status": one.shipment_status.lower() if one.shipment_status else None,
        "location_id": store.locations[0].id,
        "origin_address": None,
        "line_items": [lines.slim(store, order, by_id[number], quantity=quantity) for number, quantity in one.lines],
        "tracking_number": one.tracking_number,
        "tracking_numbers": numbers,
        "tracking_url": one.tracking_url,
        "tracking_urls": urls,
        "receipt": {},
        "name": one.name,
        "admin_graphql_api_id": gid("Fulfillment", one.id),
    }


def event(store: Store, order: Order, one: Fulfillment, said: FulfillmentEvent) -> dict[str, Any]:
    """Write a carrier's message."""
    zone = store.shop.iana_timezone
    where = order.shipping_address
    return {
        "id": said.id,
        "fulfillment_id": one.id,
        "status": said.status.lower(),
        "message": None,
        "happened_at": parts.local(said.happened_at, zone),
        "city": None,
        "province": None,
        "country": where.country_code if where else None,
        "zip": None,
        "address1": None,
        "latitude": None,
        "longitude": None,
        "shop_id": store.shop.id,
        "created_at": parts.local(said.created_at, zone),
        "updated_at": parts.local(said.created_at, zone),
        "estimated_delivery_at": None,
        "order_id": order.id,
        "admin_graphql_api_id": gid("FulfillmentEvent", said.id),
    }
