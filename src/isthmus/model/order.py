"""An order as isthmus understands it, whichever way it arrived."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from isthmus.kit.money import ZERO


class Amount(Struct, frozen=True, gc=False, array_like=True):
    """One sum in the shop's currency and in the one the customer saw."""

    shop: Decimal
    presentment: Decimal


NOTHING = Amount(ZERO, ZERO)


class Address(Struct, frozen=True, gc=False, omit_defaults=True):
    city: str | None = None
    state: str | None = None
    postcode: str | None = None
    country_code: str | None = None


class OrderLine(Struct, frozen=True, gc=False, omit_defaults=True):
    """One thing sold. `discount` and `tax` are for the quantity first ordered."""

    id: int
    title: str
    quantity: int
    current_quantity: int
    unit_price: Amount
    discount: Amount = NOTHING
    tax: Amount = NOTHING
    product_id: int | None = None
    variant_id: int | None = None
    variant_title: str | None = None
    sku: str | None = None
    vendor: str | None = None


class RefundLine(Struct, frozen=True, gc=False, omit_defaults=True):
    line_id: int
    quantity: int
    subtotal: Amount
    tax: Amount = NOTHING


class Refund(Struct, frozen=True, gc=False, omit_defaults=True):
    """`returned` is the money that really went back: the sum of refund transactions that succeeded.

    `shipping` is what the refund names of shipping, its tax included; a line's `subtotal` has tax where prices do.
    """

    id: int
    created_at: datetime
    returned: Amount
    shipping: Amount = NOTHING
    lines: tuple[RefundLine, ...] = ()


class Fulfilment(Struct, frozen=True, gc=False, omit_defaults=True):
    """`status`: pending, open, success, cancelled, error, failure. `shipment`: in_transit, delivered, … or None."""

    id: int
    status: str
    created_at: datetime
    updated_at: datetime
    shipment: str | None = None
    tracking_company: str | None = None
    tracking_number: str | None = None
    requires_shipping: bool = True
    delivery: str | None = None
    """How it reaches the buyer, in Shopify's words (SHIPPING, PICK_UP, …); None while nobody has asked, UNREADABLE
    where Shopify did not say."""
    pending: tuple[str, ...] = ()
    """What happened to it of which no event is written before `delivery` is known: shipped, delivered."""


class Return(Struct, frozen=True, gc=False, omit_defaults=True):
    """`status`: requested, open, closed, declined, canceled (Shopify's words, lower case). One that the merchant opens
    was never approved; when one was declined or cancelled Shopify does not say.
    """

    id: int
    status: str
    created_at: datetime | None = None
    approved_at: datetime | None = None
    closed_at: datetime | None = None


class Order(Struct, frozen=True, gc=False, omit_defaults=True):
    """The whole order body. Statuses are Shopify's, upper case; `fulfilment_status` is UNFULFILLED, PARTIALLY_FULFILLED
    or FULFILLED. `outstanding` (shop currency) is the current total less what was received and kept, so the net payment
    is `current_total.shop - outstanding`. `returns` is None when the shape that brought the order cannot tell. A
    fulfilment's `delivery` is read for itself, and only where an event hangs on it.
    """

    id: int
    name: str
    created_at: datetime
    processed_at: datetime
    updated_at: datetime
    currency: str
    presentment_currency: str
    total: Amount
    current_total: Amount
    outstanding: Decimal
    lines: tuple[OrderLine, ...]
    financial_status: str | None = None
    fulfilment_status: str = "UNFULFILLED"
    subtotal: Amount = NOTHING
    current_subtotal: Amount = NOTHING
    tax: Amount = NOTHING
    current_tax: Amount = NOTHING
    discounts: Amount = NOTHING
    current_discounts: Amount = NOTHING
    shipping: Amount = NOTHING
    current_shipping: Amount = NOTHING
    cancelled_at: datetime | None = None
    cancel_reason: str | None = None
    is_test: bool = False
    taxes_included: bool = False
    email: str | None = None
    phone: str | None = None
    customer_id: int | None = None
    firstname: str | None = None
    lastname: str | None = None
    locale: str | None = None
    tags: tuple[str, ...] = ()
    source_name: str | None = None
    checkout_token: str | None = None
    cart_token: str | None = None
    discount_codes: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    shipping_method: str | None = None
    billing_address: Address | None = None
    shipping_address: Address | None = None
    refunds: tuple[Refund, ...] = ()
    fulfilments: tuple[Fulfilment, ...] = ()
    returns: tuple[Return, ...] | None = None
    has_open_goods: bool = False
    """Whether, with a parcel sent, a line that requires shipping is still to be sent."""
