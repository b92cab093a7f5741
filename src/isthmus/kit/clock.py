"""The one clock every process of isthmus reads; tests and the demo steer it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time as an aware UTC datetime and can wait."""

    def now(self) -> datetime: ...

    def wait(self, seconds: float) -> None: ...


class SystemClock:
    """Real time, corrected to the clock that all processes agree on (the database's, or a simulator's)."""

    def __init__(self, offset: timedelta = timedelta()) -> None:
        self.offset = offset

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def wait(self, seconds: float) -> None:
        if seconds > 0:
            time.sleep(seconds)

    def agree(self, there: datetime) -> None:
        """Follow another clock that just answered `there`."""
        self.offset = there - datetime.now(UTC)


class FrozenClock:
    """Stands still until told otherwise; waiting moves it, so that paced code runs at once and in order."""

    def __init__(self, at: datetime, on_wait: Callable[[float], None] | None = None) -> None:
        self._at = at
        self._on_wait = on_wait

    def now(self) -> datetime:
        return self._at

    def advance(self, seconds: float) -> datetime:
        self._at += timedelta(seconds=seconds)
        return self._at

    def wait(self, seconds: float) -> None:
        if seconds > 0:
            self.advance(seconds)
            if self._on_wait is not None:
                self._on_wait(seconds)
