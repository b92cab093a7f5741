"""What people really said about being written to, on either side: the record that a checker holds all else against.

Only what the side that heard it took in is here: who says the same twice to a shop said it once, as the shop keeps it.
What a program wrote through an API stands here too, and is told apart. Silent changes (`tamper`, `troubles`) are no
statements, and neither is a consent that moves along with a changed address.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sims.clock import iso

ENTRIES = 500_000
"""Statements kept; older ones fall off."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: on which side and in which account, of which address, what, since when, by which way, by whom.

    `at` is the time it carries, `heard_at` when it came; `who` is the customer's number or the profile's id. `state` is
    in Shopify's words on both sides. `is_own_write` is True for what came through an API: ours, or another program's.
    """

    n: int
    heard_at: datetime
    side: str
    account: str
    channel: str
    address: str
    who: str
    state: str
    at: datetime
    way: str
    is_own_write: bool

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON tells it."""
        told = {name: getattr(self, name) for name in self.__slots__}
        return {**told, "at": iso(self.at), "heard_at": iso(self.heard_at)}


class Statements:
    """A bounded, thread-safe record of both sides, numbered from 1 in the order of hearing."""

    def __init__(self, entries: int = ENTRIES) -> None:
        self._lock = threading.Lock()
        self._ring: deque[Statement] = deque(maxlen=entries)
        self._of: dict[tuple[str, str], list[Statement]] = {}
        self._n = 0

    def hear(
        self,
        side: str,
        account: str,
        channel: str,
        address: str | None,
        state: str,
        at: datetime,
        *,
        who: object = "",
        way: str,
        is_own_write: bool = False,
        heard_at: datetime | None = None,
    ) -> None:
        """Write one down; a statement about no address is none."""
        if not address:
            return
        plain = address.strip().lower()
        with self._lock:
            self._n += 1
            said = Statement(
                self._n, heard_at or at, side, account, channel, plain, str(who), state, at, way, is_own_write
            )
            if len(self._ring) == self._ring.maxlen:
                self._forget(self._ring[0])
            self._ring.append(said)
            self._of.setdefault((channel, plain), []).append(said)

    def of(self, address: str, channel: str = "email", *, is_people_only: bool = True) -> list[Statement]:
        """Return what was said about an address, in the order of hearing; of people only, or of programs as well."""
        with self._lock:
            found = list(self._of.get((channel, address.strip().lower()), ()))
        return [one for one in found if not (is_people_only and one.is_own_write)]

    def last(self, address: str, channel: str = "email", *, side: str | None = None) -> Statement | None:
        """Return what a person said last about an address, by the statement's own time; of two at once the opt-out."""
        said = [one for one in self.of(address, channel) if side in (None, one.side)]
        return max(said, key=lambda one: (one.at, one.state != "SUBSCRIBED", one.n), default=None)

    def addresses(self, channel: str = "email") -> Iterator[str]:
        """Yield every address that anything was said about."""
        with self._lock:
            found = [address for known, address in self._of if known == channel]
        return iter(found)

    def read(self, since: int = 0, limit: int = 1000, **wanted: object) -> list[dict[str, Any]]:
        """Return up to `limit` statements with a number above `since` whose fields are as `wanted`, oldest first."""
        with self._lock:
            first = self._ring[0].n if self._ring else 0
            found = list(islice(self._ring, max(0, since - first + 1), None))
        chosen = (one for one in found if all(getattr(one, name) == value for name, value in wanted.items()))
        return [one.as_dict() for _, one in zip(range(limit), chosen, strict=False)]

    def clear(self) -> None:
        """Forget everything; numbering goes on, so that a reader's `since` stays right."""
        with self._lock:
            self._ring.clear()
            self._of.clear()

    def _forget(self, oldest: Statement) -> None:
        key = (oldest.channel, oldest.address)
        left = self._of[key][1:]
        if left:
            self._of[key] = left
        else:
            del self._of[key]

    def __len__(self) -> int:
        return len(self._ring)
