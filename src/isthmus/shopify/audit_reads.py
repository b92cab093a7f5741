"""Count a shop by bulk operations: every customer, order and product as a thin row, line by line.

https://shopify.dev/docs/api/usage/bulk-operations/queries. An operation changes nothing: it is a mutation by name only.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.kit.money import ZERO
from isthmus.model.audit_rows import CustomerRef, CustomerRow, Fields, OrderRow, ProductRow, ShopFacts, Sku, Source
from isthmus.model.customer import ChannelConsent
from isthmus.model.failure import RejectedError
from isthmus.shopify import access, documents, shop_settings
from isthmus.shopify.access import Expected
from isthmus.shopify.client import Shopify
from isthmus.shopify.documents import Document
from isthmus.shopify.parse.common_graphql import GraphqlImage, image_url
from isthmus.shopify.parse.json import When, to_utc_or_none
from isthmus.shopify.parse.money import parse_amount, parse_plain_amount
from isthmus.shopify.reads import Reads
from isthmus.shopify.topics import SUBSCRIBED, topic_enum_name

QUERIES: Mapping[Source, Document] = {
    Source.PRODUCTS: documents.CENSUS["product"],
    Source.CUSTOMERS: documents.CENSUS["customer"],
    Source.ORDERS: documents.CENSUS["order"],
}
"""One operation for each; the products' is to be asked for grouped, so that variants follow their product."""

OWNERS = ("CUSTOMER", "ORDER", "PRODUCT", "PRODUCTVARIANT")
"""https://shopify.dev/docs/api/admin-graphql/latest/enums/MetafieldOwnerType: what is sent to Ometria."""


class _Money(Struct, gc=False, rename="camel"):
    amount: str
    currency_code: str = ""


class _Place(Struct, gc=False, rename="camel"):
    zip: str | None
    country_code_v2: str | None


class _Email(Struct, gc=False, rename="camel"):
    email_address: str
    marketing_state: str
    marketing_opt_in_level: str | None
    marketing_updated_at: When | None


class _Sms(Struct, gc=False, rename="camel"):
    state: str
    opt_in_level: str | None
    updated_at: When | None


class _Phone(Struct, gc=False, rename="camel"):
    phone_number: str
    sms_marketing_consent: _Sms


class _Customer(Struct, gc=False, rename="camel"):
    id: str
    first_name: str | None
    last_name: str | None
    tags: tuple[str, ...]
    number_of_orders: int | str
    amount_spent: _Money
    default_address: _Place | None
    default_email_address: _Email | None
    default_phone_number: _Phone | None


class _Bag(Struct, gc=False, rename="camel"):
    shop_money: _Money


class _Owner(Struct, gc=False):
    id: str


class _Order(Struct, gc=False, rename="camel"):
    id: str
    name: str
    created_at: str
    test: bool
    email: str | None
    phone: str | None
    tags: tuple[str, ...]
    currency_code: str
    presentment_currency_code: str
    total_price_set: _Bag
    customer: _Owner | None


class _Line(Struct, gc=False, rename="camel"):
    """A product, or a variant, which names its product."""

    id: str
    parent_id: str | None = msgspec.field(default=None, name="__parentId")
    title: str = ""
    status: str = ""
    tags: tuple[str, ...] = ()
    is_gift_card: bool = False
    featured_media: GraphqlImage | None = None
    sku: str | None = None
    price: str | None = None


_customer = msgspec.json.Decoder(_Customer)
_order = msgspec.json.Decoder(_Order)
_line = msgspec.json.Decoder(_Line)


def read_customer_rows(lines: Iterable[bytes], store: str) -> Iterator[CustomerRow]:
    """Every customer. RejectedError `storefront.unreadable_record` for a line that is none, here as below."""
    for line in lines:
        raw = _read(_customer, line)
        place, email, phone = raw.default_address, raw.default_email_address, raw.default_phone_number
        spent = raw.amount_spent
        amount = ZERO if spent.amount in ("0", "0.0", "0.00") else parse_amount(spent.amount, spent.currency_code)
        yield CustomerRow(
            CustomerRef(store, _number(raw.id), amount, spent.currency_code),
            email=email.email_address or None if email is not None else None,
            phone=phone.phone_number or None if phone is not None else None,
            firstname=raw.first_name,
            lastname=raw.last_name,
            postcode=place.zip if place is not None else None,
            country_code=place.country_code_v2 if place is not None else None,
            tags=raw.tags,
            email_consent=None
            if email is None
            else ChannelConsent(
                email.marketing_state, email.marketing_opt_in_level, to_utc_or_none(email.marketing_updated_at)
            ),
            sms_consent=None
            if phone is None
            else ChannelConsent(
                phone.sms_marketing_consent.state,
                phone.sms_marketing_consent.opt_in_level,
                to_utc_or_none(phone.sms_marketing_consent.updated_at),
            ),
            n_orders=int(raw.number_of_orders),
        )


def read_order_rows(lines: Iterable[bytes], store: str) -> Iterator[OrderRow]:
    """Every order that may be seen, test orders among them."""
    for line in lines:
        raw = _read(_order, line)
        yield OrderRow(
            store,
            _number(raw.id),
            raw.name,
            parse_amount(raw.total_price_set.shop_money.amount, raw.currency_code),
            raw.currency_code,
            raw.presentment_currency_code,
            day=raw.created_at[:10],
            email=raw.email,
            phone=raw.phone,
            customer=None if raw.customer is None else _number(raw.customer.id),
            is_test=raw.test,
            n_tag_chars=sum(map(len, raw.tags)),
        )


def read_product_rows(lines: Iterable[bytes], store: str) -> Iterator[ProductRow]:
    """Every product, from lines where variants follow their product (`groupObjects: true`)."""
    head: _Line | None = None
    skus: list[Sku] = []
    for line in lines:
        raw = _read(_line, line)
        if raw.parent_id is None:
            if head is not None:
                yield _thing(head, skus, store)
            head, skus = raw, []
        elif head is None or raw.parent_id != head.id:
            raise RejectedError("storefront.unreadable_record", "a variant does not follow its product")
        else:
            skus.append(
                Sku(_number(raw.id), raw.sku or None, None if raw.price is None else parse_plain_amount(raw.price))
            )
    if head is not None:
        yield _thing(head, skus, store)


def read_shop_facts(shop: Shopify, store: str, expected: Expected) -> ShopFacts:
    """What a shop says of itself; changes nothing. Raises what the client raises.

    Custom fields are `definitions=None` where Shopify does not let us list them.
    """
    reads = Reads(shop)
    seen, stands = access.inspect_access(shop, expected), shop_settings.read_shop_settings(shop)
    missing, sees_history = access.missing_scopes(seen.scopes)
    doubled = 0
    if expected.is_subscribed_by_app:
        listed = access.list_subscriptions(shop)
        # All of them are our own app's, and whatever the app's configuration subscribes is not among them.
        topics = {topic_enum_name(topic) for topic in SUBSCRIBED}
        doubled = sum(one.topic in topics and expected.uri in (None, one.uri) for one in listed)
    newest = shop.graphql(documents.NEWEST_ORDER, {})["orders"]["nodes"]
    return ShopFacts(
        store=store,
        domain=seen.domain,
        said_domain=expected.domain,
        name=seen.name,
        plan=str(stands.settings.get("plan") or ""),
        currency=seen.currency,
        said_currency=expected.currency,
        presentment=seen.presentment_currencies,
        timezone=seen.timezone,
        scopes=seen.scopes,
        missing_scopes=missing,
        sees_history=sees_history,
        is_horizon_accepted=expected.is_horizon_accepted,
        writes_consent=access.may_write_consent(seen.scopes),
        api_version=shop.api_version,
        served_version=shop.served_version,
        supported=stands.supported_versions,
        n_to_subscribe=None if seen.plan is None else len(seen.plan.create),
        n_to_delete=0 if seen.plan is None else len(seen.plan.delete),
        n_doubled=doubled,
        definitions=_definitions(shop),
        counts={kind: reads.count(kind) for kind in ("customer", "order", "product")},
        newest_name=newest[0]["name"] if newest else None,
    )


def _definitions(shop: Shopify) -> tuple[Fields, ...] | None:
    found: list[Fields] = []
    try:
        for owner in OWNERS:
            cursor: str | None = None
            while True:
                page = shop.graphql(documents.DEFINITIONS, {"owner": owner, "after": cursor})["page"]
                found += [
                    Fields(owner.lower(), f"{node['namespace']}.{node['key']}", node["type"]["name"])
                    for node in page["nodes"]
                ]
                if not page["pageInfo"]["hasNextPage"]:
                    break
                cursor = page["pageInfo"]["endCursor"]
    except RejectedError:
        return None
    return tuple(found)


def _thing(head: _Line, skus: list[Sku], store: str) -> ProductRow:
    return ProductRow(
        store,
        _number(head.id),
        head.title,
        tuple(skus),
        is_sold=head.status in ("ACTIVE", "UNLISTED"),
        has_image=image_url(head.featured_media) is not None,
        is_gift_card=head.is_gift_card,
        tags=head.tags,
    )


def _read(decoder: Any, line: bytes) -> Any:
    try:
        return decoder.decode(line)
    except msgspec.DecodeError as error:
        # Its words name a field and what was expected of it, never a value.
        raise RejectedError("storefront.unreadable_record", f"a line of a bulk operation: {error}") from None


def _number(gid: str) -> str:
    return gid.rpartition("/")[2]
