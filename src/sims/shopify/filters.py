"""What each kind of record can be searched by and sorted by.

The fields are those of the `query` and `sortKey` arguments in https://shopify.dev/docs/api/admin-graphql/2026-10, so
that a field which is none of them warns here as it does there; those about things this world has not read as absent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from sims.shopify import money
from sims.shopify.baskets import Checkout
from sims.shopify.bulk.record import Operation
from sims.shopify.search import Field
from sims.shopify.state import Customer, Order, Product, Subscription, Variant

Read = Callable[[Any], Any]


def _absent(_: Any) -> None:
    return None


def _fields(names: str, kind: str = "text") -> dict[str, Field]:
    return {name: Field(_absent, kind) for name in names.split()}


def _said(read: Read) -> Read:
    return lambda x: str(bool(read(x))).lower()


def _accepted(read: Read, values: str) -> Field:
    return Field(read, "text", frozenset(values.split()))


COMMON: Mapping[str, Field] = {
    "id": Field(lambda x: x.id, "id"),
    "created_at": Field(lambda x: x.created_at, "time"),
    "updated_at": Field(lambda x: x.updated_at, "time"),
}
"""All that `customersCount` and `webhookSubscriptions` know; that the former ignores `email` was captured too."""

CUSTOMERS: Mapping[str, Field] = {
    **_fields("last_abandoned_order_date order_date", "time"),
    "accepts_marketing": Field(_said(lambda x: x.email_consent.state == "SUBSCRIBED")),
    "country": Field(
        lambda x: [x.default_address.country, x.default_address.country_code] if x.default_address else None
    ),
    "customer_date": Field(lambda x: x.created_at, "time"),
    "email": Field(lambda x: x.email, "tokens"),
    "first_name": Field(lambda x: x.first_name),
    "id": COMMON["id"],
    "last_name": Field(lambda x: x.last_name),
    "orders_count": Field(lambda x: x.number_of_orders, "number"),
    "phone": Field(lambda x: x.phone),
    "state": Field(lambda x: x.state),
    "tag": Field(lambda x: x.tags),
    "tag_not": Field(lambda x: x.tags, "not"),
    "total_spent": Field(lambda x: x.amount_spent, "number"),
    "updated_at": COMMON["updated_at"],
}

_FULFILLMENT = {
    "FULFILLED": ["fulfilled", "shipped"],
    "PARTIALLY_FULFILLED": ["partial", "unfulfilled"],
    "UNFULFILLED": ["unfulfilled", "unshipped"],
}

ORDERS: Mapping[str, Field] = {
    **COMMON,
    **_fields(
        "channel chargeback_status delivery_method fraud_protection_level payment_id po_number risk_level "
        "sales_channel source_identifier total_weight"
    ),
    **_fields("channel_id fulfillment_location_id payment_provider_id reference_location_id", "id"),
    "cart_token": Field(lambda x: x.cart_token),
    "checkout_token": Field(lambda x: x.checkout_token),
    "confirmation_number": Field(lambda x: confirmation_number(x)),
    "current_total_price": Field(lambda x: money.totals(x).current_total.shop, "number"),
    "customer_id": Field(lambda x: x.customer_id, "id"),
    "discount_code": Field(lambda x: [each.code for each in x.discount_codes]),
    "email": Field(lambda x: x.email, "tokens"),
    "financial_status": _accepted(
        lambda x: x.financial_status,
        "paid pending authorized partially_paid partially_refunded refunded voided expired",
    ),
    "fulfillment_status": _accepted(
        lambda x: _FULFILLMENT.get(x.fulfillment_status, [x.fulfillment_status]),
        "unshipped shipped fulfilled partial scheduled on_hold unfulfilled request_declined",
    ),
    "gateway": Field(lambda x: x.gateway),
    "location_id": Field(lambda x: x.location_id, "id"),
    "name": Field(lambda x: [x.name, x.name.lstrip("#")]),
    "processed_at": Field(lambda x: x.processed_at, "time"),
    "return_status": _accepted(
        lambda x: x.return_status, "return_requested in_progress inspection_complete returned return_failed no_return"
    ),
    "sku": Field(lambda x: [line.sku for line in x.lines]),
    "source_name": Field(lambda x: x.source_name),
    "status": _accepted(lambda x: _status(x), "open closed cancelled not_closed any"),
    "subtotal_line_items_quantity": Field(lambda x: sum(line.quantity for line in x.lines), "number"),
    "tag": Field(lambda x: x.tags),
    "tag_not": Field(lambda x: x.tags, "not"),
    "test": Field(_said(lambda x: x.test)),
}

PRODUCTS: Mapping[str, Field] = {
    **COMMON,
    **_fields(
        "bundles combined_listing_role error_feedback has_only_composites has_variant_with_components "
        "product_configuration_owner product_publication_status publication_ids publishable_status"
    ),
    **_fields("collection_id delivery_profile_id", "id"),
    "barcode": Field(lambda x: [each.barcode for each in x.variants]),
    "category_id": Field(lambda x: x.category[0].rsplit("/", 1)[-1] if x.category else None),
    "gift_card": Field(_said(lambda x: x.is_gift_card)),
    "handle": Field(lambda x: x.handle),
    "has_only_default_variant": Field(_said(lambda x: len(x.variants) == 1)),
    "inventory_total": Field(lambda x: sum(each.inventory_quantity for each in x.variants), "number"),
    "is_price_reduced": Field(_said(lambda x: any(each.compare_at_price for each in x.variants))),
    "out_of_stock_somewhere": Field(_said(lambda x: any(each.inventory_quantity <= 0 for each in x.variants))),
    "price": Field(lambda x: min((each.price for each in x.variants), default=None), "number"),
    "product_type": Field(lambda x: x.product_type),
    "published_at": Field(lambda x: x.published_at, "time"),
    "published_status": Field(lambda x: "published" if x.published_at else "unpublished"),
    "sku": Field(lambda x: [each.sku for each in x.variants]),
    "status": _accepted(lambda x: x.status, "active archived draft unlisted"),
    "tag": Field(lambda x: x.tags),
    "tag_not": Field(lambda x: x.tags, "not"),
    "title": Field(lambda x: x.title),
    "tracks_inventory": Field(lambda _: "true"),
    "variant_id": Field(lambda x: [each.id for each in x.variants]),
    "variant_title": Field(lambda x: [each.title for each in x.variants]),
    "vendor": Field(lambda x: x.vendor),
}

VARIANTS: Mapping[str, Field] = {
    **_fields(
        "collection exclude_composite exclude_variants_with_components gift_card managed managed_by "
        "product_publication_status product_status product_type publishable_status published_status "
        "requires_components tag tag_not vendor"
    ),
    **_fields("delivery_profile_id location_id", "id"),
    "barcode": Field(lambda x: x.barcode),
    "id": COMMON["id"],
    "inventory_quantity": Field(lambda x: x.inventory_quantity, "number"),
    "product_id": Field(lambda x: x.product_id, "id"),
    "product_ids": Field(lambda x: x.product_id, "id"),
    "sku": Field(lambda x: x.sku),
    "taxable": Field(_said(lambda x: x.taxable)),
    "title": Field(lambda x: x.title),
    "updated_at": COMMON["updated_at"],
}

CHECKOUTS: Mapping[str, Field] = {
    **COMMON,
    "email_state": _accepted(_absent, "sent not_sent scheduled suppressed"),
    "recovery_state": _accepted(
        lambda x: "recovered" if x.completed_at else "not_recovered", "recovered not_recovered"
    ),
    "status": _accepted(lambda x: "closed" if x.completed_at else "open", "open closed"),
}

RETURNS: Mapping[str, Field] = {"id": COMMON["id"], "status": Field(lambda x: x.status)}

COUNTED_SUBSCRIPTIONS: Mapping[str, Field] = {
    **COMMON,
    "endpoint": Field(lambda x: x.uri),
    "topic": Field(lambda x: x.topic),
}

BULK_OPERATIONS: Mapping[str, Field] = {
    "created_at": COMMON["created_at"],
    "id": COMMON["id"],
    "operation_type": _accepted(lambda x: x.type, "query mutation"),
    "status": _accepted(lambda x: x.status, "canceled canceling completed created failed running"),
}

NEVER = datetime.min.replace(tzinfo=UTC)
"""Where what has not happened is sorted: before everything, as captured."""

SORTS: Mapping[str, Mapping[str, Read]] = {
    "customers": {
        "CREATED_AT": lambda x: x.created_at,
        "ID": lambda x: x.id,
        "LOCATION": lambda x: x.default_address.country if x.default_address else "",
        "NAME": lambda x: f"{x.last_name or ''}, {x.first_name or ''}",
        "RELEVANCE": lambda x: x.id,
        "UPDATED_AT": lambda x: x.updated_at,
    },
    "orders": {
        "CREATED_AT": lambda x: x.created_at,
        "CURRENT_TOTAL_PRICE": lambda x: money.totals(x).current_total.shop,
        "CUSTOMER_NAME": lambda x: x.billing_address.last_name or "" if x.billing_address else "",
        "DESTINATION": lambda x: x.shipping_address.country if x.shipping_address else "",
        "FINANCIAL_STATUS": lambda x: x.financial_status or "",
        "FULFILLMENT_STATUS": lambda x: x.fulfillment_status,
        "ID": lambda x: x.id,
        "ORDER_NUMBER": lambda x: x.number,
        "PO_NUMBER": lambda _: "",
        "PROCESSED_AT": lambda x: x.processed_at,
        "RELEVANCE": lambda x: x.id,
        "TOTAL_ITEMS_QUANTITY": lambda x: sum(line.quantity for line in x.lines),
        "TOTAL_PRICE": lambda x: money.totals(x).total.shop,
        "UPDATED_AT": lambda x: x.updated_at,
    },
    "products": {
        "CREATED_AT": lambda x: x.created_at,
        "ID": lambda x: x.id,
        "INVENTORY_TOTAL": lambda x: sum(each.inventory_quantity for each in x.variants),
        "PRODUCT_TYPE": lambda x: x.product_type,
        "PUBLISHED_AT": lambda x: x.published_at.timestamp() if x.published_at else 0.0,
        "RELEVANCE": lambda x: x.id,
        "TITLE": lambda x: x.title,
        "UPDATED_AT": lambda x: x.updated_at,
        "VENDOR": lambda x: x.vendor,
    },
    "variants": {
        **dict.fromkeys(("FULL_TITLE", "NAME", "TITLE"), lambda x: x.title),
        **dict.fromkeys(("INVENTORY_LEVELS_AVAILABLE", "INVENTORY_QUANTITY"), lambda x: x.inventory_quantity),
        **dict.fromkeys(("INVENTORY_MANAGEMENT", "POPULAR", "RELEVANCE", "ID"), lambda x: x.id),
        "INVENTORY_POLICY": lambda x: x.inventory_policy,
        "POSITION": lambda x: x.position,
        "SKU": lambda x: x.sku or "",
    },
    "checkouts": {
        **dict.fromkeys(("CHECKOUT_ID", "ID", "RELEVANCE"), lambda x: x.id),
        "CREATED_AT": lambda x: x.created_at,
        "CUSTOMER_NAME": lambda x: x.email or "",
        "TOTAL_PRICE": lambda x: sum(line.price.shop * line.quantity for line in x.lines),
    },
    "subscriptions": {"CREATED_AT": lambda x: x.created_at, "ID": lambda x: x.id},
    "bulk": {"CREATED_AT": lambda x: x.created_at, "COMPLETED_AT": lambda x: x.completed_at or NEVER},
}

Record = Checkout | Customer | Operation | Order | Product | Subscription | Variant


def words(record: Record) -> str:
    """Return the text that a bare search word looks into."""
    match record:
        case Customer():
            parts = [record.first_name, record.last_name, record.email, record.phone, record.note]
        case Order():
            parts = [record.name, record.email, record.phone, record.note]
        case Product():
            parts = [record.title, record.vendor, record.product_type, record.handle]
        case Variant():
            parts = [record.title, record.sku, record.barcode]
        case Checkout():
            parts = [record.email, record.phone]
        case Subscription():
            parts = [record.topic, record.uri]
        case Operation():
            parts = [record.query]
    return " ".join(part for part in parts if part)


def confirmation_number(order: Order) -> str:
    """Return the letters an order confirmation shows, which only need to look like some."""
    letters, number = "", order.id
    for _ in range(9):
        number, at = divmod(number, 36)
        letters += "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[at]
    return letters


def _status(order: Order) -> list[str]:
    if order.cancelled_at:
        return ["cancelled", "closed", "any"]
    return ["closed", "any"] if order.closed_at else ["open", "not_closed", "any"]
