"""What Ometria's answers say, read tolerantly: unknown fields are ignored, both documented shapes are accepted.

Sources: https://docs.ometria.com/docs/push-endpoint, https://docs.ometria.com/docs/list-errors, and for the fuller
error entry the Ometria schema of https://fivetran.com/docs/connectors/applications/ometria.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.kit.ids import content_hash

_TOLD = 160
# An address, a phone number or an id may hide in a message: anything with an @, and any longer run of digits.
_PERSONAL = re.compile(r"\S*@\S*|\+?\d[\d\s().-]{4,}\d")

# A float would round money: what is read back is compared with what was sent to the penny.
_decoder = msgspec.json.Decoder(float_hook=Decimal)


class Pushed(Struct, frozen=True):
    """The synchronous answer to a push: received, not yet validated. Queue figures are None where no header says."""

    request_id: str | None
    accepted: int
    rejected: int
    queue_remaining: int | None = None
    queue_limit: int | None = None


class FeedEntry(Struct, frozen=True):
    """One of the 100 newest push errors.

    `fingerprint` tells entries of successive polls apart; it is None for an entry that names no push, since such
    entries are alike whatever happened and prove no overlap. `path` is like "root > lastname".
    """

    request_id: str | None
    record_type: str | None
    record_id: str | None
    message: str
    path: str
    timestamp: datetime | None
    fingerprint: bytes | None


class Unsubscribed(Struct, frozen=True):
    """One unsubscription that Ometria lists; those made by API, form or file are not among them."""

    email: str | None
    profile_id: str | None
    kind: str | None
    at: datetime | None


class PlatformProfile(Struct, frozen=True):
    """One person as Ometria puts them together from all contacts. `email_optin` is its own word, None where
    nobody said anything; `phone` in E.164.
    """

    id: str
    email: str | None
    phone: str | None
    customer_id: str | None
    email_optin: str | None
    sms_optin: bool | None


def decode_json(body: bytes) -> Any:
    """Plain values with Decimals for fractions; msgspec.DecodeError when it is not JSON, or nested without end."""
    try:
        return _decoder.decode(body)
    except (RecursionError, UnicodeDecodeError):
        raise msgspec.DecodeError("not the JSON of any answer") from None


def parse_push(body: Any, sent: int, remaining: str | None, limit: str | None) -> Pushed:
    """Read a push answer; ValueError when it is no object. Where counts are missing, its status speaks for all."""
    if not isinstance(body, dict):
        raise ValueError("the answer is not an object")
    is_ok = str(body.get("status", "OK")).upper() == "OK" and body.get("success", True) is not False
    accepted, rejected = _count(body.get("accepted")), _count(body.get("rejected"))
    if rejected is None:
        rejected = max(0, sent - accepted) if accepted is not None else 0 if is_ok else sent
    if accepted is None:
        accepted = max(0, sent - rejected)
    return Pushed(as_text(body.get("request_id")), accepted, rejected, _count(remaining), _count(limit))


def parse_error_feed(body: Any) -> list[FeedEntry]:
    """Read the error feed; ValueError when it is no list."""
    return [_entry(item) for item in list_items(body) if isinstance(item, dict)]


def parse_unsubscriptions(body: Any) -> list[Unsubscribed]:
    """Read the list of unsubscriptions; ValueError when it is no list."""
    return [
        Unsubscribed(
            email=as_text(item.get("email_address") or item.get("email")),
            profile_id=as_text(item.get("profile_id")),
            kind=as_text(item.get("type")),
            at=parse_time(item.get("timestamp")),
        )
        for item in list_items(body)
        if isinstance(item, dict)
    ]


_OPTINS = {
    "EXPLICITLY_OPTEDIN": "EXPLICITLY_OPTEDIN",
    "EXPLICITLY_OPTEDOUT": "EXPLICITLY_OPTEDOUT",
    "NOT_SPECIFIED": "NOT_SPECIFIED",
    True: "EXPLICITLY_OPTEDIN",
    False: "EXPLICITLY_OPTEDOUT",
}
"""https://support.ometria.com/hc/en-gb/articles/360011293458; importers write true and false."""


def parse_profile(item: dict[str, Any]) -> PlatformProfile | None:
    """Read one profile (https://support.ometria.com/hc/en-gb/articles/360011514197); None where it has no id."""
    own = as_text(item.get("id"))
    if own is None:
        return None
    optin = item.get("marketing_optin")
    sms = _object(_object(item.get("channels")).get("sms")).get("allow_marketing")
    phone = item.get("phone_number")
    return PlatformProfile(
        own,
        as_text(item.get("email")),
        as_text(_object(phone).get("number")) if isinstance(phone, dict) else as_text(phone),
        as_text(item.get("customer_id")),
        _OPTINS.get(optin) if isinstance(optin, (str, bool)) else None,
        sms if isinstance(sms, bool) else None,
    )


def list_items(body: Any) -> list[Any]:
    """The list in an answer, bare or under the one key that wrappers use; ValueError when there is none."""
    if isinstance(body, dict):
        wrapped = [body[key] for key in ("errors", "data", "results", "items") if isinstance(body.get(key), list)]
        body = wrapped[0] if wrapped else None
    if not isinstance(body, list):
        raise ValueError("the answer is not a list")
    return body


def parse_time(value: Any) -> datetime | None:
    """Both spellings Ometria uses, "2015-02-01T05:44:55+00:00" and "2017-05-17 22:08:07+00"; else None."""
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    # What an answer without an offset means is not documented; its own queries are in UTC.
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def redacted(said: Any) -> str:
    """What may be repeated of a message: one line, short, without anything that could name a person."""
    line = " ".join(_PERSONAL.sub("…", str(said)).split())
    return line if len(line) <= _TOLD else line[: _TOLD - 1] + "…"


def safe_message(body: bytes) -> str:
    """What an error answer says in a field that carries words; "" for a page or anything else."""
    try:
        found = decode_json(body)
    except msgspec.DecodeError:
        return ""
    if isinstance(found, dict):
        for key in ("message", "error", "error_message", "detail"):
            if isinstance(found.get(key), str):
                return redacted(found[key])
    return ""


def as_text(value: Any) -> str | None:
    """An id or word as text, whichever JSON type carried it; None for null, empty and structures."""
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) and value != "" else None


def _entry(item: dict[str, Any]) -> FeedEntry:
    inner = item.get("message")
    words = _object(inner)
    record = _object(item.get("record"))
    request_id = as_text(item.get("request_id"))
    record_id = as_text(item.get("record_id")) or as_text(record.get("id"))
    message = (
        words.get("error")
        or words.get("error_message")
        or item.get("error_message")
        or item.get("message_error")
        or (inner if isinstance(inner, str) else "")
    )
    path = words.get("error_path") or words.get("path") or item.get("error_path") or item.get("message_error_path")
    is_named = request_id is not None or record_id is not None
    return FeedEntry(
        request_id=request_id,
        record_type=as_text(item.get("record_type")) or as_text(record.get("@type")),
        record_id=record_id,
        message=redacted(message),
        path=redacted(path or ""),
        timestamp=parse_time(item.get("timestamp")),
        fingerprint=content_hash(msgspec.json.encode(item, order="sorted")) if is_named else None,
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        return max(0, int(value))
    except (TypeError, ValueError):
        return None
