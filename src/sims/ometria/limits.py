"""How fast an account may call: token buckets that hold one second (or one minute) of calls, and the push queue.

Source: https://docs.ometria.com/docs/ometria-data-api-introduction (limits, 429); bucket shape ASSUMED.
"""

from __future__ import annotations

from datetime import datetime

RECORDS_PER_PUSH = 100
RECORD_BYTES = 60_000  # "60 KB per record"; whether a KB is 1000 or 1024 bytes is not said, so the smaller


class Bucket:
    """A token bucket of `rate` calls per `per` seconds that starts full."""

    def __init__(self, rate: float, per: float, at: datetime) -> None:
        self._rate, self._per, self._at = rate, per, at
        self._tokens = self._capacity

    def retune(self, rate: float) -> None:
        """Change the rate; tokens beyond the new capacity are lost."""
        self._rate = rate
        self._tokens = min(self._tokens, self._capacity)

    def take(self, now: datetime) -> bool:
        """Take one token, or return False when there is none."""
        elapsed = max(0.0, (now - self._at).total_seconds())
        self._at = now
        self._tokens = min(self._capacity, self._tokens + elapsed * self._rate / self._per)
        if self._tokens < 1.0 - 1e-9:
            return False
        self._tokens -= 1.0
        return True

    @property
    def _capacity(self) -> float:
        return max(1.0, self._rate)
