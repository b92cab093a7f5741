"""The small types that settings are made of; each refuses what it cannot mean, in words that name the fix."""

import re
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from isthmus.kit import duration

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class Section(BaseModel):
    """One table of a settings file: nothing unknown, nothing changed later, no value in an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _duration(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError('must be a duration such as "2s", "5m", "1h" or "7d"')
    return duration.parse_duration(value)


Duration = Annotated[timedelta, BeforeValidator(_duration), PlainSerializer(duration.format_duration)]


MOST = "36500d"
"""The longest duration of any setting: what is longer reaches beyond the dates that a database and a computer know."""


def duration_at_least(least: str) -> AfterValidator:
    """A duration's lower end; its upper end is the same for all."""

    def check(value: timedelta) -> timedelta:
        if value > duration.parse_duration(MOST):
            raise ValueError(f"must be from {least} to {MOST}")
        if value < duration.parse_duration(least):
            raise ValueError(f"must be at least {least}")
        return value

    return AfterValidator(check)


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError('must be an address such as "https://host/path"')
    if parts.username or parts.password:
        raise ValueError("must not carry a user or a password")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("must begin with https://; plain http is for this machine only")
    return value.rstrip("/")


Url = Annotated[str, AfterValidator(_url)]


def string_matching(shape: str, what: str) -> AfterValidator:
    pattern = re.compile(shape)

    def check(value: str) -> str:
        if pattern.fullmatch(value) is None:
            raise ValueError(f"must be {what}")
        return value

    return AfterValidator(check)


Name = Annotated[str, string_matching(r"[a-z0-9][a-z0-9_-]{0,39}", "up to 40 lower-case letters, digits, - and _")]
Domain = Annotated[
    str,
    BeforeValidator(lambda value: value.strip().lower() if isinstance(value, str) else value),
    string_matching(r"[a-z0-9][a-z0-9-]*(\.[a-z0-9-]+)+", 'the shop\'s permanent domain, such as "acme.myshopify.com"'),
]
Currency = Annotated[str, string_matching(r"[A-Z]{3}", 'a currency code such as "GBP"')]
ApiVersion = Annotated[str, string_matching(r"\d{4}-(01|04|07|10)|unstable", 'a Shopify API version such as "2026-10"')]
# Ids may be shown publicly, and stand in addresses.
Namespace = Annotated[str, string_matching(r"[A-Za-z0-9_.:-]{0,20}", 'a short prefix such as "uk:"')]
Collection = Annotated[
    str,
    # The two names with a colon are reserved: https://support.ometria.com/hc/en-gb/articles/20853734022813
    string_matching(r"[A-Za-z0-9_.-]{1,64}", "letters, digits, dots, - and _"),
]
FieldNamespace = Annotated[
    str, string_matching(r"[A-Za-z0-9_$-]{2,255}", 'a namespace of Shopify\'s, such as "custom"')
]
FieldKey = Annotated[
    str, string_matching(r"[A-Za-z0-9_-]{2,64}", "2 to 64 letters, digits, - and _, without the namespace")
]
PropertyName = Annotated[str, string_matching(r"[A-Za-z_][A-Za-z0-9_]{0,63}", "up to 64 letters, digits and _")]
FileName = Annotated[str, string_matching(r"[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*", "the name of a file")]
Share = Annotated[float, Field(ge=0, le=1)]
PerSecond = Annotated[float, Field(gt=0, le=1000)]
