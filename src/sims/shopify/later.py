"""What a shop does by itself a little later: a consent that is taken back, a merge that is carried out."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from datetime import datetime

from sims.shopify.events import Event

Deed = Callable[[datetime], list[Event]]
"""Does what is due, given the time it was due at, and returns the events that fires."""


class Later:
    """Deeds by the time they are due; whoever holds the world's lock puts and does them."""

    def __init__(self) -> None:
        self._waiting: list[tuple[datetime, int, Deed]] = []
        self._n = 0

    def put(self, at: datetime, deed: Deed) -> None:
        """Let something happen at a time."""
        self._n += 1
        heapq.heappush(self._waiting, (at, self._n, deed))

    def due(self, now: datetime) -> Iterator[list[Event]]:
        """Do everything whose time has come, oldest first; the events of each are rendered before the next is done."""
        while self._waiting and self._waiting[0][0] <= now:
            at, _, deed = heapq.heappop(self._waiting)
            yield deed(at)

    def __len__(self) -> int:
        return len(self._waiting)
