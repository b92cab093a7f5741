"""Bodies about returns: hardly more than ids, as published; returns/process is an empty object."""

from __future__ import annotations

from typing import Any

from sims.shopify.events import Event
from sims.shopify.rest.scene import Renderer, Scene
from sims.shopify.state import Order, Return, Store, gid


def inner(one: Return) -> dict[str, Any]:
    """Write a return as orders carry it (ASSUMED: the published samples show only empty lists)."""
    return {
        "id": one.id,
        "admin_graphql_api_id": gid("Return", one.id),
        "status": one.status.lower(),
        "name": one.name,
        "total_return_line_items": sum(each.quantity for each in one.lines),
        "return_line_items": [
            {
                "id": each.id,
                "admin_graphql_api_id": gid("ReturnLineItem", each.id),
                "line_item_id": each.line_id,
                "quantity": each.quantity,
                "return_reason": each.reason.lower(),
            }
            for each in one.lines
        ],
    }


def _wide(seen: Scene) -> dict[str, Any]:
    order, one = _find(seen.store, seen.event)
    return {
        "id": one.id,
        "admin_graphql_api_id": gid("Return", one.id),
        "status": one.status.lower(),
        "order": _order(order),
        "total_return_line_items": sum(each.quantity for each in one.lines),
        "name": one.name,
        "return_line_items": inner(one)["return_line_items"],
        "return_shipping_fees": [],
        "exchange_line_items": [
            {"id": number, "admin_graphql_api_id": gid("ExchangeLineItem", number), "line_item": None}
            for number in one.exchange_line_ids
        ],
        "total_exchange_line_items": len(one.exchange_line_ids),
    }


def _declined(seen: Scene) -> dict[str, Any]:
    order, one = _find(seen.store, seen.event)
    return {
        "id": one.id,
        "admin_graphql_api_id": gid("Return", one.id),
        "status": one.status.lower(),
        "order": _order(order),
        "decline": {"reason": (one.decline_reason or "other").lower(), "note": "The return window has ended."},
    }


def _narrow(seen: Scene) -> dict[str, Any]:
    order, one = _find(seen.store, seen.event)
    return {
        "id": one.id,
        "admin_graphql_api_id": gid("Return", one.id),
        "order_id": order.id,
        "status": one.status.lower(),
    }


def _updated(seen: Scene) -> dict[str, Any]:
    return {
        "admin_graphql_api_id": gid("Return", seen.event.id),
        "return_line_items": {
            "removals": [
                {"admin_graphql_api_id": gid("ReturnLineItem", number), "delta": delta}
                for number, delta in seen.event.detail.get("removals", [])
            ]
        },
        "restocking_fees": {"updates": [], "removals": []},
        "return_shipping_fees": {"updates": [], "removals": []},
    }


def _order(order: Order) -> dict[str, Any]:
    return {"id": order.id, "admin_graphql_api_id": gid("Order", order.id)}


def _find(store: Store, event: Event) -> tuple[Order, Return]:
    order = store.orders[event.parent]
    return order, next(one for one in order.returns if one.id == event.id)


RENDERERS: dict[str, Renderer] = {
    "returns/request": _wide,
    "returns/approve": _wide,
    "returns/decline": _declined,
    "returns/cancel": _narrow,
    "returns/close": _narrow,
    "returns/reopen": _narrow,
    "returns/process": lambda _: {},
    "returns/update": _updated,
}
