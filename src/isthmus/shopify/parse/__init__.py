"""Shopify's two shapes of each record, read into the canonical one.

`<kind>_webhook` reads the REST-shaped body of a delivery, `<kind>_node` a GraphQL node of our own documents in
`queries/`. Both give equal records, down to the encoded byte, for the same state of the same record, apart from what
one shape cannot tell: an order's returns, and a customer's tags, consent, counts and locale, which only nodes have.
"""

from collections.abc import Callable

from msgspec import Struct

from isthmus.model.checkout import Checkout
from isthmus.model.consent import Claim
from isthmus.model.customer import Customer
from isthmus.model.order import Order
from isthmus.model.product import Product
from isthmus.shopify.parse import (
    checkout_webhook,
    consent_webhook,
    customer_webhook,
    order_webhook,
    product_webhook,
)
from isthmus.shopify.parse.json import Id, NeedsFetch, Partial, json_reader

__all__ = ["NeedsFetch", "Partial", "Record", "own_id", "parse_claim", "parse_webhook"]

Record = Order | Customer | Product | Checkout

_BY_KIND: dict[str, Callable[[bytes], Record | NeedsFetch | Partial]] = {
    "order": order_webhook.parse_order_webhook,
    "customer": customer_webhook.parse_customer_webhook,
    "product": product_webhook.parse_product_webhook,
    "checkout": checkout_webhook.parse_checkout_webhook,
}


def parse_webhook(kind: str, body: bytes) -> Record | NeedsFetch | Partial:
    """The record in a webhook body of a topic of this kind; a Hint where the body cannot tell all of it,
    and a Partial where it leaves lists out that we may know.

    Raises RejectedError `storefront.unreadable_body` with the path of what is wrong.
    """
    return _BY_KIND[kind](body)


def parse_claim(topic: str, body: bytes) -> Claim | NeedsFetch:
    """The statement in a consent body; a Hint, so that the customer is read, where it says nothing about anybody."""
    return consent_webhook.parse_consent_claim(topic, body)


class _Own(Struct, gc=False):
    id: Id


_own = json_reader(_Own)


def own_id(body: bytes) -> int:
    """The number of the thing the body itself is (the refund of refunds/create, not its order)."""
    return _own(body).id
