"""One kind of stored object, in the order of the platform's internal ids and findable by when it last changed.

Source: https://docs.ometria.com/docs (results are sorted by internal id unless orderby=timestamp_update).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

Writer = str
"""Who wrote an object: "api", "importer", "preference_centre" or "order" (a by-product of an order)."""


@dataclass(slots=True)
class Stored:
    """One object with what the platform knows about it beside its fields."""

    id: str
    seq: int
    record: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    source: Writer = "api"
    version: int = 1
    collection: str = ""
    profile_id: str | None = None
    consent: Any = None
    notes: dict[str, Any] = field(default_factory=dict)


class _Row(Protocol):
    seq: int
    updated_at: datetime


T = TypeVar("T", bound=_Row)


class Shelf(Generic[T]):
    """Rows by id; `seq` is the internal id, and the newest changed rows are found without a scan."""

    def __init__(self) -> None:
        self._rows: dict[str, T] = {}
        self._touched: dict[str, None] = {}
        self._last = 0

    def next_seq(self) -> int:
        """Return a fresh internal id."""
        self._last += 1
        return self._last

    def put(self, key: str, row: T) -> None:
        """Store a row under `key` and mark it as the one that changed last."""
        self._rows[key] = row
        self._touched.pop(key, None)
        self._touched[key] = None

    def get(self, key: str) -> T | None:
        """Return the row, or None."""
        return self._rows.get(key)

    def drop(self, key: str) -> None:
        """Forget a row."""
        self._rows.pop(key, None)
        self._touched.pop(key, None)

    def page(self, limit: int, offset: int, since: datetime | None, by_update: bool) -> list[T]:
        """Return one page: internal id ascending, or by change ascending; `since` keeps rows changed at or after it."""
        if since is None and not by_update:
            return list(islice(self._rows.values(), offset, offset + limit))
        rows = list(self._changed(since))
        rows.reverse()
        if not by_update:
            rows.sort(key=lambda row: row.seq)
        return rows[offset : offset + limit]

    def _changed(self, since: datetime | None) -> Iterator[T]:
        for key in reversed(self._touched):
            row = self._rows[key]
            if since is not None and row.updated_at < since:
                return
            yield row

    def __iter__(self) -> Iterator[T]:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: str) -> bool:
        return key in self._rows
