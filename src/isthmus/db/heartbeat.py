"""Do something every few seconds for as long as a piece of work lasts: one thread for a whole process.

Work that ends sooner costs an entry in a dictionary; while there is none the thread sleeps.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import structlog

log = structlog.get_logger(__name__)

EVERY = 4.0
"""Seconds: a third of a lease, so that one beat may be missed."""

AT_MOST = 300.0
"""Seconds after which work is taken to hang, and nothing is done for it any more."""


class _Entry:
    def __init__(self, beat: Callable[[], object], now: float, every: float) -> None:
        self.beat = beat
        self.due = now + every
        self.ends = now + AT_MOST


class Heartbeat:
    """Safe to share between threads."""

    def __init__(self, every: float = EVERY) -> None:
        self.every = every
        self._entries: dict[int, _Entry] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_asleep = False
        self._over = threading.Event()

    @contextlib.contextmanager
    def during(self, beat: Callable[[], object]) -> Iterator[None]:
        """Call `beat` now and then until the block ends; what it raises is logged and otherwise ignored."""
        entry = _Entry(beat, time.monotonic(), self.every)
        key = id(entry)
        with self._changed:
            self._entries[key] = entry
            if self._thread is None and not self._over.is_set():
                self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
                self._thread.start()
            elif self._is_asleep:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                del self._entries[key]

    def close(self) -> None:
        with self._changed:
            self._over.set()
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=2)

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._over.is_set():
                    return
                self._is_asleep = not self._entries
                # Not woken by every piece of work that begins: a look at them now and then costs less.
                self._changed.wait(None if self._is_asleep else self.every / 4)
                self._is_asleep = False
                if self._over.is_set():
                    return
                now = time.monotonic()
                due = [entry for entry in self._entries.values() if entry.due <= now < entry.ends]
                for entry in due:
                    entry.due = now + self.every
            for entry in due:
                try:
                    entry.beat()
                except Exception as error:
                    log.warning("a heartbeat failed", error=type(error).__name__)
