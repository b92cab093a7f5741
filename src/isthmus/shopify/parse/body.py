"""How a foreign body is read: typed, or refused without repeating what it said."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from isthmus.model.failure import RejectedError

UNREADABLE = "storefront.unreadable_body"

When = Annotated[datetime, Meta(tz=True)]
"""A time with its offset; Shopify writes webhooks in the shop's zone and GraphQL in UTC."""


Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""A number of Shopify's, which are unsigned and fit 64 bits."""

Token = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,255}$")]
"""A basket's token, which names it wherever it is shown."""

Count = Annotated[int, Meta(ge=-(10**9), le=10**9)]
"""Units of something: no shop has a thousand million of anything, and products of more would not be exact."""

_BACKSLASH = b"\\"
_WRITTEN_NUL = b"\\u0000"
_NUL = "\0"


class Hint(Struct, frozen=True, gc=False):
    """A body that names its record and cannot tell all of it: the record has to be read. `why` is a fixed phrase."""

    id: int
    updated_at: datetime | None
    why: str


T = TypeVar("T")


def reader(shape: type[T]) -> Callable[[bytes], T]:
    """A function from raw bytes to `shape`; RejectedError with the path of the fault and nothing of the content."""
    decode = msgspec.json.Decoder(shape).decode

    def read(body: bytes) -> T:
        try:
            value = decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RejectedError(UNREADABLE, path_of(error)) from None
        if _BACKSLASH in body and _WRITTEN_NUL in body:  # a single byte is found twenty times as fast
            refuse_nul(msgspec.to_builtins(value))
        return value

    return read


def converter(shape: type[T]) -> Callable[[Any], T]:
    """A function from a decoded JSON value to `shape`; fails like `reader`."""

    def convert(value: Any) -> T:
        refuse_nul(value)
        try:
            return msgspec.convert(value, shape)
        except msgspec.ValidationError as error:
            raise RejectedError(UNREADABLE, path_of(error)) from None

    return convert


def path_of(error: Exception) -> str:
    """Where in the body it went wrong: `$.line_items[…].price_set`, or that it is no JSON at all."""
    if not isinstance(error, msgspec.ValidationError):
        return "not JSON"
    _, found, path = str(error).rpartition(" - at `")
    return path.rstrip("`") if found else "$"


def refuse_nul(value: Any) -> None:
    """Refuse a text with the character NUL, which no text of the database may hold; where nobody reads it, it may be.

    https://www.postgresql.org/docs/current/datatype-character.html
    """
    match value:
        case str() if _NUL in value:
            raise RejectedError(UNREADABLE, "a text with the character NUL")
        case dict():
            for inner in value.values():
                refuse_nul(inner)
        case list() | tuple():
            for inner in value:
                refuse_nul(inner)


def utc(at: datetime) -> datetime:
    """The same moment in UTC; RejectedError where that is before the first or after the last year there is."""
    if at.tzinfo is UTC:
        return at
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise RejectedError(UNREADABLE, "a time out of range") from None


def maybe_utc(at: datetime | None) -> datetime | None:
    return None if at is None else utc(at)
