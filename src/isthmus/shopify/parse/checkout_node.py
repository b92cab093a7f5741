"""An AbandonedCheckout node of `queries/checkouts.graphql`: it has no token, email or phone of its own.

The address by which its customer comes back carries the cart's token, which the webhook carries too.

https://shopify.dev/docs/api/admin-graphql/2026-10/objects/AbandonedCheckout
"""

import re
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from isthmus.model.checkout import Checkout, CheckoutLine
from isthmus.shopify.parse.common_graphql import Nodes, Ref, number_of_gid, number_or_none
from isthmus.shopify.parse.json import When, json_converter, to_utc, to_utc_or_none
from isthmus.shopify.parse.money import parse_amount


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


_convert = json_converter(_Checkout)

HIDDEN = "abandoned-"
"""Begins the name of a checkout whose address has no cart token."""

_TOKEN = re.compile(r"[A-Za-z0-9_.:-]{1,255}", re.ASCII)


def parse_checkout_node(node: dict[str, Any]) -> Checkout:
    """Read one node, known by the cart's token, or by its own number where the address has none.

    Email and phone are the customer's: a checkout without a customer has none here.
    Raises RejectedError `storefront.unreadable_body` with the path of what is wrong.
    """
    raw = _convert(node)
    cart_token = cart_token_of(raw.abandoned_checkout_url)
    total, customer = raw.total_price_set.presentment_money, raw.customer
    email = customer.default_email_address if customer is not None else None
    phone = customer.default_phone_number if customer is not None else None
    return Checkout(
        token=cart_token if cart_token and _TOKEN.fullmatch(cart_token) else f"{HIDDEN}{number_of_gid(raw.id)}",
        created_at=to_utc(raw.created_at),
        updated_at=to_utc(raw.updated_at),
        currency=total.currency_code,
        total=parse_amount(total.amount, total.currency_code),
        completed_at=to_utc_or_none(raw.completed_at),
        email=email.email_address or None if email is not None else None,
        phone=phone.phone_number or None if phone is not None else None,
        customer_id=number_of_gid(customer.id) if customer is not None else None,
        firstname=customer.first_name or None if customer is not None else None,
        lastname=customer.last_name or None if customer is not None else None,
        locale=customer.locale or None if customer is not None else None,
        url=raw.abandoned_checkout_url,
        lines=tuple([_line(line) for line in raw.line_items.nodes]),
        cart_token=cart_token,
        is_listed=True,
    )


def cart_token_of(url: str) -> str | None:
    """The cart's token in `https://shop.example/123/checkouts/ac/<token>/recover?key=…` or below `cn`; other shapes of
    the address have none."""
    match urlsplit(url).path.strip("/").split("/")[-4:]:
        case ["checkouts", "ac" | "cn", token, "recover"]:
            return unquote(token).partition("?")[0] or None
    return None


def _line(line: _Line) -> CheckoutLine:
    price = line.original_unit_price_set.presentment_money
    return CheckoutLine(
        title=line.title or "",
        quantity=line.quantity,
        price=parse_amount(price.amount, price.currency_code),
        product_id=number_or_none(line.product),
        variant_id=number_or_none(line.variant),
        sku=line.sku or None,
    )
