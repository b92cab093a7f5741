"""Listings that stay sorted while the shop lives: a shop of 300,000 orders is not sorted again for every page."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Mapping
from typing import Any

from sims.shopify.pages import Place
from sims.shopify.state import Store

STEADY = frozenset({"CREATED_AT", "ID", "PROCESSED_AT", "UPDATED_AT"})
"""Sort keys of which it is known when they change: never, or whenever a record is touched."""

FEW = 1000
"""More changes than this are not worth following one by one."""


class Sorting:
    """One sorted listing of a store's records; an `is_steady` key is followed change by change."""

    def __init__(self, key: Callable[[Any], Any], *, is_steady: bool) -> None:
        self._key, self._is_steady = key, is_steady
        self._places: list[Place] = []
        self._where: dict[int, Any] = {}
        self._seen = self._version = -1

    def places(self, store: Store, records: Mapping[int, Any]) -> list[Place]:
        """Return the places of all records as they are now."""
        if self._version != store.version or len(self._where) != len(records):
            if not self._follow(store, records):
                self._places = in_order(records, self._key)
                self._where = {number: value for value, number in self._places}
            self._version, self._seen = store.version, len(store.touched)
        return self._places

    def _follow(self, store: Store, records: Mapping[int, Any]) -> bool:
        """Put right what changed; say whether that was possible."""
        if not self._is_steady or self._version < 0 or len(store.touched) - self._seen > FEW:
            return False
        fresh = len(records) - len(self._where)
        if not 0 <= fresh <= FEW:
            return False
        for record in store.touched[self._seen :]:
            number = getattr(record, "id", None)
            if number in self._where and records.get(number) is record:
                self._move(record)
        for number in reversed(records):  # the newest are last
            if number in self._where:
                break
            self._move(records[number])
        return len(self._where) == len(records)

    def _move(self, record: Any) -> None:
        value, before = self._key(record), self._where.get(record.id)
        if before == value:
            return
        if before is not None:
            del self._places[bisect_left(self._places, (before, record.id))]
        insort(self._places, (value, record.id))
        self._where[record.id] = value


def in_order(records: Mapping[int, Any], key: Callable[[Any], Any]) -> list[Place]:
    """Return the places of records, sorted."""
    return sorted((key(each), each.id) for each in records.values())
