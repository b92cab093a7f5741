"""Bodies about orders: the whole order in six topics, deltas of an edit, its refunds, parcels and messages.

Since 2026-04 there is no `checkout_id` (https://shopify.dev/changelog/removed-checkout-id-from-checkouts-and-orders-webhooks).
"""

from __future__ import annotations

import hashlib
from itertools import chain
from typing import Any

from sims.shopify import money
from sims.shopify.rest import lines, parcel, parts, people, refund, returns
from sims.shopify.rest.scene import Renderer, Scene
from sims.shopify.state import NOTHING, MoneyBag, Order, Store, TaxLine, World, gid

FULFILLMENT = {"UNFULFILLED": None, "PARTIALLY_FULFILLED": "partial", "FULFILLED": "fulfilled"}


def order(world: World, store: Store, one: Order) -> dict[str, Any]:
    """Write an order in full, as it is now."""
    zone = store.shop.iana_timezone
    sums = money.totals(one)
    token = hashlib.md5(str(one.id).encode(), usedforsecurity=False).hexdigest()

    def bag(value: MoneyBag) -> dict[str, Any]:
        return parts.bag(value, one.currency, one.presentment_currency)

    made: dict[str, Any] = {
        "id": one.id,
        "admin_graphql_api_id": gid("Order", one.id),
        "app_id": None,
        "browser_ip": None,
        "buyer_accepts_marketing": one.buyer_accepts_marketing,
        "cancel_reason": one.cancel_reason.lower() if one.cancel_reason else None,
        "cancelled_at": parts.maybe(one.cancelled_at, zone),
        "cart_token": one.cart_token,
        "checkout_token": one.checkout_token,
        "client_details": None,
        "closed_at": parts.maybe(one.closed_at, zone),
        "confirmation_number": token[:9].upper(),
        "confirmed": True,
        "contact_email": one.email,
        "created_at": parts.local(one.created_at, zone),
        "currency": one.currency,
        "current_shipping_price_set": bag(sums.current_shipping),
        "current_subtotal_price": parts.amount(sums.current_subtotal.shop),
        "current_subtotal_price_set": bag(sums.current_subtotal),
        "current_total_additional_fees_set": None,
        "current_total_discounts": parts.amount(sums.current_discounts.shop),
        "current_total_discounts_set": bag(sums.current_discounts),
        "current_total_duties_set": None,
        "current_total_price": parts.amount(sums.current_total.shop),
        "current_total_price_set": bag(sums.current_total),
        "current_total_tax": parts.amount(sums.current_tax.shop),
        "current_total_tax_set": bag(sums.current_tax),
        "customer_locale": one.locale,
        "device_id": None,
        "discount_codes": [
            {"code": each.code, "amount": parts.amount(each.amount.shop), "type": each.type}
            for each in one.discount_codes
        ]
        or parts.no_list(one),
        "duties_included": False,
        "email": one.email,
        "estimated_taxes": False,
        "financial_status": one.financial_status.lower() if one.financial_status else None,
        "fulfillment_status": FULFILLMENT.get(one.fulfillment_status),
        "landing_site": None,
        "landing_site_ref": None,
        "location_id": one.location_id,
        "merchant_business_entity_id": "MTU0ODM4MDAwOQ",
        "merchant_of_record_app_id": None,
        "name": one.name,
        "note": one.note,
        "note_attributes": [],
        "number": one.number - 1000,
        "order_number": one.number,
        "order_status_url": f"https://{store.shop.domain}/{store.shop.id}/orders/{token}/authenticate?key={token[::-1]}",
        "original_total_additional_fees_set": None,
        "original_total_duties_set": None,
        "payment_gateway_names": [one.gateway] if one.transactions else [],
        "phone": one.phone,
        "po_number": None,
        "presentment_currency": one.presentment_currency,
        "processed_at": parts.local(one.processed_at, zone),
        "reference": None,
        "referring_site": None,
        "source_identifier": None,
        "source_name": one.source_name,
        "source_url": None,
        "subtotal_price": parts.amount(sums.subtotal.shop),
        "subtotal_price_set": bag(sums.subtotal),
        "tags": ", ".join(one.tags),
        "tax_exempt": False,
        "tax_lines": parts.tax_lines(_taxes(one), one.currency, one.presentment_currency),
        "taxes_included": one.taxes_included,
        "test": one.test,
        "token": token,
        "total_cash_rounding_payment_adjustment_set": bag(NOTHING),
        "total_cash_rounding_refund_adjustment_set": bag(NOTHING),
        "total_discounts": parts.amount(sums.discounts.shop),
        "total_discounts_set": bag(sums.discounts),
        "total_line_items_price": parts.amount(sums.line_items_price.shop),
        "total_line_items_price_set": bag(sums.line_items_price),
        "total_outstanding": parts.amount(sums.outstanding.shop),
        "total_price": parts.amount(sums.total.shop),
        "total_price_set": bag(sums.total),
        "total_shipping_price_set": bag(sums.shipping),
        "total_tax": parts.amount(sums.tax.shop),
        "total_tax_set": bag(sums.tax),
        "total_tip_received": parts.amount(sums.tip.shop),
        "total_weight": 0,
        "updated_at": parts.local(one.updated_at, zone),
        "user_id": None,
        "billing_address": parts.postal(one.billing_address),
        "customer": None,
        "discount_applications": _applications(one),
        "fulfillments": [parcel.inner(store, one, each) for each in one.fulfillments],
        "line_item_groups": [],
        "line_items": [lines.line(store, one, each) for each in one.lines],
        "payment_terms": None,
        "refunds": [refund.refund(world, store, one, each) for each in one.refunds],
        "shipping_address": parts.postal(one.shipping_address),
        "shipping_lines": [lines.shipping(one, each) for each in one.shipping_lines] or parts.no_list(one),
        "returns": [returns.inner(each) for each in one.returns],
    }
    buyer = store.customer_of(one)
    if buyer:
        made["customer"] = people.slim(store, buyer)
    return made


def _taxes(one: Order) -> list[TaxLine]:
    """Sum the tax lines of an order by title and rate."""
    found: dict[tuple[str, Any], MoneyBag] = {}
    for tax in chain(*(each.tax_lines for each in one.lines), *(each.tax_lines for each in one.shipping_lines)):
        found[tax.title, tax.rate] = found.get((tax.title, tax.rate), NOTHING) + tax.price
    return [TaxLine(title, rate, price) for (title, rate), price in found.items()]


def _applications(one: Order) -> list[dict[str, Any]]:
    return [
        {
            "target_type": "shipping_line" if each.type == "shipping" else "line_item",
            "type": "discount_code",
            "value": parts.amount(each.value),
            "value_type": "percentage",
            "allocation_method": "across",
            "target_selection": "all",
            "code": each.code,
        }
        for each in one.discount_codes
    ]


def _whole(seen: Scene) -> dict[str, Any]:
    return order(seen.world, seen.store, seen.store.orders[seen.event.id])


def _deleted(seen: Scene) -> dict[str, Any]:
    return {"id": seen.event.id}


def _edited(seen: Scene) -> dict[str, Any]:
    edit = next(one for one in seen.store.orders[seen.event.parent].edits if one.id == seen.event.id)
    at = parts.local(edit.committed_at, seen.store.shop.iana_timezone)
    return {
        "order_edit": {
            "id": edit.id,
            "app_id": None,
            "created_at": at,
            "committed_at": at,
            "notify_customer": False,
            "order_id": seen.event.parent,
            "staff_note": "",
            "user_id": None,
            "line_items": {
                "additions": [{"id": number, "delta": delta} for number, delta in edit.additions],
                "removals": [{"id": number, "delta": delta} for number, delta in edit.removals],
            },
            "discounts": {"line_item": {"additions": [], "removals": []}},
            "shipping_lines": {"additions": [], "removals": []},
        }
    }


def _refunded(seen: Scene) -> dict[str, Any]:
    one = seen.store.orders[seen.event.parent]
    return refund.refund(seen.world, seen.store, one, next(each for each in one.refunds if each.id == seen.event.id))


def _parcel(seen: Scene) -> dict[str, Any]:
    one = seen.store.orders[seen.event.parent]
    return parcel.parcel(seen.store, one, next(each for each in one.fulfillments if each.id == seen.event.id))


def _message(seen: Scene) -> dict[str, Any]:
    one = seen.store.orders[seen.event.parent]
    found = next((box, said) for box in one.fulfillments for said in box.events if said.id == seen.event.id)
    return parcel.event(seen.store, one, *found)


RENDERERS: dict[str, Renderer] = {
    "orders/create": _whole,
    "orders/updated": _whole,
    "orders/paid": _whole,
    "orders/fulfilled": _whole,
    "orders/partially_fulfilled": _whole,
    "orders/cancelled": _whole,
    "orders/edited": _edited,
    "orders/delete": _deleted,
    "refunds/create": _refunded,
    "fulfillments/create": _parcel,
    "fulfillments/update": _parcel,
    "fulfillment_events/create": _message,
    "fulfillment_events/delete": _message,
}
