"""Small checkers for JSON values: each answers with the path of the first thing wrong below it, or None.

A path is a tuple of keys, ("customer", "email"); null is always allowed, required fields are the caller's matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import msgspec
import phonenumbers

from sims.ometria import times

Path = tuple[str, ...]
Checker = Callable[[Any], Path | None]
Fields = Mapping[str, Checker]

HERE: Path = ()
"""The value itself is wrong."""

_CURRENCIES = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF
CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD
HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD
MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN
PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY
TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
CURRENCIES = frozenset(_CURRENCIES.split())
"""ISO 4217, https://www.iso.org/iso-4217-currency-codes.html"""

PROPERTIES_CHARS = 1000
PROPERTIES_KEYS = 100

_EMAIL = re.compile(r"[^\s@,;<>\"()]{1,64}@(?:[^\s@.,;<>\"()]+\.)+[^\s@.,;<>\"()0-9]{2,63}")
_E164 = re.compile(r"\+[1-9]\d{6,14}")
_COUNTRY = re.compile(r"[A-Z]{2}")


def text(value: Any) -> Path | None:
    """Accept a string."""
    return None if isinstance(value, str) else HERE


def filled(value: Any) -> Path | None:
    """Accept a string with something in it."""
    return None if isinstance(value, str) and value.strip() else HERE


def number(value: Any) -> Path | None:
    """Accept a JSON number; a number in quotes is not one."""
    return None if isinstance(value, (int, float)) and not isinstance(value, bool) else HERE


def boolean(value: Any) -> Path | None:
    """Accept true or false."""
    return None if isinstance(value, bool) else HERE


def loose_boolean(value: Any) -> Path | None:
    """Accept true, false and their names as strings, since a documented sample sends those."""
    return None if isinstance(value, bool) or value in ("true", "false") else HERE


def timestamp(value: Any) -> Path | None:
    """Accept an ISO 8601 date and time."""
    if not isinstance(value, str) or len(value) < len("2017-05-01T14:00"):
        return HERE
    try:
        times.read(value)
    except ValueError:
        return HERE
    return None


def day(value: Any) -> Path | None:
    """Accept an ISO 8601 date."""
    try:
        date.fromisoformat(value)
    except (TypeError, ValueError):
        return HERE
    return None


def email(value: Any) -> Path | None:
    """Accept what looks like one email address."""
    fits = isinstance(value, str) and len(value) <= 254 and _EMAIL.fullmatch(value) and ".." not in value
    return None if fits else HERE


def currency(value: Any) -> Path | None:
    """Accept an ISO 4217 code in capitals."""
    return None if isinstance(value, str) and value in CURRENCIES else HERE


def country(value: Any) -> Path | None:
    """Accept an ISO 3166 two-letter code in capitals."""
    return None if isinstance(value, str) and _COUNTRY.fullmatch(value) else HERE


def phone_valid(value: Any) -> Path | None:
    """Accept an E.164 number that libphonenumber calls valid."""
    parsed = _e164(value)
    return None if parsed is not None and phonenumbers.is_valid_number(parsed) else HERE


def phone_possible(value: Any) -> Path | None:
    """Accept an E.164 number that libphonenumber calls possible."""
    parsed = _e164(value)
    return None if parsed is not None and phonenumbers.is_possible_number(parsed) else HERE


def properties(value: Any) -> Path | None:
    """Accept an object of at most 100 keys whose JSON, keys included, stays under 1000 characters."""
    if not isinstance(value, dict) or len(value) > PROPERTIES_KEYS:
        return HERE
    written = msgspec.json.encode(value)
    long = len(written) >= PROPERTIES_CHARS and len(written.decode()) >= PROPERTIES_CHARS
    return HERE if long else None


def anything(value: Any) -> Path | None:
    """Accept everything."""
    del value
    return None


def one_of(*allowed: Any) -> Checker:
    """Return a checker for an enumeration."""

    def check(value: Any) -> Path | None:
        return (
            None
            if any(value is choice or (value == choice and type(value) is type(choice)) for choice in allowed)
            else HERE
        )

    return check


def many(item: Checker) -> Checker:
    """Return a checker for an array; the path names the position."""

    def check(value: Any) -> Path | None:
        if not isinstance(value, list):
            return HERE
        for position, one in enumerate(value):
            wrong = item(one)
            if wrong is not None:
                return (str(position), *wrong)
        return None

    return check


def shape(fields: Fields, required: tuple[str, ...] = ()) -> Checker:
    """Return a checker for an object; unknown keys are no error."""

    def check(value: Any) -> Path | None:
        return wrong_in(value, fields, required) if isinstance(value, dict) else HERE

    return check


def wrong_in(value: Mapping[str, Any], fields: Fields, required: tuple[str, ...]) -> Path | None:
    """Return the path of the first missing or wrong field of an object, or None."""
    for name in required:
        if value.get(name) is None:
            return (name,)
    for name, field in value.items():
        if field is None:
            continue
        checker = fields.get(name)
        if checker is not None:
            wrong = checker(field)
            if wrong is not None:
                return (name, *wrong)
    return None


def _e164(value: Any) -> phonenumbers.PhoneNumber | None:
    if not isinstance(value, str) or not _E164.fullmatch(value):
        return None
    try:
        return phonenumbers.parse(value)
    except phonenumbers.NumberParseException:
        return None
