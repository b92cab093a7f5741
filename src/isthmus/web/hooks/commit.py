"""Group commit: deliveries that arrive while one flush runs share the next, and each is answered after its own.

No timer waits for company: a lone delivery is flushed at once, and under load the flush itself is the wait
(docs/decisions/0005).
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import structlog

from isthmus.model.event import Delivery
from isthmus.model.lane import Lane

Keep: TypeAlias = Callable[[Sequence[Delivery]], list[bool]]
Ring: TypeAlias = Callable[[str, Lane], None]

MOST_IN_FLUSH = 500
MOST_WAITING = 4000
"""Deliveries that may wait for a flush; more are answered 503 at once. At 6 KB each they are 24 MB."""
PATIENCE = 2.0
"""Seconds a delivery waits before it is answered 503; Shopify gives up after five."""

log = structlog.get_logger(__name__)


class NotKept(Exception):  # noqa: N818 - says what is the matter
    """The deliveries are not known to be durable; they may be, so the caller must be free to send them again."""


class GroupCommit:
    """Keeps deliveries together in one thread of its own; everything else here runs in the event loop alone."""

    def __init__(self, keep: Keep, ring: Ring, *, patience: float = PATIENCE, most_waiting: int = MOST_WAITING) -> None:
        """`keep` makes deliveries durable and may block; `ring` tells a lane that it has work and may not."""
        self._keep = keep
        self._ring = ring
        self._patience = patience
        self._most_waiting = most_waiting
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="flush")
        self._waiting: list[tuple[Sequence[Delivery], asyncio.Future[None]]] = []
        self._is_flushing = False

    def add(self, deliveries: Sequence[Delivery]) -> "asyncio.Future[None]":
        """A future that is done once all of these are durable, or raises NotKept."""
        loop = asyncio.get_running_loop()
        kept: asyncio.Future[None] = loop.create_future()
        if len(self._waiting) >= self._most_waiting:
            kept.set_exception(NotKept("too many are waiting"))
            return kept
        self._waiting.append((deliveries, kept))
        if not self._is_flushing:
            self._flush(loop)
        return kept

    def close(self) -> None:
        """Wait for a flush that runs."""
        self._thread.shutdown()

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        batch, self._waiting = self._waiting[:MOST_IN_FLUSH], self._waiting[MOST_IN_FLUSH:]
        self._is_flushing = True
        deliveries = [delivery for told, _ in batch for delivery in told]
        running = loop.run_in_executor(self._thread, self._keep, deliveries)
        late = loop.call_later(self._patience, self._give_up, batch)

        def done(flush: "asyncio.Future[list[bool]]") -> None:
            late.cancel()
            self._is_flushing = False
            error = flush.exception()
            for _, kept in batch:
                if not kept.done():
                    if error is None:
                        kept.set_result(None)
                    else:
                        kept.set_exception(NotKept(type(error).__name__))
            if self._waiting:
                self._flush(loop)
            if error is None:
                self._ring_for(deliveries, flush.result())
            else:
                log.warning("deliveries not kept", n=len(deliveries), error=type(error).__name__)

        running.add_done_callback(done)

    def _give_up(self, batch: "Sequence[tuple[Sequence[Delivery], asyncio.Future[None]]]") -> None:
        """The database hangs: answer those it holds and those behind them, and forget the latter."""
        for _, kept in (*batch, *self._waiting):
            if not kept.done():
                kept.set_exception(NotKept("no answer in time"))
        self._waiting.clear()

    def _ring_for(self, deliveries: Sequence[Delivery], is_fresh: Sequence[bool]) -> None:
        bells = {(told.connection, told.lane) for told, new in zip(deliveries, is_fresh, strict=True) if new}
        for connection, lane in sorted(bells):
            try:
                self._ring(connection, lane)
            except Exception as error:  # the sweep finds the work within a second; the delivery is durable either way
                log.warning("bell not rung", connection=connection, lane=lane.value, error=type(error).__name__)
