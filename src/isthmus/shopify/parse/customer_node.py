"""A Customer node of `queries/customers.graphql`: the whole customer, with consent in the shape of 2026-10.

https://shopify.dev/docs/api/admin-graphql/2026-10/objects/Customer
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from isthmus.model.customer import ChannelConsent, Customer, Here
from isthmus.shopify.parse import metafield
from isthmus.shopify.parse.common_graphql import Nodes, graphql_tags, number_of_gid
from isthmus.shopify.parse.json import When, json_converter, json_reader, to_utc, to_utc_or_none
from isthmus.shopify.parse.money import parse_amount
from isthmus.shopify.parse.street_address import house_number


class _Money(Struct, gc=False, rename="camel"):
    amount: str
    currency_code: str


class _Place(Struct, gc=False, rename="camel"):
    city: str | None
    country_code_v2: str | None
    address1: str | None = None
    zip: str | None = None
    phone: str | None = None


class _Email(Struct, gc=False, rename="camel"):
    email_address: str
    marketing_state: str
    marketing_opt_in_level: str | None
    marketing_updated_at: When | None


class _Sms(Struct, gc=False, rename="camel"):
    state: str
    opt_in_level: str | None
    updated_at: When | None
    collected_from: str | None


class _Phone(Struct, gc=False, rename="camel"):
    phone_number: str
    sms_marketing_consent: _Sms


class _Customer(Struct, gc=False, rename="camel"):
    id: str
    created_at: When
    updated_at: When
    first_name: str | None
    last_name: str | None
    state: str
    verified_email: bool
    locale: str
    tags: list[str]
    number_of_orders: int | str
    amount_spent: _Money
    default_address: _Place | None
    default_email_address: _Email | None
    default_phone_number: _Phone | None
    metafields: Nodes[metafield.Node] | None = None


class _Consents(Struct, gc=False, rename="camel"):
    id: str
    updated_at: When
    default_email_address: _Email | None
    default_phone_number: _Phone | None


_convert = json_converter(_Customer)
_read_consents = json_reader(_Consents)
_read = json_reader(_Customer)


def parse_customer_node(node: dict[str, Any], keys: Sequence[str] = ()) -> Customer:
    """Read one customer node, with the custom fields of these keys.

    Raises RejectedError `storefront.unreadable_body` with the path of what is wrong.
    """
    return _told(_convert(node), keys)


def parse_customer_json(body: bytes, keys: Sequence[str] = ()) -> Customer:
    """Read one customer node written as JSON; fails like `parse`."""
    return _told(_read(body), keys)


def parse_consents_json(body: bytes) -> Here:
    """Read what one line of `queries/bulk_consents.graphql` says; fails like `parse`."""
    raw = _read_consents(body)
    email, phone = raw.default_email_address, raw.default_phone_number
    return Here(
        number_of_gid(raw.id),
        to_utc(raw.updated_at),
        email.email_address or None if email is not None else None,
        phone.phone_number or None if phone is not None else None,
        _email_consent(email),
        _sms_consent(phone),
    )


def _told(raw: _Customer, keys: Sequence[str]) -> Customer:
    place, email, phone = raw.default_address, raw.default_email_address, raw.default_phone_number
    return Customer(
        id=number_of_gid(raw.id),
        created_at=to_utc(raw.created_at),
        updated_at=to_utc(raw.updated_at),
        email=email.email_address or None if email is not None else None,
        phone=phone.phone_number or None if phone is not None else None,
        firstname=raw.first_name or None,
        lastname=raw.last_name or None,
        state=raw.state,
        is_email_verified=raw.verified_email,
        country_code=place.country_code_v2 or None if place is not None else None,
        city=place.city or None if place is not None else None,
        postcode=place.zip or None if place is not None else None,
        house=house_number(place.address1) if place is not None else None,
        address_phone=place.phone or None if place is not None else None,
        locale=raw.locale or None,
        tags=graphql_tags(raw.tags),
        email_consent=_email_consent(email),
        sms_consent=_sms_consent(phone),
        n_orders=int(raw.number_of_orders),
        amount_spent=parse_amount(raw.amount_spent.amount, raw.amount_spent.currency_code),
        is_read=True,
        metafields=metafield.requested_metafields(raw.metafields.nodes, keys)
        if raw.metafields is not None and keys
        else None,
    )


def _email_consent(email: _Email | None) -> ChannelConsent | None:
    if email is None:
        return None
    return ChannelConsent(
        email.marketing_state, email.marketing_opt_in_level, to_utc_or_none(email.marketing_updated_at)
    )


def _sms_consent(phone: _Phone | None) -> ChannelConsent | None:
    if phone is None:
        return None
    sms = phone.sms_marketing_consent
    return ChannelConsent(sms.state, sms.opt_in_level, to_utc_or_none(sms.updated_at), sms.collected_from)
