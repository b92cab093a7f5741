"""Ometria's own Shopify importer: a second writer with other ids, never forced, off unless an account switches it on.

Sources: https://support.ometria.com/hc/en-gb/articles/17315331725085 (namespaces, customer_id is Shopify's id),
https://support.ometria.com/hc/en-gb/articles/9881943263389 (its consent is not forced, and it carries no SMS consent).
Collection and order ids are ASSUMED.
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


def import_customers(account: Account, customers: Iterable[ShopCustomer], namespace: str, now: datetime) -> int:
    """Write one listing per customer in the importer's own collection; return how many were written."""
    if not account.switches.native_importer:
        return 0
    rules, n = rules_for(account.switches), 0
    for one in customers:
        record = {
            "@type": "contact",
            "@collection": COLLECTION,
            "id": f"{namespace}{one.id}",
            "customer_id": f"{namespace}{one.id}",
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
    rules, n = rules_for(account.switches), 0
    for one in orders:
        customer = {"id": f"{namespace}{one.customer_id}" if one.customer_id else None, "email": one.email}
        record = {
            "@type": "order",
            "id": f"{namespace}shopify_{one.id}",
            "web_id": one.name,
            "timestamp": one.at,
            "grand_total": one.total,
            "currency": one.currency,
            "is_valid": one.is_valid,
            "customer": {name: value for name, value in customer.items() if value},
        }
        n += apply.one(account, record, rules, now, SOURCE) is None
    return n
