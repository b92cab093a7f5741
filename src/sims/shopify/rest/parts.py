"""Small pieces that many bodies share: times in the shop's zone, money, addresses, taxes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sims.shopify.state import Address, MoneyBag, Order, TaxLine


@lru_cache(maxsize=16)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def local(at: datetime, zone: str) -> str:
    """Write a time as bodies do: whole seconds with the shop's own offset."""
    return at.astimezone(_zone(zone)).isoformat(timespec="seconds")


def maybe(at: datetime | None, zone: str) -> str | None:
    """Write a time that may be missing."""
    return None if at is None else local(at, zone)


def instant(at: datetime) -> str:
    """Write a time as the newer bodies do: UTC with milliseconds and Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def amount(value: Decimal) -> str:
    """Write an amount with two places."""
    return f"{value:.2f}"


def bag(value: MoneyBag, currency: str, presentment: str) -> dict[str, Any]:
    """Write an amount in both currencies."""
    return {
        "shop_money": {"amount": amount(value.shop), "currency_code": currency},
        "presentment_money": {"amount": amount(value.presentment), "currency_code": presentment},
    }


def no_list(order: Order) -> list[Any] | None:
    """An empty list as a till's orders have it in every second body, which is null (seen; how often is ASSUMED)."""
    return None if order.source_name == "pos" and order.number % 2 else []


def tax_lines(lines: Iterable[TaxLine], currency: str, presentment: str) -> list[dict[str, Any]]:
    """Write tax lines."""
    return [
        {
            "channel_liable": False,
            "price": amount(one.price.shop),
            "price_set": bag(one.price, currency, presentment),
            "rate": float(one.rate),
            "title": one.title,
        }
        for one in lines
    ]


def postal(one: Address | None) -> dict[str, Any] | None:
    """Write an order's address."""
    if one is None:
        return None
    return {
        "first_name": one.first_name,
        "address1": one.address1,
        "phone": one.phone,
        "city": one.city,
        "zip": one.zip,
        "province": one.province,
        "country": one.country,
        "last_name": one.last_name,
        "address2": one.address2,
        "company": one.company,
        "latitude": None,
        "longitude": None,
        "name": full_name(one.first_name, one.last_name),
        "country_code": one.country_code,
        "province_code": one.province_code,
    }


def full_name(first: str | None, last: str | None) -> str:
    """Join two names that may be missing."""
    return " ".join(part for part in (first, last) if part)
