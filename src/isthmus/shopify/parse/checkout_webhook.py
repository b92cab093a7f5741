"""The body of a checkout webhook: a basket with contact details, known by its token since 2026-04.

https://shopify.dev/changelog/removed-checkout-id-from-checkouts-and-orders-webhooks
"""

from msgspec import Struct

from isthmus.model.checkout import Checkout, CheckoutLine
from isthmus.shopify.parse.common_rest import RestAddress
from isthmus.shopify.parse.json import Count, Id, Token, When, json_reader, to_utc, to_utc_or_none
from isthmus.shopify.parse.money import parse_amount


class _Customer(Struct, gc=False):
    id: Id
    first_name: str | None = None
    last_name: str | None = None


class _Line(Struct, gc=False):
    quantity: Count
    price: str
    title: str | None = None
    product_id: Id | None = None
    variant_id: Id | None = None
    sku: str | None = None


class _Checkout(Struct, gc=False):
    token: Token
    created_at: When
    updated_at: When
    currency: str
    total_price: str
    cart_token: str | None = None
    presentment_currency: str | None = None
    completed_at: When | None = None
    email: str | None = None
    phone: str | None = None
    customer: _Customer | None = None
    customer_locale: str | None = None
    abandoned_checkout_url: str | None = None
    line_items: list[_Line] = []
    billing_address: RestAddress | None = None
    shipping_address: RestAddress | None = None


_read = json_reader(_Checkout)


def parse_checkout_webhook(body: bytes) -> Checkout:
    """Read one checkout body. Its plain amounts are in the currency the customer saw, and so is the record's.

    Raises RejectedError `storefront.unreadable_body` with the path of what is wrong.
    """
    raw = _read(body)
    currency = raw.presentment_currency or raw.currency
    customer = raw.customer
    named = customer or raw.billing_address or raw.shipping_address
    return Checkout(
        token=raw.token,
        created_at=to_utc(raw.created_at),
        updated_at=to_utc(raw.updated_at),
        currency=currency,
        total=parse_amount(raw.total_price, currency),
        completed_at=to_utc_or_none(raw.completed_at),
        email=raw.email or None,
        phone=raw.phone or None,
        customer_id=customer.id if customer is not None else None,
        firstname=(named.first_name or None) if named is not None else None,
        lastname=(named.last_name or None) if named is not None else None,
        locale=raw.customer_locale or None,
        url=raw.abandoned_checkout_url or None,
        lines=tuple([_line(line, currency) for line in raw.line_items]),
        cart_token=(raw.cart_token or "").partition("?")[0] or None,
    )


def _line(line: _Line, currency: str) -> CheckoutLine:
    return CheckoutLine(
        title=line.title or "",
        quantity=line.quantity,
        price=parse_amount(line.price, currency),
        product_id=line.product_id,
        variant_id=line.variant_id,
        sku=line.sku or None,
    )
