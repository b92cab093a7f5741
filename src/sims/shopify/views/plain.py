"""Small values as the Admin API writes them: times, money, ids, addresses."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, ClassVar

from sims.shopify.state import Address, MoneyBag, gid


def time(at: datetime) -> str:
    """Write a time in UTC, whole seconds, with Z."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def maybe(at: datetime | None) -> str | None:
    """Write a time that may be missing."""
    return None if at is None else time(at)


def decimal(amount: Decimal) -> str:
    """Write an amount with as few places as it needs, but one: "15.0", "89.99" (seen live)."""
    text = f"{amount:f}"
    if "." not in text:
        return f"{text}.0"
    text = text.rstrip("0")
    return f"{text}0" if text.endswith(".") else text


def price(amount: Decimal) -> str:
    """Write an amount of the `Money` scalar: two places."""
    return f"{amount:.2f}"


def money(amount: Decimal, currency: str) -> dict[str, Any]:
    """Write a MoneyV2."""
    return {"__typename": "MoneyV2", "amount": decimal(amount), "currencyCode": currency}


def bag(value: MoneyBag, shop: str, presentment: str) -> dict[str, Any]:
    """Write a MoneyBag in the shop's and the customer's currency."""
    amount = decimal(value.shop)
    seen = amount if value.presentment is value.shop else decimal(value.presentment)
    return {
        "shopMoney": {"amount": amount, "currencyCode": shop},
        "presentmentMoney": {"amount": seen, "currencyCode": presentment},
    }


def count(n: int, limit: int | None = None) -> dict[str, Any]:
    """Write a Count; beyond its limit it is only a lower bound."""
    if limit is not None and n > limit:
        return {"count": limit, "precision": "AT_LEAST"}
    return {"count": n, "precision": "EXACT"}


def full_name(first: str | None, last: str | None) -> str:
    """Join two names that may be missing."""
    return " ".join(part for part in (first, last) if part)


def own(path: str) -> Any:
    """Return a property that hands out the record's own value."""
    return property(attrgetter(f"record.{path}"))


def dated(path: str) -> Any:
    """Return a property that writes a time of the record, which may be missing."""
    get = attrgetter(f"record.{path}")
    return property(lambda view: maybe(get(view)))


def identified(kind: str, path: str = "id") -> Any:
    """Return a property that writes the record's global id."""
    get, prefix = attrgetter(f"record.{path}"), gid(kind, 0)[:-1]
    return property(lambda view: f"{prefix}{get(view)}")


def numbered() -> Any:
    """Return a property that writes the record's number as `legacyResourceId`: text, since JSON has no 64 bits."""
    return property(lambda view: str(view.record.id))


def always(value: Any) -> Any:
    """Return a property that is the same for every record of this world."""
    return property(lambda _: value)


class MailingAddress:
    """An address; `model` is where it stands, which is part of its id."""

    __slots__ = ("model", "record")
    type_name: ClassVar[str] = "MailingAddress"

    def __init__(self, record: Address, model: str) -> None:
        self.record, self.model = record, model

    id = property(lambda self: f"{gid('MailingAddress', self.record.id)}?model_name={self.model}")
    first_name = own("first_name")
    last_name = own("last_name")
    name = property(lambda self: full_name(self.record.first_name, self.record.last_name) or None)
    company = own("company")
    address1 = own("address1")
    address2 = own("address2")
    city = own("city")
    province = own("province")
    province_code = own("province_code")
    zip = own("zip")
    country = own("country")
    country_code_v2 = own("country_code")
    phone = own("phone")
    formatted_area = property(
        lambda self: ", ".join(part for part in (self.record.city, self.record.province_code, self.country) if part)
    )
    latitude = longitude = time_zone = always(None)
