"""How the parcels of an order reach its buyer: an Order node of `queries/deliveries.graphql`.

https://shopify.dev/docs/api/admin-graphql/2026-10/enums/DeliveryMethodType
"""

from typing import Any

from msgspec import Struct

from isthmus.shopify.parse.body import converter
from isthmus.shopify.parse.pieces_node import Nodes, number


class _Method(Struct, gc=False, rename="camel"):
    method_type: str


class _FulfilmentOrder(Struct, gc=False, rename="camel"):
    delivery_method: _Method | None


class _Fulfilment(Struct, gc=False, rename="camel"):
    id: str
    fulfillment_orders: Nodes[_FulfilmentOrder]


class _Order(Struct, gc=False):
    fulfillments: list[_Fulfilment]


_convert = converter(_Order)

Deliveries = dict[int, str | None]
"""Delivery methods by the number of the fulfilment; None where Shopify knows of none."""


def parse(node: dict[str, Any]) -> Deliveries:
    """Read one node; RejectedError `storefront.unreadable_body` with the faulty path."""
    return {number(one.id): _method(one) for one in _convert(node).fulfillments}


def _method(fulfilment: _Fulfilment) -> str | None:
    methods = [one.delivery_method.method_type for one in fulfilment.fulfillment_orders.nodes if one.delivery_method]
    return methods[0] if methods else None
