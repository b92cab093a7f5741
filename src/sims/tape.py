"""The tape: everything the external APIs received, newest kept, so that a checker can read what really happened."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec

from sims.clock import iso

ENTRIES = 200_000
"""Entries kept; older ones fall off."""

BYTES = 256 * 1024 * 1024
"""Bodies kept, in bytes; older entries fall off, so that a long run does not eat the machine."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One request as received and the status it was answered with."""

    n: int
    at: datetime
    side: str
    method: str
    path: str
    status: int
    account: str
    summary: dict[str, Any]
    body: bytes


class Tape:
    """A bounded, thread-safe ring of entries numbered from 1."""

    def __init__(self, entries: int = ENTRIES, max_bytes: int = BYTES) -> None:
        self._lock = threading.Lock()
        self._ring: deque[Entry] = deque()
        self._entries, self._max_bytes = entries, max_bytes
        self._n = self._bytes = 0

    def record(
        self,
        at: datetime,
        side: str,
        method: str,
        path: str,
        status: int,
        *,
        account: str = "",
        summary: dict[str, Any] | None = None,
        body: bytes = b"",
    ) -> int:
        """Append one entry and return its number; `side` is "shopify" or "ometria", `account` a shop or account."""
        with self._lock:
            self._n += 1
            self._ring.append(Entry(self._n, at, side, method, path, status, account, summary or {}, body))
            self._bytes += len(body)
            while len(self._ring) > self._entries or self._bytes > self._max_bytes:
                self._bytes -= len(self._ring.popleft().body)
            return self._n

    def read(self, since: int = 0, side: str | None = None, limit: int = 1000) -> list[dict[str, Any]]:
        """Return up to `limit` entries with a number above `since`, oldest first, as JSON-ready dicts."""
        with self._lock:
            first = self._ring[0].n if self._ring else 0
            newer = islice(self._ring, max(0, since - first + 1), None)
            found = list(islice((one for one in newer if side is None or one.side == side), limit))
        return [_plain(entry) for entry in found]

    def clear(self) -> None:
        """Forget every entry; numbering goes on, so that a reader's `since` stays right."""
        with self._lock:
            self._ring.clear()
            self._bytes = 0

    def __len__(self) -> int:
        return len(self._ring)


def _plain(entry: Entry) -> dict[str, Any]:
    return {
        "n": entry.n,
        "at": iso(entry.at),
        "side": entry.side,
        "method": entry.method,
        "path": entry.path,
        "status": entry.status,
        "account": entry.account,
        "summary": entry.summary,
        "body": _body(entry.body),
    }


def _body(body: bytes) -> Any:
    if not body:
        return None
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body.decode("utf-8", "replace")
