"""A thread that lets bulk operations go on while a process serves, a few records at a time."""

from __future__ import annotations

import threading

from sims.shopify.bulk.operations import Bulk

LOOK_EVERY = 0.05
BREATH = 0.0005
"""Seconds in which others may have the world's lock, which is not handed out in turn."""


class Clerk:
    """Writes what is due until stopped."""

    def __init__(self, bulk: Bulk) -> None:
        self._bulk = bulk
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sims-bulk", daemon=True)

    def start(self) -> None:
        """Begin; from now on nobody writes by looking."""
        self._bulk.is_served = True
        self._thread.start()

    def stop(self) -> None:
        """Stop after the records at hand; whoever looks writes again."""
        self._stop.set()
        self._thread.join()
        self._bulk.is_served = False

    def _run(self) -> None:
        wait = LOOK_EVERY
        while not self._stop.wait(wait):
            wait = BREATH if self._bulk.tick() else LOOK_EVERY
