"""An AbandonedCheckout node of `queries/checkouts.graphql`: it has no token, email or phone of its own.

https://shopify.dev/docs/api/admin-graphql/2026-10/objects/AbandonedCheckout
"""

from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from isthmus.model.checkout import Checkout, CheckoutLine
from isthmus.shopify.parse.body import When, converter, maybe_utc, utc
from isthmus.shopify.parse.money import exact
from isthmus.shopify.parse.pieces_node import Nodes, Ref, maybe_number, number


class _Money(Struct, gc=False, rename="camel"):
    amount: str
    currency_code: str


class _Bag(Struct, gc=False, rename="camel"):
    presentment_money: _Money


class _Email(Struct, gc=False, rename="camel"):
    email_address: str


class _Phone(Struct, gc=False, rename="camel"):
    phone_number: str


class _Customer(Struct, gc=False, rename="camel"):
    id: str
    first_name: str | None
    last_name: str | None
    locale: str
    default_email_address: _Email | None
    default_phone_number: _Phone | None


class _Line(Struct, gc=False, rename="camel"):
    title: str | None
    quantity: int
    sku: str | None
    original_unit_price_set: _Bag
    product: Ref | None
    variant: Ref | None


class _Checkout(Struct, gc=False, rename="camel"):
    id: str
    abandoned_checkout_url: str
    created_at: When
    updated_at: When
    completed_at: When | None
    total_price_set: _Bag
    customer: _Customer | None
    line_items: Nodes[_Line]


_convert = converter(_Checkout)


def parse(node: dict[str, Any]) -> Checkout | None:
    """Read one node; None when its address hides the token, without which it cannot be told from the webhook's.

    Email and phone are the customer's: a checkout without a customer has none here.
    Raises RejectedError `storefront.unreadable_body` with the path of what is wrong.
    """
    raw = _convert(node)
    token = token_of(raw.abandoned_checkout_url)
    if token is None:
        return None
    total, customer = raw.total_price_set.presentment_money, raw.customer
    email = customer.default_email_address if customer is not None else None
    phone = customer.default_phone_number if customer is not None else None
    return Checkout(
        token=token,
        created_at=utc(raw.created_at),
        updated_at=utc(raw.updated_at),
        currency=total.currency_code,
        total=exact(total.amount, total.currency_code),
        completed_at=maybe_utc(raw.completed_at),
        email=email.email_address or None if email is not None else None,
        phone=phone.phone_number or None if phone is not None else None,
        customer_id=number(customer.id) if customer is not None else None,
        firstname=customer.first_name or None if customer is not None else None,
        lastname=customer.last_name or None if customer is not None else None,
        locale=customer.locale or None if customer is not None else None,
        url=raw.abandoned_checkout_url,
        lines=tuple([_line(line) for line in raw.line_items.nodes]),
    )


def token_of(url: str) -> str | None:
    """The token in `https://shop.example/123/checkouts/ac/<token>/recover?key=…`: the part before `recover`."""
    parts = [part for part in urlsplit(url).path.split("/") if part]
    if "checkouts" not in parts:
        return None
    behind = parts[parts.index("checkouts") + 1 :]
    if "recover" in behind:
        behind = behind[: behind.index("recover")]
    return behind[-1] if behind else None


def _line(line: _Line) -> CheckoutLine:
    price = line.original_unit_price_set.presentment_money
    return CheckoutLine(
        title=line.title or "",
        quantity=line.quantity,
        price=exact(price.amount, price.currency_code),
        product_id=maybe_number(line.product),
        variant_id=maybe_number(line.variant),
        sku=line.sku or None,
    )
