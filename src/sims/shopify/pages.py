"""Connections: a window on a sorted list, with cursors.

A cursor is base64 of `{"last_id": …, "last_value": …}`, the number and the sort value of its record, as in captured
answers. https://shopify.dev/docs/api/usage/pagination-graphql
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

import msgspec

from sims.shopify.run import Refusal

MAX_PAGE = 250
"""Most nodes a page may ask for."""

Place = tuple[Any, int]
"""Where a record stands in a sorted list: its sort value and its number."""


class Edge:
    """A node and the cursor that points at it."""

    __slots__ = ("_place", "node")
    type_name: ClassVar[str] = "Edge"

    def __init__(self, node: Any, place: Place) -> None:
        self.node, self._place = node, place

    @property
    def cursor(self) -> str:
        """The place of the node, opaque to the reader."""
        return encode(self._place)


class Page:
    """A window on a connection; `nodes` are views, made only for what is in the window."""

    __slots__ = ("_has_next", "_has_previous", "_places", "nodes")
    type_name: ClassVar[str] = "Connection"

    def __init__(self, nodes: Sequence[Any], places: Sequence[Place], has_previous: bool, has_next: bool) -> None:
        self.nodes = nodes
        self._places = places
        self._has_previous, self._has_next = has_previous, has_next

    @property
    def edges(self) -> list[Edge]:
        """The nodes with their cursors."""
        return [Edge(node, place) for node, place in zip(self.nodes, self._places, strict=True)]

    @property
    def rest(self) -> str | None:
        """Where the next window begins; None after the last."""
        return encode(self._places[-1]) if self._has_next and self._places else None

    @property
    def page_info(self) -> dict[str, Any]:
        """What is around the window."""
        return {
            "hasNextPage": self._has_next,
            "hasPreviousPage": self._has_previous,
            "startCursor": encode(self._places[0]) if self._places else None,
            "endCursor": encode(self._places[-1]) if self._places else None,
        }


def window(
    places: Sequence[Place],
    view: Callable[[Place], Any],
    first: int | None = None,
    last: int | None = None,
    after: str | None = None,
    before: str | None = None,
    reverse: bool = False,
    matches: Callable[[Place], bool] | None = None,
) -> Page:
    """Return the asked window of records sorted by place; `reverse` turns the order round first.

    A cursor whose record has gone still points between its neighbours. Of a search only as much is looked at as the
    page needs.
    """
    if first is None and last is None:
        raise Refusal("you must provide one of first or last", code="BAD_REQUEST")
    if first is not None and last is not None:
        raise Refusal("providing both first and last is not supported", code="BAD_REQUEST")
    n = first if first is not None else last
    if n is None or not 0 <= n <= MAX_PAGE:
        raise Refusal(f"{'first' if last is None else 'last'} must be between 0 and {MAX_PAGE}", code="BAD_REQUEST")
    if matches is not None:
        if first is not None and before is None:
            return _scan(places, view, first, after, reverse, matches)
        places = [place for place in places if matches(place)]
    low, high = 0, len(places)
    if after is not None:
        low = _cut(places, decode(after), reverse, is_after=True)
    if before is not None:
        high = _cut(places, decode(before), reverse, is_after=False)
    high = max(low, high)
    start, stop = (low, min(low + n, high)) if first is not None else (max(low, high - n), high)
    total = len(places)
    chosen = [places[total - 1 - at] for at in range(start, stop)] if reverse else places[start:stop]
    return Page([view(place) for place in chosen], chosen, start > 0, stop < total)


def _scan(
    places: Sequence[Place],
    view: Callable[[Place], Any],
    first: int,
    after: str | None,
    reverse: bool,
    matches: Callable[[Place], bool],
) -> Page:
    low = 0 if after is None else _cut(places, decode(after), reverse, is_after=True)
    total, chosen = len(places), []
    for at in range(low, total):
        place = places[total - 1 - at] if reverse else places[at]
        if matches(place):
            chosen.append(place)
            if len(chosen) > first:
                break
    shown = chosen[:first]
    return Page([view(place) for place in shown], shown, after is not None, len(chosen) > first)


def whole(items: Sequence[Any], view: Callable[[Any], Any], **asked: Any) -> Page:
    """Return a window on a short list that is already in order, such as the lines of an order."""
    return window([(at, at) for at in range(len(items))], lambda place: view(items[place[1]]), **asked)


def encode(place: Place) -> str:
    """Return the cursor of a place."""
    value, number = place
    told = {"last_id": number, "last_value": _told(value)}
    return base64.b64encode(msgspec.json.encode(told)).decode()


def decode(cursor: str) -> tuple[Any, int]:
    """Return the place of a cursor, its value as it was told."""
    try:
        read = msgspec.json.decode(base64.b64decode(cursor, validate=True))
        return read["last_value"], int(read["last_id"])
    except (ValueError, KeyError, TypeError, msgspec.DecodeError) as error:
        raise Refusal(f"Invalid cursor for current pagination sort: {cursor}.", code="BAD_REQUEST") from error


def _cut(places: Sequence[Place], cursor: tuple[Any, int], reverse: bool, *, is_after: bool) -> int:
    """Find how many places, in the order asked for, stand before the cursor (and with it when `is_after`)."""
    low, high = 0, len(places)
    inclusive = is_after != reverse
    while low < high:
        middle = (low + high) // 2
        value, number = places[middle]
        here = (_told(value), number)
        if here < cursor or (inclusive and here == cursor):
            low = middle + 1
        else:
            high = middle
    return len(places) - low if reverse else low


def _told(value: Any) -> Any:
    """Write a sort value so that it sorts like the value itself."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, Decimal):
        return float(value)
    return value
