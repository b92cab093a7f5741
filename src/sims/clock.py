"""One clock for Shopify and Ometria: real, sped up, or frozen and moved by hand."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta


class SimClock:
    """A thread-safe clock that starts at `at` (default: now) and runs at `rate` times real time; 0 is frozen."""

    def __init__(self, at: datetime | None = None, rate: float = 1.0) -> None:
        self._lock = threading.Lock()
        self._at = _aware(at) if at is not None else datetime.now(UTC)
        self._since = time.monotonic()
        self._rate = _checked(rate)

    def now(self) -> datetime:
        """Return the simulated time, aware and in UTC."""
        with self._lock:
            return self._read()

    def set(self, at: datetime) -> datetime:
        """Jump to `at`, forwards or backwards; the rate stays."""
        with self._lock:
            return self._restart(_aware(at))

    def advance(self, seconds: float) -> datetime:
        """Jump by `seconds`; the rate stays."""
        with self._lock:
            return self._restart(self._read() + timedelta(seconds=seconds))

    def rate(self, x: float) -> datetime:
        """Run at `x` simulated seconds per real second from now on; 0 freezes."""
        with self._lock:
            at = self._restart(self._read())
            self._rate = _checked(x)
            return at

    @property
    def speed(self) -> float:
        """The rate now in force."""
        with self._lock:
            return self._rate

    def _read(self) -> datetime:
        if self._rate == 0.0:
            return self._at
        return self._at + timedelta(seconds=(time.monotonic() - self._since) * self._rate)

    def _restart(self, at: datetime) -> datetime:
        self._at, self._since = at, time.monotonic()
        return at


def iso(at: datetime) -> str:
    """Return `at` as Shopify and Ometria write it: UTC, whole seconds when possible, ending in Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse(text: str) -> datetime:
    """Return an ISO 8601 text as an aware UTC datetime; text without an offset is read as UTC."""
    return _aware(datetime.fromisoformat(text))


def _aware(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _checked(rate: float) -> float:
    if rate < 0:
        raise ValueError("a clock does not run backwards: rate must be 0 or more")
    return rate
