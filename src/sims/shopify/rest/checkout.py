"""Bodies about checkouts and carts. Since 2026-04 a checkout's body has no `id`: its token joins it to the order."""

from __future__ import annotations

from typing import Any

from sims.shopify import money
from sims.shopify.baskets import Checkout, CheckoutLine
from sims.shopify.rest import parts, people
from sims.shopify.rest.scene import Renderer, Scene
from sims.shopify.state import NOTHING, MoneyBag


def _whole(seen: Scene) -> dict[str, Any]:
    one: Checkout = seen.event.detail["checkout"]
    zone = seen.store.shop.iana_timezone
    buyer = seen.store.customers.get(one.customer_id) if one.customer_id else None
    subtotal = _subtotal(one)
    total = subtotal + (one.shipping_price or NOTHING) + (NOTHING if one.taxes_included else one.total_tax)
    made: dict[str, Any] = {
        "token": one.token,
        "cart_token": one.cart_token,
        "email": one.email,
        "gateway": None,
        "buyer_accepts_marketing": one.buyer_accepts_marketing,
        "created_at": parts.local(one.created_at, zone),
        "updated_at": parts.local(one.updated_at, zone),
        "landing_site": None,
        "note": None,
        "note_attributes": [],
        "referring_site": None,
        "shipping_lines": [],
        "taxes_included": one.taxes_included,
        "total_weight": 0,
        "currency": one.currency,
        "completed_at": parts.maybe(one.completed_at, zone),
        "closed_at": None,
        "user_id": None,
        "location_id": None,
        "source_identifier": None,
        "source_url": None,
        "device_id": None,
        "phone": one.phone,
        "customer_locale": one.locale,
        "line_items": [_line(each) for each in one.lines],
        "name": f"#{one.id}",
        "source": None,
        "abandoned_checkout_url": one.abandoned_checkout_url,
        "discount_codes": [],
        "tax_lines": [],
        "source_name": one.source_name,
        "presentment_currency": one.presentment_currency,
        "buyer_accepts_sms_marketing": one.sms_marketing,
        "sms_marketing_phone": None,
        "total_discounts": parts.amount(one.total_discounts.presentment),
        "total_line_items_price": parts.amount(subtotal.presentment),
        "total_price": parts.amount(total.presentment),
        "total_tax": parts.amount(one.total_tax.presentment),
        "subtotal_price": parts.amount(subtotal.presentment),
        "total_duties": None,
        "reservation_token": None,
    }
    for key, place in (("billing_address", one.billing_address), ("shipping_address", one.shipping_address)):
        made[key] = parts.postal(place) if place else _NO_ADDRESS[one.no_address]
        if made[key] is ...:
            del made[key]
    if buyer:
        made["customer"] = people.slim(seen.store, buyer)
    return made


_NO_ADDRESS: dict[str, Any] = {
    "list": [],
    "absent": ...,
    "object": {},
    "nulls": dict.fromkeys(("first_name", "last_name", "address1", "city", "zip", "province", "country_code", "phone")),
    "null": None,
}
"""How a body says that no address was typed: an empty list in four of nine real ones, the others ASSUMED."""


def _deleted(seen: Scene) -> dict[str, Any]:
    one: Checkout = seen.event.detail["checkout"]
    whole = _whole(seen)
    kept = (
        "presentment_currency",
        "buyer_accepts_sms_marketing",
        "sms_marketing_phone",
        "total_discounts",
        "total_line_items_price",
        "total_price",
        "total_tax",
        "subtotal_price",
        "cart_token",
        "total_duties",
        "reservation_token",
    )
    return {"id": one.id, **{key: whole[key] for key in kept}}


def _cart(seen: Scene) -> dict[str, Any]:
    one: Checkout = seen.event.detail["checkout"]
    return {
        "id": one.cart_token or one.token,
        "token": one.cart_token or one.token,
        "line_items": [_cart_line(one, each) for each in one.lines],
        "note": None,
        "updated_at": parts.instant(one.updated_at),
        "created_at": parts.instant(one.created_at),
    }


def _line(one: CheckoutLine) -> dict[str, Any]:
    """Write a line in presentment money (ASSUMED: a checkout is what its customer sees)."""
    return {
        "applied_discounts": [],
        "discount_allocations": [],
        "key": f"{one.id:032x}",
        "destination_location_id": None,
        "fulfillment_service": "manual",
        "gift_card": False,
        "grams": 0,
        "origin_location_id": None,
        "presentment_title": one.title,
        "presentment_variant_title": one.variant_title,
        "product_id": one.product_id,
        "properties": None,
        "quantity": one.quantity,
        "requires_shipping": True,
        "sku": one.sku,
        "tax_lines": [],
        "taxable": True,
        "title": one.title,
        "variant_id": one.variant_id,
        "variant_title": one.variant_title,
        "variant_price": parts.amount(one.price.presentment),
        "vendor": one.vendor,
        "user_id": None,
        "unit_price_measurement": {
            "measured_type": None,
            "quantity_value": None,
            "quantity_unit": None,
            "reference_value": None,
            "reference_unit": None,
        },
        "rank": None,
        "compare_at_price": None,
        "line_price": parts.amount(one.price.presentment * one.quantity),
        "price": parts.amount(one.price.presentment),
    }


def _cart_line(cart: Checkout, one: CheckoutLine) -> dict[str, Any]:
    def bag(value: MoneyBag) -> dict[str, Any]:
        return parts.bag(value, cart.currency, cart.presentment_currency)

    price, worth = parts.amount(one.price.shop), parts.amount(one.price.shop * one.quantity)
    return {
        "id": one.variant_id,
        "properties": None,
        "quantity": one.quantity,
        "variant_id": one.variant_id,
        "key": f"{one.variant_id}:{one.id:032x}",
        "discounted_price": price,
        "discounts": [],
        "gift_card": False,
        "grams": 0,
        "line_price": worth,
        "original_line_price": worth,
        "original_price": price,
        "price": price,
        "product_id": one.product_id,
        "sku": one.sku,
        "taxable": True,
        "title": f"{one.title} - {one.variant_title}" if one.variant_title else one.title,
        "total_discount": "0.00",
        "vendor": one.vendor,
        "discounted_price_set": bag(one.price),
        "line_price_set": bag(money.times(one.price, one.quantity)),
        "original_line_price_set": bag(money.times(one.price, one.quantity)),
        "price_set": bag(one.price),
        "total_discount_set": bag(NOTHING),
        "parent_relationship": None,
    }


def _subtotal(one: Checkout) -> MoneyBag:
    return money.total(money.times(each.price, each.quantity) for each in one.lines)


RENDERERS: dict[str, Renderer] = {
    "checkouts/create": _whole,
    "checkouts/update": _whole,
    "checkouts/delete": _deleted,
    "carts/create": _cart,
    "carts/update": _cart,
}
