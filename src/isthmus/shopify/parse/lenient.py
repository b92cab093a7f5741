"""What a foreign body may leave crooked without anything being lost: read anyway, and the same for every shape.

A text with NUL, a lone surrogate or U+FFFD loses these characters; an email, a phone number or a token that holds one
is no longer what somebody typed, and is left out. A byte order mark is dropped. `[]`, `{}` and an object of nulls in
the place of an object are none, and null in the place of a list that may be left out is an empty one. Nearly every body
is plain and is read without any of this: it costs a look for single bytes, and the rest only where the plain reading
fails.
"""

import json
import re
from typing import Any

from msgspec import inspect

_BAD = re.compile("[\x00\ud800-\udfff\ufffd]")
_WRITTEN = re.compile(rb"\\u(?:0000|[fF]{3}[dD])")
_UNUSABLE = frozenset(
    (
        "email",
        "phone",
        "token",
        "cart_token",
        "checkout_token",
        "cartToken",
        "checkoutToken",
        "emailAddress",
        "phoneNumber",
        "contact_email",
        "sms_marketing_phone",
        "id",
        "admin_graphql_api_id",
    )
)
"""Keys whose text names or reaches somebody: half of it is worse than none."""

_BOM = b"\xef\xbb\xbf"
_BACKSLASH = b"\\"
_LEAD = b"\xef"
_REPLACED = b"\xef\xbf\xbd"


def is_marked(body: bytes) -> bool:
    """Whether a body that can be read may still hold characters that no text keeps."""
    # A single byte is found twenty times as fast as several.
    first = body.find(_BACKSLASH)
    return (first >= 0 and _WRITTEN.search(body, first) is not None) or (body.find(_LEAD) >= 0 and _REPLACED in body)


def load_json(body: bytes) -> Any:
    """A body as plain values, its texts cleaned; ValueError or RecursionError for what is no JSON."""
    text = body.removeprefix(_BOM).decode("utf-8", "replace")
    return clean_value(json.loads(text, strict=False, parse_constant=_refuse))


def is_clean_value(value: Any) -> bool:
    """Whether no text of a decoded value holds a character that is to be removed."""
    match value:
        case str():
            return (value.isascii() and "\0" not in value) or _BAD.search(value) is None
        case dict():
            return all(map(is_clean_value, value.values()))
        case list() | tuple():
            return all(map(is_clean_value, value))
    return True


def clean_value(value: Any, key: str = "") -> Any:
    """The same value with its texts cleaned; None in the place of a name or an address that was not clean."""
    match value:
        case str():
            if (value.isascii() and "\0" not in value) or _BAD.search(value) is None:
                return value
            return None if key in _UNUSABLE else _BAD.sub("", value)
        case dict():
            return {str(name): clean_value(inner, str(name)) for name, inner in value.items()}
        case list() | tuple():
            return [clean_value(inner, key) for inner in value]
    return value


class Straightener:
    """Makes a decoded value fit a shape where only emptiness is written in another way than the shape has it."""

    def __init__(self, shape: Any, *, lists: bool) -> None:
        self._shape, self._lists = inspect.type_info(shape), lists

    def __call__(self, value: Any) -> Any:
        return self._straight(value, self._shape)

    def _straight(self, value: Any, shape: inspect.Type) -> Any:
        match shape:
            case inspect.UnionType(types=types):
                rest = [one for one in types if not isinstance(one, inspect.NoneType)]
                if len(rest) != 1 or value is None:
                    return value
                is_object = isinstance(rest[0], inspect.StructType)
                return None if is_object and is_empty_object(value) else self._straight(value, rest[0])
            case inspect.StructType(fields=fields) if isinstance(value, dict):
                made = dict(value)
                for field in fields:
                    if field.encode_name not in made:
                        continue
                    if self._lists and not field.required and made[field.encode_name] is None:
                        if isinstance(field.type, inspect.ListType):
                            made[field.encode_name] = []
                    else:
                        made[field.encode_name] = self._straight(made[field.encode_name], field.type)
                return made
            case inspect.ListType(item_type=item) if isinstance(value, list):
                return [self._straight(one, item) for one in value]
        return value


def is_empty_object(value: Any) -> bool:
    """Whether this stands for no object: `[]`, `{}`, or an object of nulls."""
    return value is None or value == [] or (isinstance(value, dict) and all(map(is_empty_object, value.values())))


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
