"""Records that Ometria has no room for are cut by rule: custom properties first, never ids, money or consent."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from msgspec.structs import replace

from isthmus.mapping import fields
from isthmus.model.failure import RejectedError
from isthmus.ometria import limits, wire

Trimmed = tuple[bytes, int]
"""A record's bytes, and how many values were cut to get there."""

_R = TypeVar("_R", wire.OrderBody, wire.ProductBody)
_Cut = Callable[[_R], tuple[_R, int]]

_LINE_PROPERTIES_BYTES = limits.PROPERTIES_BYTES // 2
"""Titles of lines without product share the order's room with its own properties; they get half of it."""


def trim_order(record: wire.OrderBody) -> Trimmed:
    """Cut an order's tags, then its other properties; then what lines and addresses can do without.

    RejectedError `integration.record_too_large` when even that does not fit.
    """
    record, n_cut = _fit(record)
    body = wire.encode_record(record)
    if len(body) <= limits.RECORD_BYTES:
        return body, n_cut
    return _smaller(record, n_cut, (_no_properties, _no_line_extras, _no_addresses))


def trim_product(record: wire.ProductBody) -> Trimmed:
    """Cut a product's properties, then its tags; RejectedError `integration.record_too_large` when that is not enough.

    Vendor, type, category and options stay: segments and recommendations hang on them.
    """
    body = wire.encode_record(record)
    if len(body) <= limits.RECORD_BYTES:
        return body, 0
    return _smaller(record, 0, (_no_product_properties, _no_tags))


def _smaller(record: _R, n_cut: int, cuts: Sequence[_Cut[_R]]) -> Trimmed:
    """Cut after cut until the record fits."""
    size = 0
    for cut in cuts:
        record, n = cut(record)
        n_cut += n
        body = wire.encode_record(record)
        size = len(body)
        if size <= limits.RECORD_BYTES:
            return body, n_cut
    raise RejectedError("integration.record_too_large", f"{size} bytes, {limits.RECORD_BYTES} are allowed")


def _fit(record: wire.OrderBody) -> tuple[wire.OrderBody, int]:
    """Make the order's properties and its lines' properties share one budget."""
    lines, room, n_cut = record.lineitems, limits.PROPERTIES_BYTES, 0
    for line in lines:
        if line.properties is not None:
            lines, taken, n_cut = _fit_lines(lines)
            room -= taken
            break
    properties = record.properties
    if properties and _may_be_long(properties, room) and wire.properties_size(properties) > room:
        fitted = fields.fit_properties(properties, "tags", room)
        properties, n_cut = fitted.properties or None, n_cut + fitted.n_cut
    if not n_cut:
        return record, 0
    return replace(record, lineitems=lines, properties=properties), n_cut


def _may_be_long(properties: wire.Properties, room: int) -> bool:
    """Whether it is worth measuring: lists can grow, while the other properties are words of Shopify's."""
    return room < limits.PROPERTIES_BYTES or "tags" in properties or "discount_codes" in properties


def _fit_lines(lines: Sequence[wire.LineItem]) -> tuple[tuple[wire.LineItem, ...], int, int]:
    """The lines with as many properties as fit, first lines first; the bytes these take; how many were cut."""
    kept, taken, n_cut = [], 0, 0
    for line in lines:
        size = wire.properties_size(line.properties) if line.properties else 0
        if taken + size > _LINE_PROPERTIES_BYTES:
            kept.append(replace(line, properties=None))
            n_cut += 1
        else:
            kept.append(line)
            taken += size
    return tuple(kept), taken, n_cut


def _no_properties(record: wire.OrderBody) -> tuple[wire.OrderBody, int]:
    return replace(record, properties=None), len(record.properties or ())


def _no_line_extras(record: wire.OrderBody) -> tuple[wire.OrderBody, int]:
    lines = tuple(replace(line, properties=None, totals=None) for line in record.lineitems)
    n_cut = sum((line.properties is not None) + (line.totals is not None) for line in record.lineitems)
    return replace(record, lineitems=lines), n_cut


def _no_addresses(record: wire.OrderBody) -> tuple[wire.OrderBody, int]:
    n_cut = (record.billing_address is not None) + (record.shipping_address is not None)
    return replace(record, billing_address=None, shipping_address=None), n_cut


def _no_product_properties(record: wire.ProductBody) -> tuple[wire.ProductBody, int]:
    return replace(record, properties=None), len(record.properties or ())


def _no_tags(record: wire.ProductBody) -> tuple[wire.ProductBody, int]:
    kept = tuple(attribute for attribute in record.attributes if attribute.type != "tag")
    return replace(record, attributes=kept), len(record.attributes) - len(kept)
