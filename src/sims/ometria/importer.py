"""Ometria's own Shopify importer: a second writer with other ids, never forced, off unless an account switches it on.

Sources: https://support.ometria.com/hc/en-gb/articles/17315331725085 (namespaces, customer_id is Shopify's id),
https://support.ometria.com/hc/en-gb/articles/9881943263389 (its consent is not forced, and it carries no SMS consent).
Collection, ids, totals and how often it runs are ASSUMED, and can be switched (see `switches`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sims.ometria import apply
from sims.ometria.account import Account
from sims.ometria.validate import OPTED_IN, OPTED_OUT, rules_for

COLLECTION = "shopify_import"
SOURCE = "importer"


@dataclass(frozen=True, slots=True)
class ShopCustomer:
    """A customer as the importer reads it; `subscribed` is None when the shop does not know."""

    id: str
    email: str | None
    phone: str | None = None
    firstname: str | None = None
    lastname: str | None = None
    subscribed: bool | None = None


@dataclass(frozen=True, slots=True)
class ShopOrder:
    """An order as the importer reads it; `name` is what the shopper sees, "#1001"."""

    id: str
    name: str
    at: str
    total: float
    currency: str
    customer_id: str | None = None
    email: str | None = None
    is_valid: bool = True
    net: float | None = None
    """What is left of it after refunds; None where that is its total."""
    is_kept: bool = True
    """Whether anything is left of it that counts."""


@dataclass(frozen=True, slots=True)
class ShopProduct:
    """A product, or with `parent` a variant of one, as the importer reads it."""

    id: str
    title: str
    currency: str
    price: float | None = None
    sku: str | None = None
    url: str | None = None
    parent: str | None = None


def import_customers(account: Account, customers: Iterable[ShopCustomer], namespace: str, now: datetime) -> int:
    """Write one listing per customer in the importer's own collection; return how many were written."""
    if not account.switches.native_importer:
        return 0
    rules, n, space = rules_for(account.switches), 0, _space(account, namespace)
    for one in customers:
        record = {
            "@type": "contact",
            "@collection": COLLECTION,
            "id": f"{space}{one.id}",
            "customer_id": f"{space}{one.id}",
            "email": one.email,
            "phone_number": one.phone,
            "firstname": one.firstname,
            "lastname": one.lastname,
            "marketing_optin": None if one.subscribed is None else OPTED_IN if one.subscribed else OPTED_OUT,
        }
        filled = {name: value for name, value in record.items() if value is not None}
        n += apply.one(account, filled, rules, now, SOURCE) is None
    return n


def import_orders(account: Account, orders: Iterable[ShopOrder], namespace: str, now: datetime) -> int:
    """Write one order each under the importer's own id; return how many were written."""
    if not account.switches.native_importer:
        return 0
    rules, n, space = rules_for(account.switches), 0, _space(account, namespace)
    is_net = account.switches.importer_totals == "net"
    for one in orders:
        customer = {"id": f"{space}{one.customer_id}" if one.customer_id else None, "email": one.email}
        record = {
            "@type": "order",
            "id": f"{space}{_name(account, one.id, one.name)}",
            "web_id": one.name,
            "timestamp": one.at,
            "grand_total": one.net if is_net and one.net is not None else one.total,
            "currency": one.currency,
            "is_valid": one.is_valid and (one.is_kept or not is_net),
            "customer": {name: value for name, value in customer.items() if value},
        }
        n += apply.one(account, record, rules, now, SOURCE) is None
    return n


def import_products(account: Account, products: Iterable[ShopProduct], namespace: str, now: datetime) -> int:
    """Write one product each under the importer's own id, where it reads products; return how many were written."""
    if not (account.switches.native_importer and account.switches.importer_products):
        return 0
    rules, n, space = rules_for(account.switches), 0, _space(account, namespace)
    for one in products:
        record = {
            "@type": "product",
            "id": f"{space}{_name(account, one.id, f'{one.parent}_{one.id}' if one.parent else one.id)}",
            "title": one.title,
            "currency": one.currency,
            "price": one.price,
            "sku": one.sku,
            "url": one.url,
            "is_variant": one.parent is not None,
            "is_active": True,
        }
        filled = {name: value for name, value in record.items() if value is not None}
        n += apply.one(account, filled, rules, now, SOURCE) is None
    return n


def _space(account: Account, namespace: str) -> str:
    return namespace if account.switches.importer_namespace else ""


def _name(account: Account, number: str, name: str) -> str:
    match account.switches.importer_ids:
        case "shopify":
            return number
        case "name":
            return name.lstrip("#")
    return f"shopify_{number}"
