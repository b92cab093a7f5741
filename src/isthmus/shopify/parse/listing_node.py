"""A node of `queries/tallies.graphql`: as much of a record as tells whether we missed a change of it.

https://shopify.dev/docs/api/admin-graphql/2026-10/objects/Order
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from isthmus.kit.money import ZERO
from isthmus.shopify.parse.common_graphql import GraphqlMoney, number_of_gid
from isthmus.shopify.parse.json import When, json_converter, to_utc, to_utc_or_none
from isthmus.shopify.parse.money import parse_amount


class ListedRecord(Struct, frozen=True, gc=False):
    """One record as its shop lists it, without anything that names a person.

    Of an order: `current_total`, `net_payment` and `refunded` in `currency`, the shop's. Of a customer: whether there
    is an address, and what it allows since when. Of a product: its status and number of variants.
    """

    id: int
    created_at: datetime
    updated_at: datetime
    name: str | None = None
    is_test: bool = False
    cancelled_at: datetime | None = None
    placed_at: datetime | None = None
    currency: str | None = None
    financial_status: str | None = None
    current_total: Decimal = ZERO
    net_payment: Decimal = ZERO
    refunded: Decimal = ZERO
    has_email: bool = False
    consent: str | None = None
    consent_at: datetime | None = None
    status: str | None = None
    n_variants: int | None = None


class _ShopMoney(Struct, gc=False, rename="camel"):
    shop_money: GraphqlMoney


class _Order(Struct, gc=False, rename="camel"):
    id: str
    created_at: When
    updated_at: When
    name: str
    test: bool
    cancelled_at: When | None
    processed_at: When
    currency_code: str
    display_financial_status: str | None
    current_total_price_set: _ShopMoney
    net_payment_set: _ShopMoney
    total_refunded_set: _ShopMoney


class _Email(Struct, gc=False, rename="camel"):
    marketing_state: str
    marketing_updated_at: When | None


class _Customer(Struct, gc=False, rename="camel"):
    id: str
    created_at: When
    updated_at: When
    default_email_address: _Email | None


class _Count(Struct, gc=False):
    count: int


class _Product(Struct, gc=False, rename="camel"):
    id: str
    created_at: When
    updated_at: When
    status: str
    variants_count: _Count | None


_order, _customer, _product = json_converter(_Order), json_converter(_Customer), json_converter(_Product)


def list_order(node: Mapping[str, Any]) -> ListedRecord:
    """Read one order node; RejectedError `storefront.unreadable_body` with the path of what is wrong."""
    raw = _order(node)
    currency = raw.currency_code
    return ListedRecord(
        number_of_gid(raw.id),
        to_utc(raw.created_at),
        to_utc(raw.updated_at),
        name=raw.name,
        is_test=raw.test,
        cancelled_at=to_utc_or_none(raw.cancelled_at),
        placed_at=to_utc(raw.processed_at),
        currency=currency,
        financial_status=raw.display_financial_status,
        current_total=parse_amount(raw.current_total_price_set.shop_money.amount, currency),
        net_payment=parse_amount(raw.net_payment_set.shop_money.amount, currency),
        refunded=parse_amount(raw.total_refunded_set.shop_money.amount, currency),
    )


def list_customer(node: Mapping[str, Any]) -> ListedRecord:
    """Read one customer node; fails as for an order."""
    raw = _customer(node)
    email = raw.default_email_address
    return ListedRecord(
        number_of_gid(raw.id),
        to_utc(raw.created_at),
        to_utc(raw.updated_at),
        has_email=email is not None,
        consent=email.marketing_state if email else None,
        consent_at=to_utc_or_none(email.marketing_updated_at) if email else None,
    )


def list_product(node: Mapping[str, Any]) -> ListedRecord:
    """Read one product node; fails as for an order."""
    raw = _product(node)
    count = raw.variants_count.count if raw.variants_count else None
    return ListedRecord(
        number_of_gid(raw.id), to_utc(raw.created_at), to_utc(raw.updated_at), status=raw.status, n_variants=count
    )


READERS: Mapping[str, Callable[[Mapping[str, Any]], ListedRecord]] = MappingProxyType(
    {"order": list_order, "customer": list_customer, "product": list_product}
)
"""How a node of each kind is read."""
