"""An Order node of `queries/orders.graphql`, read into an Order equal to the one its webhook body gives.

https://shopify.dev/docs/api/admin-graphql/2026-10/objects/Order
"""

from typing import Any

from msgspec import Struct

from isthmus.model.order import Fulfilment, Order, OrderLine, Refund, RefundLine, Return
from isthmus.shopify.parse.common_graphql import (
    GraphqlAddress,
    GraphqlMoneyBag,
    Nodes,
    Ref,
    graphql_address,
    graphql_amount,
    graphql_tags,
    graphql_total,
    number_of_gid,
    number_or_none,
)
from isthmus.shopify.parse.json import When, json_converter, json_reader, to_utc, to_utc_or_none
from isthmus.shopify.parse.money import Scale

# What a carrier or the merchant said of a parcel. Other display states only repeat the fulfilment's status
# (https://shopify.dev/docs/api/admin-graphql/2026-10/enums/FulfillmentDisplayStatus).
_SHIPMENT = frozenset(
    (
        "ATTEMPTED_DELIVERY",
        "CARRIER_PICKED_UP",
        "CONFIRMED",
        "DELAYED",
        "DELIVERED",
        "FAILURE",
        "IN_TRANSIT",
        "LABEL_PRINTED",
        "LABEL_PURCHASED",
        "OUT_FOR_DELIVERY",
        "PICKED_UP",
        "READY_FOR_PICKUP",
    )
)


class _Allocation(Struct, gc=False, rename="camel"):
    allocated_amount_set: GraphqlMoneyBag


class _Tax(Struct, gc=False, rename="camel"):
    price_set: GraphqlMoneyBag


class _Line(Struct, gc=False, rename="camel"):
    id: str
    title: str
    quantity: int
    current_quantity: int
    original_unit_price_set: GraphqlMoneyBag
    discount_allocations: list[_Allocation]
    tax_lines: list[_Tax]
    product: Ref | None
    variant: Ref | None
    variant_title: str | None
    sku: str | None
    vendor: str | None
    requires_shipping: bool
    unfulfilled_quantity: int


class _Shipping(Struct, gc=False):
    title: str


class _Customer(Struct, gc=False):
    id: str


class _RefundLine(Struct, gc=False, rename="camel"):
    quantity: int
    line_item: Ref
    subtotal_set: GraphqlMoneyBag
    total_tax_set: GraphqlMoneyBag


class _RefundShipping(Struct, gc=False, rename="camel"):
    subtotal_amount_set: GraphqlMoneyBag
    tax_amount_set: GraphqlMoneyBag


class _Transaction(Struct, gc=False, rename="camel"):
    kind: str
    status: str
    amount_set: GraphqlMoneyBag


class _Refund(Struct, gc=False, rename="camel"):
    id: str
    created_at: When | None
    processed_at: When
    refund_line_items: Nodes[_RefundLine]
    refund_shipping_lines: Nodes[_RefundShipping]
    transactions: Nodes[_Transaction]


class _Tracking(Struct, gc=False):
    company: str | None
    number: str | None


class _Fulfilment(Struct, gc=False, rename="camel"):
    id: str
    status: str
    display_status: str | None
    created_at: When
    updated_at: When
    tracking_info: list[_Tracking]
    requires_shipping: bool


class _Return(Struct, gc=False, rename="camel"):
    id: str
    status: str
    created_at: When
    request_approved_at: When | None
    closed_at: When | None


class _Order(Struct, gc=False, rename="camel"):
    id: str
    name: str
    created_at: When
    processed_at: When
    updated_at: When
    currency_code: str
    presentment_currency_code: str
    total_price_set: GraphqlMoneyBag
    current_total_price_set: GraphqlMoneyBag
    total_outstanding_set: GraphqlMoneyBag
    line_items: Nodes[_Line]
    display_financial_status: str | None
    display_fulfillment_status: str
    subtotal_price_set: GraphqlMoneyBag | None
    current_subtotal_price_set: GraphqlMoneyBag
    total_tax_set: GraphqlMoneyBag | None
    current_total_tax_set: GraphqlMoneyBag
    total_discounts_set: GraphqlMoneyBag | None
    current_total_discounts_set: GraphqlMoneyBag
    total_shipping_price_set: GraphqlMoneyBag
    current_shipping_price_set: GraphqlMoneyBag
    cancelled_at: When | None
    cancel_reason: str | None
    test: bool
    taxes_included: bool
    email: str | None
    phone: str | None
    customer: _Customer | None
    customer_locale: str | None
    tags: list[str]
    source_name: str | None
    checkout_token: str | None
    cart_token: str | None
    discount_codes: list[str]
    payment_gateway_names: list[str]
    shipping_lines: Nodes[_Shipping]
    billing_address: GraphqlAddress | None
    shipping_address: GraphqlAddress | None
    refunds: list[_Refund]
    fulfillments: list[_Fulfilment]
    returns: Nodes[_Return]


_convert = json_converter(_Order)
_read = json_reader(_Order)


def parse_order_node(node: dict[str, Any]) -> Order:
    """Read one order node whose pages are complete; RejectedError `storefront.unreadable_body` with the faulty path."""
    return _told(_convert(node))


def parse_order_json(body: bytes) -> Order:
    """Read one order node written as JSON; fails like `parse`."""
    return _told(_read(body))


def _told(raw: _Order) -> Order:
    scale = Scale(raw.currency_code, raw.presentment_currency_code)
    customer = raw.customer
    # The order's own name: the customer's may change later without the order telling.
    named = raw.billing_address or raw.shipping_address
    fulfilments = tuple([_fulfilment(fulfilment) for fulfilment in raw.fulfillments])
    return Order(
        id=number_of_gid(raw.id),
        name=raw.name,
        created_at=to_utc(raw.created_at),
        processed_at=to_utc(raw.processed_at),
        updated_at=to_utc(raw.updated_at),
        currency=raw.currency_code,
        presentment_currency=raw.presentment_currency_code,
        total=graphql_amount(raw.total_price_set, scale),
        current_total=graphql_amount(raw.current_total_price_set, scale),
        outstanding=scale.in_shop(raw.total_outstanding_set.shop_money.amount),
        lines=tuple([_line(line, scale) for line in raw.line_items.nodes]),
        financial_status=raw.display_financial_status,
        fulfilment_status=_fulfilment_status(raw.display_fulfillment_status, fulfilments),
        subtotal=graphql_amount(raw.subtotal_price_set, scale),
        current_subtotal=graphql_amount(raw.current_subtotal_price_set, scale),
        tax=graphql_amount(raw.total_tax_set, scale),
        current_tax=graphql_amount(raw.current_total_tax_set, scale),
        discounts=graphql_amount(raw.total_discounts_set, scale),
        current_discounts=graphql_amount(raw.current_total_discounts_set, scale),
        shipping=graphql_amount(raw.total_shipping_price_set, scale),
        current_shipping=graphql_amount(raw.current_shipping_price_set, scale),
        cancelled_at=to_utc_or_none(raw.cancelled_at),
        cancel_reason=raw.cancel_reason,
        is_test=raw.test,
        taxes_included=raw.taxes_included,
        email=raw.email or None,
        phone=raw.phone or None,
        customer_id=number_of_gid(customer.id) if customer is not None else None,
        firstname=(named.first_name or None) if named is not None else None,
        lastname=(named.last_name or None) if named is not None else None,
        locale=raw.customer_locale or None,
        tags=graphql_tags(raw.tags),
        source_name=raw.source_name or None,
        checkout_token=raw.checkout_token or None,
        cart_token=raw.cart_token or None,
        discount_codes=tuple(raw.discount_codes),
        gateways=tuple(raw.payment_gateway_names),
        shipping_method=raw.shipping_lines.nodes[0].title if raw.shipping_lines.nodes else None,
        billing_address=graphql_address(raw.billing_address),
        shipping_address=graphql_address(raw.shipping_address),
        refunds=tuple([_refund(refund, raw.taxes_included, scale) for refund in raw.refunds]),
        fulfilments=fulfilments,
        returns=tuple([_return(one) for one in raw.returns.nodes]),
        has_open_goods=bool(fulfilments)
        and any(line.requires_shipping and line.unfulfilled_quantity > 0 for line in raw.line_items.nodes),
    )


def _line(line: _Line, scale: Scale) -> OrderLine:
    return OrderLine(
        id=number_of_gid(line.id),
        title=line.title,
        quantity=line.quantity,
        current_quantity=line.current_quantity,
        unit_price=graphql_amount(line.original_unit_price_set, scale),
        discount=graphql_total([given.allocated_amount_set for given in line.discount_allocations], scale),
        tax=graphql_total([tax.price_set for tax in line.tax_lines], scale),
        product_id=number_or_none(line.product),
        variant_id=number_or_none(line.variant),
        variant_title=line.variant_title or None,
        sku=line.sku or None,
        vendor=line.vendor or None,
    )


def _refund(refund: _Refund, taxes_included: bool, scale: Scale) -> Refund:
    shipping = [given.subtotal_amount_set for given in refund.refund_shipping_lines.nodes]
    if not taxes_included:
        shipping += [given.tax_amount_set for given in refund.refund_shipping_lines.nodes]
    moved = [one for one in refund.transactions.nodes if one.kind == "REFUND" and one.status == "SUCCESS"]
    return Refund(
        id=number_of_gid(refund.id),
        created_at=to_utc(refund.created_at or refund.processed_at),
        returned=graphql_total([one.amount_set for one in moved], scale),
        shipping=graphql_total(shipping, scale),
        lines=tuple([_refund_line(line, scale) for line in refund.refund_line_items.nodes]),
    )


def _refund_line(line: _RefundLine, scale: Scale) -> RefundLine:
    return RefundLine(
        line_id=number_of_gid(line.line_item.id),
        quantity=line.quantity,
        subtotal=graphql_amount(line.subtotal_set, scale),
        tax=graphql_amount(line.total_tax_set, scale),
    )


def _return(one: _Return) -> Return:
    return Return(
        id=number_of_gid(one.id),
        status=one.status.lower(),
        created_at=to_utc(one.created_at),
        approved_at=to_utc_or_none(one.request_approved_at),
        closed_at=to_utc_or_none(one.closed_at),
    )


def _fulfilment(fulfilment: _Fulfilment) -> Fulfilment:
    tracking = fulfilment.tracking_info[0] if fulfilment.tracking_info else None
    display = fulfilment.display_status
    return Fulfilment(
        id=number_of_gid(fulfilment.id),
        status=fulfilment.status.lower(),
        created_at=to_utc(fulfilment.created_at),
        updated_at=to_utc(fulfilment.updated_at),
        shipment=display.lower() if display in _SHIPMENT else None,
        tracking_company=(tracking.company or None) if tracking is not None else None,
        tracking_number=(tracking.number or None) if tracking is not None else None,
        requires_shipping=fulfilment.requires_shipping,
    )


def _fulfilment_status(display: str, fulfilments: tuple[Fulfilment, ...]) -> str:
    """Shopify's display status says more than the webhook's; whatever hides it, a parcel that left means partly."""
    if display in ("FULFILLED", "PARTIALLY_FULFILLED"):
        return display
    if display in ("UNFULFILLED", "RESTOCKED", "FULFILLMENT_NOT_REQUIRED"):
        return "UNFULFILLED"
    has_left = any(fulfilment.status == "success" for fulfilment in fulfilments)
    return "PARTIALLY_FULFILLED" if has_left else "UNFULFILLED"
