"""How the parcels of an order reach its buyer: an Order node of `queries/deliveries.graphql`.

https://shopify.dev/docs/api/admin-graphql/2026-10/enums/DeliveryMethodType
"""

from typing import Any

from msgspec import Struct

from isthmus.shopify.parse.common_graphql import Nodes, number_of_gid
from isthmus.shopify.parse.json import json_converter


class _Method(Struct, gc=False, rename="camel"):
    method_type: str


class _FulfilmentOrder(Struct, gc=False, rename="camel"):
    delivery_method: _Method | None


class _Fulfilment(Struct, gc=False, rename="camel"):
    id: str
    fulfillment_orders: Nodes[_FulfilmentOrder]


class _Order(Struct, gc=False):
    fulfillments: list[_Fulfilment]


_convert = json_converter(_Order)

Deliveries = dict[int, str | None]
"""Delivery methods by the number of the fulfilment; None where Shopify knows of none."""


def parse_delivery_node(node: dict[str, Any]) -> Deliveries:
    """Read one node; RejectedError `storefront.unreadable_body` with the faulty path."""
    return {number_of_gid(one.id): _method(one) for one in _convert(node).fulfillments}


def _method(fulfilment: _Fulfilment) -> str | None:
    methods = [one.delivery_method.method_type for one in fulfilment.fulfillment_orders.nodes if one.delivery_method]
    return methods[0] if methods else None
