"""Metafields: every type Shopify has, read into a form and plain text.

https://shopify.dev/docs/apps/build/custom-data/metafields/list-of-data-types
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.model.metafield import Form, Metafield

LIST = "list."


class Node(Struct, gc=False):
    """A metafield as our documents ask for it."""

    namespace: str
    key: str
    type: str
    value: str

    @property
    def name(self) -> str:
        """Namespace and key with a dot between. Asked by `keys:` the key comes in that format already, says the schema,
        and a key itself has no dot."""
        return self.key if "." in self.key else f"{self.namespace}.{self.key}"


_encode = msgspec.json.Encoder(decimal_format="number", order="deterministic").encode
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


def requested_metafields(nodes: Iterable[Node], keys: Sequence[str]) -> tuple[Metafield, ...]:
    """One field for each key that was asked for, in that order; a key that did not come is a field that is not there.

    Shopify compares namespaces and keys without case.
    """
    found = {node.name.casefold(): node for node in nodes}
    return tuple(
        [
            parse_metafield(key, node.type, node.value)
            if (node := found.get(key.casefold())) is not None
            else Metafield(key)
            for key in keys
        ]
    )


def parse_metafield(key: str, type_: str, value: str) -> Metafield:
    """One field; without a form where the value is not of its type, or nobody knows the type."""
    single = type_.removeprefix(LIST)
    form = TYPES.get(single)
    try:
        if form is None:
            raise ValueError(type_)
        parts = _decode(value) if type_ != single else [value]
        if not isinstance(parts, list):
            raise TypeError(type_)
        values = tuple([_TEXT.get(single, _AS_IT_IS)(part) for part in parts])
    except (ValueError, TypeError, KeyError, InvalidOperation, msgspec.DecodeError, OverflowError):
        return Metafield(key, type_)
    return Metafield(key, type_, form, tuple([one for one in values if one]), is_list=type_ != single)


TYPES: Mapping[str, Form] = {
    **dict.fromkeys(
        (
            "single_line_text_field",
            "multi_line_text_field",
            "rich_text_field",
            "color",
            "id",
            "json",
            "language",
            "link",
            "url",
            "dimension",
            "volume",
            "weight",
            "antenna_gain",
            "area",
            "battery_charge_capacity",
            "battery_energy_capacity",
            "capacitance",
            "concentration",
            "data_storage_capacity",
            "data_transfer_rate",
            "display_density",
            "distance",
            "duration",
            "electric_current",
            "electrical_resistance",
            "energy",
            "frequency",
            "illuminance",
            "inductance",
            "luminous_flux",
            "mass_flow_rate",
            "power",
            "pressure",
            "resolution",
            "rotational_speed",
            "sound_level",
            "speed",
            "temperature",
            "thermal_power",
            "voltage",
            "volumetric_flow_rate",
        ),
        Form.TEXT,
    ),
    **dict.fromkeys(("number_integer", "number_decimal", "money", "rating"), Form.NUMBER),
    "boolean": Form.FLAG,
    "date": Form.DAY,
    "date_time": Form.TIME,
    **dict.fromkeys(
        (
            "article_reference",
            "collection_reference",
            "company_reference",
            "customer_reference",
            "file_reference",
            "metaobject_reference",
            "mixed_reference",
            "order_reference",
            "page_reference",
            "product_reference",
            "product_taxonomy_value_reference",
            "variant_reference",
        ),
        Form.REFERENCE,
    ),
}
"""Every single type and what its values are; most have a `list.` of the same."""


def is_known_type(type_: str) -> bool:
    """Whether Shopify has a type of this name."""
    return type_.removeprefix(LIST) in TYPES


def form_of(type_: str) -> Form:
    """What the values of a known type are."""
    return TYPES[type_.removeprefix(LIST)]


# One value as text ---------------------------------------------------------------------------------------------------


def _as_it_is(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


_AS_IT_IS: Callable[[Any], str] = _as_it_is


def _number(value: Any) -> str:
    """Exactly the digits that came; a list of numbers has them as numbers, a single one as text."""
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise TypeError
    number = Decimal(str(value))
    if not number.is_finite():
        raise ValueError
    return f"{number:f}"


def _whole(value: Any) -> str:
    if isinstance(value, (bool, Decimal)):
        raise TypeError
    return str(int(value))


def _flag(value: Any) -> str:
    text = str(value).lower()
    if text not in ("true", "false"):
        raise ValueError
    return text


def _day(value: Any) -> str:
    return date.fromisoformat(value).isoformat()


def _time(value: Any) -> str:
    """In UTC; Shopify takes a time without a zone for UTC."""
    at = datetime.fromisoformat(value)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return at.replace(microsecond=0).isoformat().replace("+00:00", "Z")


def _object(value: Any) -> dict[str, Any]:
    """The parts of a type whose value is JSON; inside a list it is JSON already."""
    parts = _decode(value) if isinstance(value, str) else value
    if not isinstance(parts, dict):
        raise TypeError
    return parts


def _money(value: Any) -> str:
    """The amount: its currency is the shop's, always."""
    return _number(_object(value)["amount"])


def _rating(value: Any) -> str:
    return _number(_object(value)["value"])


def _measure(value: Any) -> str:
    parts = _object(value)
    return f"{_number(parts['value'])} {_as_it_is(parts['unit']).lower()}"


def _link(value: Any) -> str:
    return _as_it_is(_object(value)["url"])


def _json(value: Any) -> str:
    """Without the blanks that mean nothing, in the order of its keys, so that the same is the same."""
    return _encode(_decode(value)).decode()


def _rich(value: Any) -> str:
    """The words of a rich text, a line for each of its blocks."""
    return "\n".join(line for child in _object(value).get("children", ()) if (line := _words(child).strip()))


def _words(part: Any) -> str:
    if not isinstance(part, dict):
        raise TypeError
    if part.get("type") == "text":
        return _as_it_is(part.get("value", ""))
    between = "\n" if part.get("type") == "list" else ""
    return between.join(_words(child) for child in part.get("children", ()))


def _reference(value: Any) -> str:
    """`Product/123` of gid://shopify/Product/123."""
    gid = _as_it_is(value)
    before, found, name = gid.partition("gid://shopify/")
    if before or not found or "/" not in name:
        raise ValueError
    return name


_PARSED: dict[Form, Callable[[Any], str]] = {
    Form.NUMBER: _number,
    Form.FLAG: _flag,
    Form.DAY: _day,
    Form.TIME: _time,
    Form.REFERENCE: _reference,
}
_PLAIN = ("single_line_text_field", "multi_line_text_field", "color", "id", "language", "url")
_TEXT: dict[str, Callable[[Any], str]] = {
    **{name: _PARSED.get(form, _measure) for name, form in TYPES.items() if name not in _PLAIN},
    "number_integer": _whole,
    "money": _money,
    "rating": _rating,
    "json": _json,
    "link": _link,
    "rich_text_field": _rich,
}
