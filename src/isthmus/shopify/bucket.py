"""The shop's budget of query points, as far as we know it, so that a call waits instead of being throttled.

A leaky bucket per app and shop: https://shopify.dev/docs/apps/build/apis/graphql-admin/rate-limits
"""

import threading
from datetime import datetime
from typing import Any

STANDARD_SIZE = 2000.0
STANDARD_RATE = 100.0
"""Points, and points per second, of the smallest plan: what is believed until the shop's first answer says more."""


class Bucket:
    """Points left, corrected by every answer; other processes drink from it too. Safe to share between threads."""

    def __init__(self, reserve: float, at: datetime) -> None:
        self._lock = threading.Lock()
        self._reserve = reserve
        self._size = STANDARD_SIZE
        self._rate = STANDARD_RATE
        self._left = STANDARD_SIZE
        self._at = at

    @property
    def rate(self) -> float:
        return self._rate

    def take(self, cost: float, now: datetime) -> float:
        """Take the points of a call if they are there above the reserve; the seconds to wait otherwise, else 0.

        A call that could never leave the reserve untouched may use it.
        """
        with self._lock:
            self._flow(now)
            wanted = cost + min(self._reserve, max(0.0, self._size - cost))
            if self._left < wanted:
                return (wanted - self._left) / self._rate
            self._left -= cost
            return 0.0

    def told(self, status: dict[str, Any], now: datetime) -> None:
        """Believe `throttleStatus` of an answer; anything that is no such status is passed over."""
        try:
            size, left = float(status["maximumAvailable"]), float(status["currentlyAvailable"])
            rate = float(status["restoreRate"])
        except (KeyError, TypeError, ValueError):
            return
        if rate <= 0 or size <= 0:
            return
        with self._lock:
            self._size, self._left, self._rate, self._at = size, left, rate, now

    def _flow(self, now: datetime) -> None:
        passed = (now - self._at).total_seconds()
        if passed > 0:
            self._left = min(self._size, self._left + passed * self._rate)
        self._at = now
