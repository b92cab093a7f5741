"""One kind of stored object, in the order of Ometria's internal ids and findable by when it last changed.

Source: https://docs.ometria.com/docs (results are sorted by internal id unless orderby=timestamp_update).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from operator import attrgetter, itemgetter
from typing import Any, Generic, Protocol, TypeVar

Writer = str
"""Who wrote an object: "api", "importer", "preference_centre", "form", "csv" or "order" (a by-product of an order)."""


@dataclass(slots=True)
class Stored:
    """One object with what Ometria knows about it beside its fields."""

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


SINCES = 4
"""Times of which the rows changed since then are kept at hand."""

SPARE = 1000
"""Blank places that a log may always have."""

_seq: Callable[[Any], int] = attrgetter("seq")
_time: Callable[[Any], datetime] = itemgetter(0)
_row: Callable[[Any], Any] = itemgetter(1)


class Shelf(Generic[T]):
    """Rows by id; `seq` is the internal id, and the newest changed rows are found without a scan."""

    def __init__(self) -> None:
        self._rows: dict[str, T] = {}
        self._log: list[tuple[datetime, T | None]] = []  # rows as they changed; None where one changed again
        self._at: dict[str, int] = {}  # where a row stands in the log
        self._since: dict[datetime, list[T]] = {}  # rows changed since a time, by internal id
        self._last = 0

    def next_seq(self) -> int:
        """Return a fresh internal id."""
        self._last += 1
        return self._last

    def put(self, key: str, row: T) -> None:
        """Store a row under `key` and mark it as the one that changed last."""
        before = self._rows.get(key)
        if before is not None:
            self._blank(key)
            if before is not row:
                self._since.clear()
        self._rows[key] = row
        self._at[key] = len(self._log)
        self._log.append((row.updated_at, row))
        if len(self._log) > 2 * len(self._rows) + SPARE:
            self._tidy()
        for since, rows in self._since.items():
            at = bisect_left(rows, row.seq, key=_seq)
            if row.updated_at >= since and (at == len(rows) or rows[at].seq != row.seq):
                rows.insert(at, row)

    def get(self, key: str) -> T | None:
        """Return the row, or None."""
        return self._rows.get(key)

    def drop(self, key: str) -> None:
        """Forget a row."""
        if self._rows.pop(key, None) is not None:
            self._blank(key)
            self._since.clear()

    def page(self, limit: int, offset: int, since: datetime | None, by_update: bool) -> list[T]:
        """Return one page: internal id ascending, or by change ascending; `since` keeps rows changed at or after it."""
        if by_update:
            return list(islice(self._changed(since), offset, offset + limit))
        if since is None:
            return list(islice(self._rows.values(), offset, offset + limit))
        return self._found(since)[offset : offset + limit]

    def _changed(self, since: datetime | None) -> Iterator[T]:
        start = 0 if since is None else bisect_left(self._log, since, key=_time)
        return filter(None, map(_row, islice(self._log, start, None)))

    def _found(self, since: datetime) -> list[T]:
        """Return what changed since a time by internal id; kept right by `put`, so that pages of it are cheap."""
        rows = self._since.get(since)
        if rows is None:
            if len(self._since) >= SINCES:
                del self._since[next(iter(self._since))]
            rows = self._since[since] = sorted(self._changed(since), key=_seq)
        return rows

    def _blank(self, key: str) -> None:
        at = self._at.pop(key)
        self._log[at] = (self._log[at][0], None)

    def _tidy(self) -> None:
        self._log = [entry for entry in self._log if entry[1] is not None]
        places = {id(entry[1]): at for at, entry in enumerate(self._log)}
        self._at = {key: places[id(row)] for key, row in self._rows.items()}

    def __iter__(self) -> Iterator[T]:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: str) -> bool:
        return key in self._rows
