"""How stored objects look when read: their fields, and what Ometria adds.

Sources: https://support.ometria.com/hc/en-gb/articles/360011514197 (profile), 360011619778 (list), 360011622878
(unsubscribe); what the read side adds to contacts and orders, as Fivetran's Ometria schema lists it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sims.ometria import consent, times
from sims.ometria.account import Account, StaticList, Unsubscribe
from sims.ometria.identity import Profile
from sims.ometria.shelf import Stored

_TIMES = frozenset(
    ("timestamp", "timestamp_subscribed", "timestamp_unsubscribed", "timestamp_acquired", "special_price_dt_from")
) | {"special_price_dt_to"}
_IMPORTANCE = {"preference_centre": 0, "api": 1, "csv": 1, "form": 2, "importer": 3}


def contact(account: Account, row: Stored) -> dict[str, Any]:
    """Return one listing."""
    return {
        **_fields(account, row),
        "profile_id": row.profile_id,
        "collection": row.collection,
        "dt_object_created": times.offset_text(row.created_at),
        "dt_object_observed": times.offset_text(row.updated_at),
        "dt_object_updated": times.offset_text(row.updated_at),
        "dt_observed": times.offset_text(row.updated_at),
        "object_version": row.version,
        "source": row.source,
    }


def order(account: Account, row: Stored) -> dict[str, Any]:
    """Return one order with its counted units and refunds."""
    lines = row.record.get("lineitems") or ()
    counted = {
        "total_refunded": refunded(row.record),
        "total_unit_quantity": sum(line.get("quantity") or 0 for line in lines),
        "total_unit_quantity_refunded": sum(line.get("quantity_refunded") or 0 for line in lines),
    }
    return {**counted, **_fields(account, row), "profile_id": row.profile_id}


def product(account: Account, row: Stored) -> dict[str, Any]:
    """Return one product or variant."""
    return _fields(account, row)


def event(account: Account, row: Stored) -> dict[str, Any]:
    """Return one custom event."""
    observed = {"profile_id": row.profile_id, "dt_observed": times.offset_text(row.created_at)}
    return {**_fields(account, row), **{key: value for key, value in observed.items() if value is not None}}


def profile(account: Account, person: Profile) -> dict[str, Any]:
    """Return one profile, put together from its listings by importance, then newest first."""
    rows = account.listings_of(person.id)
    rows.sort(key=lambda row: (-_IMPORTANCE.get(row.source, 9), row.updated_at, row.seq), reverse=True)
    named = next((row.record for row in rows if row.record.get("firstname") or row.record.get("lastname")), {})
    orders = [row for one in person.orders if (row := account.orders.get(one)) is not None]
    return {
        "@type": "profile",
        "id": person.id,
        "customer_id": _owned(person, rows, "customer_id", "customer_id"),
        "email": _owned(person, rows, "email", "email"),
        "phone_number": _first(rows, "phone_number"),
        "identities": [{"id": value, "type": kind} for kind, value in person.identifiers],
        "marketing_optin": consent.resolved(rows, account.switches),
        "channels": {"sms": {"allow_marketing": consent.resolved_sms(rows, account.switches)}},
        "firstname": named.get("firstname"),
        "lastname": named.get("lastname"),
        "name": " ".join(part for part in (named.get("firstname"), named.get("lastname")) if part) or None,
        **{name: _first(rows, name) for name in ("prefix", "middlename", "suffix", "gender", "date_of_birth")},
        "country": _first(rows, "country_id"),
        "dates": _dates(rows, orders),
        "stats": _stats(account, orders),
        "seen": False,
        "tags": [],
        "properties": {
            key: value for row in reversed(rows) for key, value in (row.record.get("properties") or {}).items()
        },
        "lists": [
            {"id": one.id, "title": one.title, "type": "STATIC"}
            for one in account.lists.values()
            if person.id in one.members
        ],
    }


def listed(one: StaticList) -> dict[str, Any]:
    """Return one list; its figures are not modelled."""
    return {
        "@type": "list",
        "id": one.id,
        "title": one.title,
        "description": None,
        "size": len(one.members),
        "status": "ARCHIVED" if one.archived else "READY",
        "type": "STATIC",
        "timestamp_created": times.offset_text(one.created_at),
    }


def unsubscribe(one: Unsubscribe) -> dict[str, Any]:
    """Return one line of `GET /unsubscribes`."""
    return {
        "email_address": one.email,
        "profile_id": one.profile_id,
        "reason": None,
        "timestamp": times.postgres_text(one.at),
        "type": one.type,
    }


def refunded(record: Mapping[str, Any]) -> float:
    """Return the money given back on an order: its lines' `refunded`, or the order's own figure where it has one."""
    if isinstance(record.get("total_refunded"), (int, float)):
        return float(record["total_refunded"])
    return round(sum(line.get("refunded") or 0 for line in record.get("lineitems") or ()), 2)


def _fields(account: Account, row: Stored) -> dict[str, Any]:
    if account.switches.timestamps_out == "as_sent":
        return dict(row.record)
    return {
        name: times.offset_text(times.read(value)) if name in _TIMES and value else value
        for name, value in row.record.items()
    }


def _owned(person: Profile, rows: list[Stored], field: str, kind: str) -> str | None:
    """Return the identifier of the most important listing that this profile really owns."""
    owned = person.values(kind)
    for row in rows:
        value = row.record.get(field)
        if value and (value in owned or value.strip().lower() in owned):
            return str(value)
    return owned[-1] if owned else None


def _first(rows: list[Stored], name: str) -> Any:
    return next((row.record[name] for row in rows if row.record.get(name) is not None), None)


def _dates(rows: list[Stored], orders: list[Stored]) -> dict[str, str | None]:
    bought = sorted(times.read(row.record["timestamp"]) for row in orders if row.record.get("is_valid", True))
    acquired = [times.read(row.record["timestamp_acquired"]) for row in rows if row.record.get("timestamp_acquired")]
    return {
        "acquired": _text(min(acquired, default=None)),
        "first_purchase": _text(bought[0] if bought else None),
        "last_purchase": _text(bought[-1] if bought else None),
        "first_seen": None,
        "last_seen": None,
    }


def _stats(account: Account, orders: list[Stored]) -> dict[str, Any]:
    valid = [row.record for row in orders if row.record.get("is_valid", True)]
    deducted: Callable[[Mapping[str, Any]], float] = refunded if account.switches.refunds_deducted else lambda _: 0.0
    revenue = round(sum(_worth(record) - deducted(record) for record in valid), 2)
    lines = [line for record in valid for line in record.get("lineitems") or ()]
    return {
        "orders": len(valid),
        "orders_attempted": len(orders),
        "revenue": revenue,
        "aov": round(revenue / len(valid), 2) if valid else 0,
        "total_items": sum(line.get("quantity") or 0 for line in lines),
        "visits": 0,
    }


def _worth(record: Mapping[str, Any]) -> float:
    base = (record.get("totals") or {}).get("base") or {}
    return float(base.get("grand_total", record["grand_total"]))


def _text(at: datetime | None) -> str | None:
    return None if at is None else times.offset_text(at)
