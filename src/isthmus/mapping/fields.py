"""How single values are written: times, phones, addresses, ids of things, and properties that must fit."""

from collections.abc import Iterable
from datetime import UTC, datetime

import phonenumbers
from msgspec import Struct

from isthmus.model import order as model
from isthmus.ometria import limits, wire


def to_utc(at: datetime) -> datetime:
    """The same instant in UTC with whole seconds, which is written as `2026-01-31T12:00:00Z`."""
    if at.microsecond:
        at = at.replace(microsecond=0)
    return at if at.tzinfo is UTC else at.astimezone(UTC)


def clean_text(value: str | None) -> str | None:
    """Trimmed; None when nothing is left."""
    return (value.strip() or None) if value else None


def map_phone(number: str | None, country_code: str | None) -> str | None:
    """E.164, or None for what is no valid number; the country is a hint for numbers written without a prefix.

    Ometria validates by the same rules (https://support.ometria.com/hc/en-gb/articles/360011315838).
    """
    if not number:
        return None
    try:
        parsed = phonenumbers.parse(number, country_code.upper() if country_code else None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed):
        return None
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def map_country(code: str | None) -> str | None:
    """An ISO 3166 two-letter code in capitals, or None."""
    return code.upper() if code and len(code) == 2 and code.isalpha() else None


def map_address(given: model.Address | None) -> wire.AddressBody | None:
    if given is None:
        return None
    return wire.AddressBody(given.city, given.state, given.postcode, map_country(given.country_code))


def map_tags(given: Iterable[str], allowed: frozenset[str] | None) -> list[str]:
    """A sorted set that takes case for decoration; `allowed` None lets everything through."""
    kept: dict[str, str] = {}
    for tag in sorted(given):
        kept.setdefault(tag.strip().casefold(), tag.strip())
    kept.pop("", None)
    if allowed is not None:
        wanted = {tag.casefold() for tag in allowed}
        kept = {folded: tag for folded, tag in kept.items() if folded in wanted}
    return [kept[folded] for folded in sorted(kept)]


class Fitted(Struct, frozen=True):
    """Properties that fit, and how many values had to be left out."""

    properties: wire.Properties
    n_cut: int


def fit_properties(
    properties: wire.Properties, expendable: str | None = None, room: int = limits.PROPERTIES_BYTES
) -> Fitted:
    """Cut properties until their JSON fits: the expendable one's values from the last, then whole properties.

    The expendable property is a list, or values joined by commas. The others are given most precious first and go
    from the last.
    """
    fitted = dict(properties)
    n_cut = 0
    while fitted and wire.properties_size(fitted) > room:
        values = fitted.get(expendable) if expendable else None
        if isinstance(values, str) and "," in values:
            fitted[str(expendable)] = values.rpartition(",")[0]
        elif isinstance(values, list) and len(values) > 1:
            fitted[str(expendable)] = values[:-1]
        else:
            fitted.pop(expendable if expendable in fitted else next(reversed(fitted)))
        n_cut += 1
    return Fitted(fitted, n_cut)
