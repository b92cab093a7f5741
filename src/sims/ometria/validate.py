"""What makes a pushed record refusable: field types, required fields, and the rules between fields.

Sources: https://docs.ometria.com/docs/contacts-endpoint, /docs/orders-endpoint, /docs/product-endpoint,
/docs/products-product-listings-and-product-variants, https://support.ometria.com/hc/en-gb/articles/360011171077 (custom
events); field lists from clients that run against the live API. How strict each rule is, is ASSUMED.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sims.ometria import checks as c
from sims.ometria.errors import Refusal
from sims.ometria.switches import Switches

OPTED_IN, OPTED_OUT, NOT_SPECIFIED = "EXPLICITLY_OPTEDIN", "EXPLICITLY_OPTEDOUT", "NOT_SPECIFIED"
EVENT_TYPE_CHARS = 32
TYPES = ("contact", "order", "product", "custom_event")

_OPTION = c.shape({"type": c.text, "id": c.text, "label": c.text}, ("type", "id", "label"))
_MONEY = ("subtotal", "discount", "shipping", "tax", "grand_total")
_LINE_MONEY = ("unit_price", "subtotal", "total", "tax", "discount", "refunded")
_ADDRESS = c.shape({"city": c.text, "state": c.text, "postcode": c.text, "country_code": c.country})


def _totals(amounts: tuple[str, ...]) -> c.Checker:
    side = c.shape({"currency": c.currency, **dict.fromkeys(amounts, c.number)}, ("currency",))
    return c.shape({"base": side, "local": side})


_LINE = c.shape(
    {
        "product_id": c.filled,
        "variant_id": c.filled,
        "variant_options": c.many(_OPTION),
        "sku": c.text,
        "quantity": c.number,
        "quantity_refunded": c.number,
        "is_on_sale": c.boolean,
        "totals": _totals(_LINE_MONEY),
        "properties": c.properties,
        **dict.fromkeys(_LINE_MONEY, c.number),
    },
    ("product_id", "quantity"),
)

_CONTACT: c.Fields = {
    "id": c.filled,
    "@collection": c.filled,
    "@merge": c.boolean,
    "@force_optin": c.boolean,
    "@add_to_lists": c.many(c.number),
    "@remove_from_lists": c.many(c.number),
    "email": c.email,
    "customer_id": c.filled,
    "phone_number": c.phone_valid,
    "extra_identifiers": c.shape({}),
    "marketing_optin": c.one_of(OPTED_IN, OPTED_OUT, NOT_SPECIFIED, True, False),
    "timestamp_subscribed": c.timestamp,
    "timestamp_unsubscribed": c.timestamp,
    "timestamp_acquired": c.timestamp,
    "channels": c.shape(
        {
            "sms": c.shape(
                {
                    "allow_marketing": c.boolean,
                    "allow_transactional": c.boolean,
                    "dt_updated_marketing": c.timestamp,
                    "dt_updated_transactional": c.timestamp,
                }
            )
        }
    ),
    **dict.fromkeys(("prefix", "firstname", "middlename", "lastname", "suffix", "timezone", "preferred_lang"), c.text),
    "gender": c.one_of("m", "f", "o"),
    "date_of_birth": c.day,
    "country_id": c.country,
    "store_ids": c.many(c.text),
    "store_id": c.text,
    "properties": c.properties,
}

_ORDER: c.Fields = {
    "id": c.filled,
    "@merge": c.boolean,
    "timestamp": c.timestamp,
    "currency": c.currency,
    **dict.fromkeys(_MONEY, c.number),
    "total_refunded": c.number,
    "totals": _totals(_MONEY),
    "status": c.text,
    "is_valid": c.loose_boolean,
    "customer": c.shape({"id": c.filled, "email": c.email, "firstname": c.text, "lastname": c.text}),
    "lineitems": c.many(_LINE),
    **dict.fromkeys(("web_id", "channel", "store", "ip_address", "coupon_code"), c.text),
    **dict.fromkeys(("payment_method", "shipping_method"), c.text),
    "shipping_address": _ADDRESS,
    "billing_address": _ADDRESS,
    "properties": c.properties,
}

_LISTING = c.shape(
    {
        "store": c.filled,
        **dict.fromkeys(("title", "url", "image_url"), c.text),
        "price": c.number,
        "special_price": c.number,
        "special_price_dt_from": c.timestamp,
        "special_price_dt_to": c.timestamp,
        "currency": c.currency,
        "is_active": c.boolean,
        "is_in_stock": c.boolean,
    },
    ("store",),
)

_PRODUCT: c.Fields = {
    "id": c.filled,
    "@merge": c.boolean,
    **dict.fromkeys(("title", "sku", "url", "image_url", "parent_id"), c.text),
    "price": c.number,
    "special_price": c.number,
    "special_price_dt_from": c.timestamp,
    "special_price_dt_to": c.timestamp,
    "currency": c.currency,
    **dict.fromkeys(("is_active", "is_variant", "is_in_stock"), c.boolean),
    "attributes": c.many(c.shape({"type": c.filled, "id": c.text, "label": c.text, "value": c.anything}, ("type",))),
    "listings": c.many(_LISTING),
    "stores": c.many(c.text),
    "properties": c.properties,
}

_EVENT: c.Fields = {
    "id": c.filled,
    "event_type": c.filled,
    "timestamp": c.timestamp,
    "profile_id": c.filled,
    "identity_email": c.email,
    "identity_account_id": c.filled,
    "properties": c.properties,
}


@dataclass(frozen=True, slots=True)
class Rules:
    """The field table of one type."""

    fields: c.Fields
    required: tuple[str, ...]


def rules_for(switches: Switches) -> Mapping[str, Rules]:
    """Return the field table of each type, with the account's phone rule."""
    phone = c.phone_valid if switches.phone_rule == "valid" else c.phone_possible
    return {
        "contact": Rules({**_CONTACT, "phone_number": phone}, ("id", "@collection")),
        "order": Rules(_ORDER, ("id", "timestamp", "grand_total", "currency")),
        "product": Rules(_PRODUCT, ("id",)),
        "custom_event": Rules(_EVENT, ("id", "event_type")),
    }


def refusal(record: Mapping[str, Any], rules: Rules, switches: Switches) -> Refusal | None:
    """Return why a whole record (after any merge) cannot be applied, or None; only the first reason is told."""
    wrong = c.wrong_in(record, rules.fields, rules.required) or _between(record, rules, switches)
    return None if wrong is None else Refusal(" > ".join(("root", *wrong)))


def _between(record: Mapping[str, Any], rules: Rules, switches: Switches) -> c.Path | None:
    if switches.unknown_keys == "refuse":
        for name in record:
            if name not in rules.fields and name != "@type":
                return (name,)
    match record.get("@type"):
        case "contact":
            return _contact(record)
        case "product":
            return _product(record)
        case "custom_event":
            return _event(record, switches)
    return None


def _contact(record: Mapping[str, Any]) -> c.Path | None:
    if not any(record.get(name) for name in ("email", "customer_id", "phone_number")):
        return ("email",)
    sms = (record.get("channels") or {}).get("sms")
    if sms and not record.get("phone_number"):
        return ("channels", "sms")
    return None


def _product(record: Mapping[str, Any]) -> c.Path | None:
    listings = record.get("listings") or []
    if listings and record.get("is_variant"):
        return ("listings",)  # "listings apply only to parents"
    stores = [listing["store"] for listing in listings]
    return ("listings",) if len(set(stores)) != len(stores) else None


def _event(record: Mapping[str, Any], switches: Switches) -> c.Path | None:
    if not any(record.get(name) for name in ("profile_id", "identity_email", "identity_account_id")):
        return ("identity_email",)
    known = switches.configured_event_types
    if known is not None and record["event_type"][:EVENT_TYPE_CHARS] not in known:
        return ("event_type",)
    return None
