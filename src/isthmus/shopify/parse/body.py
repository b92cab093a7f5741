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
            return decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RejectedError(UNREADABLE, path_of(error)) from None

    return read


def converter(shape: type[T]) -> Callable[[Any], T]:
    """A function from a decoded JSON value to `shape`; fails like `reader`."""

    def convert(value: Any) -> T:
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


def utc(at: datetime) -> datetime:
    return at if at.tzinfo is UTC else at.astimezone(UTC)


def maybe_utc(at: datetime | None) -> datetime | None:
    return at if at is None or at.tzinfo is UTC else at.astimezone(UTC)
