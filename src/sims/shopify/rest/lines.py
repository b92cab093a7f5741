"""How an order's lines and shipping lines are written."""

from __future__ import annotations

from typing import Any

from sims.shopify import money
from sims.shopify.rest import parts
from sims.shopify.state import NOTHING, LineItem, MoneyBag, Order, ShippingLine, Store, gid


def line(store: Store, order: Order, one: LineItem) -> dict[str, Any]:
    """Write a line as orders carry it."""
    made = slim(store, order, one)
    made["attributed_staffs"] = []
    made["current_quantity"] = one.current_quantity
    made["sales_line_item_group_id"] = None
    return made


def slim(store: Store, order: Order, one: LineItem, *, quantity: int | None = None) -> dict[str, Any]:
    """Write a line as refunds and parcels carry it, with their own quantity."""
    currency, presentment = order.currency, order.presentment_currency
    lives = one.product_id is not None and one.product_id in store.products
    return {
        "id": one.id,
        "admin_graphql_api_id": gid("LineItem", one.id),
        "variant_id": one.variant_id if lives and one.variant_id in store.variants else None,
        "title": one.title,
        "quantity": one.quantity if quantity is None else quantity,
        "sku": one.sku,
        "variant_title": one.variant_title,
        "vendor": one.vendor,
        "fulfillment_service": "manual",
        "product_id": one.product_id if lives else None,
        "requires_shipping": one.requires_shipping,
        "taxable": bool(one.tax_lines),
        "gift_card": one.is_gift_card,
        "name": f"{one.title} - {one.variant_title}" if one.variant_title else one.title,
        "variant_inventory_management": "shopify" if one.variant_id else None,
        "properties": [{"name": name, "value": value} for name, value in one.properties],
        "product_exists": lives,
        "fulfillable_quantity": one.fulfillable_quantity,
        "grams": 0,
        "price": parts.amount(one.price.shop),
        "total_discount": "0.00",  # of codes nothing stands here: see discount_allocations
        "fulfillment_status": _status(one),
        "price_set": parts.bag(one.price, currency, presentment),
        "total_discount_set": parts.bag(NOTHING, currency, presentment),
        "discount_allocations": allocations(order, one.discount),
        "duties": [],
        "tax_lines": parts.tax_lines(one.tax_lines, currency, presentment) or parts.no_list(order),
    }


def shipping(order: Order, one: ShippingLine) -> dict[str, Any]:
    """Write a shipping charge."""
    currency, presentment = order.currency, order.presentment_currency
    worth = money.shipping_worth(one)
    return {
        "id": one.id,
        "carrier_identifier": None,
        "code": one.code,
        "current_discounted_price_set": parts.bag(worth - one.refunded, currency, presentment),
        "discounted_price": parts.amount(worth.shop),
        "discounted_price_set": parts.bag(worth, currency, presentment),
        "is_removed": False,
        "phone": None,
        "price": parts.amount(one.price.shop),
        "price_set": parts.bag(one.price, currency, presentment),
        "requested_fulfillment_service_id": None,
        "source": "shopify",
        "title": one.title,
        "tax_lines": parts.tax_lines(one.tax_lines, currency, presentment),
        "discount_allocations": allocations(order, one.discount),
    }


def allocations(order: Order, discount: MoneyBag) -> list[dict[str, Any]]:
    """Write what an order's one code took off a line."""
    if not discount:
        return []
    return [
        {
            "amount": parts.amount(discount.shop),
            "discount_application_index": 0,
            "amount_set": parts.bag(discount, order.currency, order.presentment_currency),
        }
    ]


def _status(one: LineItem) -> str | None:
    if not one.fulfilled_quantity:
        return None
    return "partial" if one.fulfillable_quantity else "fulfilled"
