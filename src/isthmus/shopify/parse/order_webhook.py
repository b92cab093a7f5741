"""The body of an order webhook, read into an Order: the hot path of a busy day.

Keys as published for orders/* (https://shopify.dev/docs/api/webhooks/2026-10?reference=toml#list-of-topics-orders/create).
Shopify writes amounts here at the currency's own scale ("15.00"), which is the scale canonical records keep.
"""

from collections.abc import Sequence

from msgspec import Struct

from isthmus.kit.money import ZERO
from isthmus.model.order import NOTHING, Amount, Fulfilment, Order, OrderLine, Refund, RefundLine
from isthmus.shopify.parse.common_rest import (
    RestAddress,
    RestMoneyBag,
    rest_address,
    rest_amount,
    rest_tags,
    rest_total,
)
from isthmus.shopify.parse.json import Count, Id, NeedsFetch, Partial, When, json_reader, to_utc, to_utc_or_none
from isthmus.shopify.parse.money import Scale, parse_amount

_FULFILMENT = {"fulfilled": "FULFILLED", "partial": "PARTIALLY_FULFILLED"}


class _Priced(Struct, gc=False):
    price_set: RestMoneyBag


class _Allocation(Struct, gc=False):
    amount_set: RestMoneyBag


class _Line(Struct, gc=False):
    id: Id
    title: str
    quantity: Count
    current_quantity: Count
    price_set: RestMoneyBag
    product_id: Id | None = None
    variant_id: Id | None = None
    variant_title: str | None = None
    sku: str | None = None
    vendor: str | None = None
    tax_lines: list[_Priced] = []
    discount_allocations: list[_Allocation] = []
    requires_shipping: bool = True
    fulfillable_quantity: int = 0


class _Customer(Struct, gc=False):
    id: Id


class _Code(Struct, gc=False):
    code: str


class _Shipping(Struct, gc=False):
    title: str | None = None


class _RefundLine(Struct, gc=False):
    line_item_id: Id
    quantity: Count
    subtotal_set: RestMoneyBag
    total_tax_set: RestMoneyBag


class _RefundShipping(Struct, gc=False):
    subtotal_amount_set: RestMoneyBag
    tax_amount_set: RestMoneyBag | None = None


class _Transaction(Struct, gc=False):
    kind: str
    status: str
    amount: str
    currency: str | None = None


class _Refund(Struct, gc=False):
    id: Id
    created_at: When
    refund_line_items: list[_RefundLine] | None = []
    refund_shipping_lines: list[_RefundShipping] | None = []
    transactions: list[_Transaction] | None = None


class _Sent(Struct, gc=False):
    requires_shipping: bool = True


class _Fulfilment(Struct, gc=False):
    id: Id
    status: str
    created_at: When
    updated_at: When
    shipment_status: str | None = None
    tracking_company: str | None = None
    tracking_number: str | None = None
    line_items: list[_Sent] = []


class _Order(Struct, gc=False):
    id: Id
    name: str
    created_at: When
    updated_at: When
    processed_at: When
    currency: str
    presentment_currency: str
    total_price_set: RestMoneyBag
    current_total_price_set: RestMoneyBag
    total_outstanding: str
    line_items: list[_Line]
    financial_status: str | None = None
    fulfillment_status: str | None = None
    subtotal_price_set: RestMoneyBag | None = None
    current_subtotal_price_set: RestMoneyBag | None = None
    total_tax_set: RestMoneyBag | None = None
    current_total_tax_set: RestMoneyBag | None = None
    total_discounts_set: RestMoneyBag | None = None
    current_total_discounts_set: RestMoneyBag | None = None
    total_shipping_price_set: RestMoneyBag | None = None
    current_shipping_price_set: RestMoneyBag | None = None
    cancelled_at: When | None = None
    cancel_reason: str | None = None
    test: bool = False
    taxes_included: bool = False
    email: str | None = None
    phone: str | None = None
    customer: _Customer | None = None
    customer_locale: str | None = None
    tags: str | None = None
    source_name: str | None = None
    checkout_token: str | None = None
    cart_token: str | None = None
    discount_codes: list[_Code] = []
    payment_gateway_names: list[str] = []
    shipping_lines: list[_Shipping] = []
    billing_address: RestAddress | None = None
    shipping_address: RestAddress | None = None
    refunds: list[_Refund] | None = []
    fulfillments: list[_Fulfilment] | None = []


_read = json_reader(_Order)


def parse_order_webhook(body: bytes) -> Order | NeedsFetch | Partial:
    """Read one order body; a Hint where it cannot tell what money went back.

    That is so when a refund comes without its transactions, or when it moved money in another currency than the
    shop's: the body gives such an amount in one currency only, and no rate is ever assumed. `returns` stays None.
    Raises RejectedError `storefront.unreadable_body` with the path of what is wrong.
    """
    raw = _read(body)
    scale = Scale(raw.currency, raw.presentment_currency)
    refunds: tuple[Refund, ...] = ()
    if raw.refunds:
        why = _untold(raw)
        if why is not None:
            return NeedsFetch(raw.id, to_utc(raw.updated_at), why)
        refunds = tuple([_refund(refund, raw, scale) for refund in raw.refunds])
    customer = raw.customer
    # The order's own name: the customer's may change later without the order telling.
    named = raw.billing_address or raw.shipping_address
    # By position, in the record's own order: as keywords these 46 cost a sixth of the whole reading.
    order = Order(
        raw.id,
        raw.name,
        to_utc(raw.created_at),
        to_utc(raw.processed_at),
        to_utc(raw.updated_at),
        raw.currency,
        raw.presentment_currency,
        rest_amount(raw.total_price_set, scale),
        rest_amount(raw.current_total_price_set, scale),
        scale.in_shop(raw.total_outstanding),
        tuple([_line(line, scale) for line in raw.line_items]),
        raw.financial_status.upper() if raw.financial_status else None,
        _FULFILMENT.get(raw.fulfillment_status or "", "UNFULFILLED"),
        rest_amount(raw.subtotal_price_set, scale),
        rest_amount(raw.current_subtotal_price_set, scale),
        rest_amount(raw.total_tax_set, scale),
        rest_amount(raw.current_total_tax_set, scale),
        rest_amount(raw.total_discounts_set, scale),
        rest_amount(raw.current_total_discounts_set, scale),
        rest_amount(raw.total_shipping_price_set, scale),
        rest_amount(raw.current_shipping_price_set, scale),
        to_utc_or_none(raw.cancelled_at),
        raw.cancel_reason.upper() if raw.cancel_reason else None,
        raw.test,
        raw.taxes_included,
        raw.email or None,
        raw.phone or None,
        customer.id if customer is not None else None,
        (named.first_name or None) if named is not None else None,
        (named.last_name or None) if named is not None else None,
        raw.customer_locale or None,
        rest_tags(raw.tags),
        raw.source_name or None,
        raw.checkout_token or None,
        raw.cart_token or None,
        tuple([code.code for code in raw.discount_codes]),
        tuple(raw.payment_gateway_names),
        raw.shipping_lines[0].title if raw.shipping_lines else None,
        rest_address(raw.billing_address),
        rest_address(raw.shipping_address),
        refunds,
        tuple([_fulfilment(fulfilment) for fulfilment in raw.fulfillments or ()]),
        None,
        bool(raw.fulfillments) and _has_open_goods(raw.line_items),
    )
    if raw.refunds is None or raw.fulfillments is None:
        lists = {"refunds": raw.refunds, "fulfilments": raw.fulfillments}
        return Partial(order, tuple([name for name, told in lists.items() if told is None]))
    return order


def _line(line: _Line, scale: Scale) -> OrderLine:
    allocations = line.discount_allocations
    return OrderLine(
        line.id,
        line.title,
        line.quantity,
        line.current_quantity,
        rest_amount(line.price_set, scale),
        rest_total([given.amount_set for given in allocations], scale) if allocations else NOTHING,
        rest_total([tax.price_set for tax in line.tax_lines], scale),
        line.product_id,
        line.variant_id,
        line.variant_title or None,
        line.sku or None,
        line.vendor or None,
    )


def _untold(raw: _Order) -> str | None:
    for refund in raw.refunds or ():
        if refund.transactions is None:
            return "a refund without its transactions"
        if refund.refund_line_items is None or refund.refund_shipping_lines is None:
            return "a refund without its lines"
        for moved in _returned(refund.transactions):
            if moved.currency not in (None, raw.currency) or raw.presentment_currency != raw.currency:
                return "a refund in another currency than the shop's"
    return None


def _returned(transactions: Sequence[_Transaction]) -> list[_Transaction]:
    return [moved for moved in transactions if moved.kind == "refund" and moved.status == "success"]


def _refund(refund: _Refund, raw: _Order, scale: Scale) -> Refund:
    returned = sum((parse_amount(moved.amount, raw.currency) for moved in _returned(refund.transactions or ())), ZERO)
    shipping = [given.subtotal_amount_set for given in refund.refund_shipping_lines or ()]
    if not raw.taxes_included:
        shipping += [
            given.tax_amount_set for given in refund.refund_shipping_lines or () if given.tax_amount_set is not None
        ]
    return Refund(
        id=refund.id,
        created_at=to_utc(refund.created_at),
        returned=Amount(returned, returned) if returned else NOTHING,
        shipping=rest_total(shipping, scale),
        lines=tuple(
            [
                RefundLine(
                    line.line_item_id,
                    line.quantity,
                    rest_amount(line.subtotal_set, scale),
                    rest_amount(line.total_tax_set, scale),
                )
                for line in refund.refund_line_items or ()
            ]
        ),
    )


def _fulfilment(fulfilment: _Fulfilment) -> Fulfilment:
    requires_shipping = not fulfilment.line_items
    for line in fulfilment.line_items:  # a loop is half the price of any()
        requires_shipping = requires_shipping or line.requires_shipping
    shipment = fulfilment.shipment_status
    return Fulfilment(
        fulfilment.id,
        fulfilment.status.lower(),
        to_utc(fulfilment.created_at),
        to_utc(fulfilment.updated_at),
        shipment.lower() if shipment else None,
        fulfilment.tracking_company or None,
        fulfilment.tracking_number or None,
        requires_shipping,
    )


def _has_open_goods(lines: list[_Line]) -> bool:
    for line in lines:  # noqa: SIM110 - a loop is half the price of any()
        if line.fulfillable_quantity > 0 and line.requires_shipping:
            return True
    return False
