"""How a foreign body is read: typed, or refused without repeating what it said."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from isthmus.model.failure import RejectedError
from isthmus.model.order import Order
from isthmus.shopify.parse import lenient

UNREADABLE = "storefront.unreadable_body"

When = Annotated[datetime, Meta(tz=True)]
"""A time with its offset; Shopify writes webhooks in the shop's zone and GraphQL in UTC."""


Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""A number of Shopify's, which are unsigned and fit 64 bits."""

Token = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,255}$")]
"""A basket's token, which names it wherever it is shown."""

Count = Annotated[int, Meta(ge=-(10**9), le=10**9)]
"""Units of something: no shop has a thousand million of anything, and products of more would not be exact."""


class NeedsFetch(Struct, frozen=True, gc=False):
    """A body that names its record and cannot tell all of it: the record has to be read. `why` is a fixed phrase."""

    id: int
    updated_at: datetime | None
    why: str


class Partial(Struct, frozen=True, gc=False):
    """A record whose body has null in the place of a list: an empty one where we know of none. Where we know some, they
    are kept and the record is read. `untold` names the lists as the record has them."""

    record: Order
    untold: tuple[str, ...]


T = TypeVar("T")


def json_reader(shape: type[T]) -> Callable[[bytes], T]:
    """A function from raw bytes to `shape`, lenient as parse/lenient.py says; RejectedError with the path of the fault
    and nothing of the content."""
    decode = msgspec.json.Decoder(shape).decode
    straighten = lenient.Straightener(shape, lists=True)

    def read(body: bytes) -> T:
        try:
            value = decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return again(body)
        return again(body) if lenient.is_marked(body) else value

    def again(body: bytes) -> T:
        try:
            loaded = lenient.load_json(body)
        except (ValueError, RecursionError):
            raise RejectedError(UNREADABLE, "not JSON") from None
        return _convert(straighten(loaded), shape)

    return read


def json_converter(shape: type[T]) -> Callable[[Any], T]:
    """A function from a decoded JSON value to `shape`; as lenient, and fails like `reader`.

    What a reading answers null for a list it could not see, so that is no empty list.
    """
    straighten = lenient.Straightener(shape, lists=False)

    def convert(value: Any) -> T:
        value = value if lenient.is_clean_value(value) else lenient.clean_value(value)
        try:
            return msgspec.convert(value, shape)
        except msgspec.ValidationError:
            return _convert(straighten(value), shape)

    return convert


def _convert(value: Any, shape: type[T]) -> T:
    try:
        return msgspec.convert(value, shape)
    except (msgspec.ValidationError, RecursionError) as error:
        raise RejectedError(UNREADABLE, error_path(error)) from None


def error_path(error: Exception) -> str:
    """Where in the body it went wrong: `$.line_items[…].price_set`, or that it is no JSON at all; a key that is missing
    is named."""
    if not isinstance(error, msgspec.ValidationError):
        return "not JSON"
    said, found, path = str(error).rpartition(" - at `")
    where = path.rstrip("`") if found else "$"
    missing = _MISSING.match(said or str(error))
    return f"{where}.{missing[1]} is missing" if missing else where


_MISSING = re.compile("Object missing required field `(.+?)`")


def to_utc(at: datetime) -> datetime:
    """The same moment in UTC; RejectedError where that is before the first or after the last year there is."""
    if at.tzinfo is UTC:
        return at
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise RejectedError(UNREADABLE, "a time out of range") from None


def to_utc_or_none(at: datetime | None) -> datetime | None:
    return None if at is None else to_utc(at)
