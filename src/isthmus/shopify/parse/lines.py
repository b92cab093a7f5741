"""The lines of a bulk operation's result, put together into the nodes that the other parsers read.

One JSON object a line; what a connection holds stands on lines of its own, which name their parent in `__parentId` and
may come before it (https://shopify.dev/docs/api/usage/bulk-operations/queries#the-jsonl-data-format).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Struct, field

from isthmus.kit import ids
from isthmus.model.customer import Customer
from isthmus.model.failure import RejectedError
from isthmus.model.order import Order
from isthmus.model.product import Product
from isthmus.shopify.parse import customer_node, order_node, product_node
from isthmus.shopify.parse.common_graphql import Ref
from isthmus.shopify.parse.json import UNREADABLE, to_utc

Record = Customer | Order | Product


class Head(Struct, gc=False):
    """What of a line says where it belongs. A line without a `parent` is a record's own."""

    id: str | None = None
    parent: str | None = field(default=None, name="__parentId")
    updated: str | None = field(default=None, name="updatedAt")
    position: int = 0
    refunds: list[Ref] | None = None


class BulkRecord(Struct, frozen=True):
    """One record of a result; `record` is None where the lines cannot tell all of it, and it must be read: `why`."""

    id: int
    record: Record | None
    why: str = ""
    updated_at: datetime | None = None
    """The version of a record that must be read, where it is told."""


_decode = msgspec.json.Decoder(Head).decode


def line_head(line: bytes) -> Head:
    """What a line says of where it belongs; RejectedError `storefront.unreadable_body` for what is no line of ours."""
    try:
        return _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise RejectedError(UNREADABLE, "a line of a result") from None


Keys = Mapping[str, Sequence[str]]
"""The custom fields that are mapped, by the kind of record that has them."""


def field_alias(key: str) -> str:
    """What a custom field is called in a line: made of its key alone, so that the line says which were asked for."""
    return f"m_{key.encode().hex()}"


def join_lines(kind: str, lines: Iterable[bytes], keys: Keys = MappingProxyType({})) -> Iterator[BulkRecord]:
    """The records of these lines, which must be all there are of each, in any order."""
    own: dict[str, tuple[bytes, Head]] = {}
    below: dict[str, list[tuple[Head, bytes]]] = {}
    for line in lines:
        top = line_head(line)
        if top.parent is not None:
            below.setdefault(top.parent, []).append((top, line))
        elif top.id is not None:
            own[top.id] = (line, top)
    make = _KINDS[kind]
    for gid, (line, top) in own.items():
        number = ids.numeric_id(gid)
        if top.refunds:
            # What was returned, and for which lines, stands in connections inside the list of refunds.
            yield BulkRecord(number, None, "refunds", _when(top))
            continue
        try:
            yield BulkRecord(number, make(gid, line, below, keys))
        except RejectedError as failure:
            yield BulkRecord(number, None, failure.detail, _when(top))


Below = Mapping[str, list[tuple[Head, bytes]]]


def _order(gid: str, line: bytes, below: Below, _keys: Keys) -> Order:
    shelves: dict[str, list[tuple[Head, bytes]]] = {"lineItems": [], "shippingLines": [], "returns": []}
    for child in below.get(gid, ()):
        shelves[_SHELVES.get(_type(child[0].id), "shippingLines")].append(child)
    return order_node.parse_order_json(_with(line, {name: _by_id(children) for name, children in shelves.items()}))


_SHELVES = {"LineItem": "lineItems", "Return": "returns"}
"""By the type in their id; a shipping line need not have one."""


def _product(gid: str, line: bytes, below: Below, keys: Keys) -> Product:
    line, own = _with_fields(line, keys.get("product", ()))
    variants, theirs = [], keys.get("variant", ())
    for top, child in sorted(below.get(gid, ()), key=lambda one: one[0].position):
        media = [picture for _, picture in below.get(top.id or "", ())]
        child, theirs = _with_fields(child, theirs)
        variants.append(_with(child, {"media": media}))
    return product_node.parse_product_json(_with(line, {"variants": variants}), own, theirs)


def _customer(_gid: str, line: bytes, _below: Below, keys: Keys) -> Customer:
    line, own = _with_fields(line, keys.get("customer", ()))
    return customer_node.parse_customer_json(line, own)


def _with_fields(line: bytes, keys: Sequence[str]) -> tuple[bytes, Sequence[str]]:
    """An object with its custom fields as a reading has them, and which of these keys it was asked for."""
    if not keys:
        return line, ()
    fields = _fields(tuple(keys))(line)
    told = {key: bytes(raw) for key in keys if (raw := getattr(fields, field_alias(key)))}
    return _with(line, {"metafields": [raw for raw in told.values() if raw != b"null"]}), tuple(told)


@cache
def _fields(keys: tuple[str, ...]) -> Callable[[bytes], Any]:
    """A reader of nothing but these custom fields of a line."""
    shape = msgspec.defstruct("Fields", [(field_alias(key), msgspec.Raw, msgspec.Raw(b"")) for key in keys], gc=False)
    return msgspec.json.Decoder(shape).decode


_KINDS: dict[str, Callable[[str, bytes, Below, Keys], Record]] = {
    "order": _order,
    "product": _product,
    "customer": _customer,
}


def _with(line: bytes, connections: Mapping[str, list[bytes]]) -> bytes:
    """An object with its connections in it, as text: both are JSON already, and to read them twice would take twice."""
    told = [b'"%s":{"nodes":[%s]}' % (name.encode(), b",".join(nodes)) for name, nodes in connections.items()]
    return b"%s,%s}" % (line.rstrip()[:-1], b",".join(told))


def _by_id(children: list[tuple[Head, bytes]]) -> list[bytes]:
    """In the order that they were made in, which is the order that a reading lists them in."""
    if len(children) > 1:
        children.sort(key=lambda one: ids.numeric_id(one[0].id) if one[0].id else 0)
    return [line for _, line in children]


def _when(top: Head) -> datetime | None:
    try:
        return None if top.updated is None else to_utc(datetime.fromisoformat(top.updated))
    except ValueError:
        return None


def _type(gid: str | None) -> str:
    """`LineItem` of gid://shopify/LineItem/1."""
    return gid.rsplit("/", 2)[1] if gid else ""
