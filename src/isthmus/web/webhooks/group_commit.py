"""Group commit: deliveries that arrive while one flush runs share the next, and each is answered after its own.

No timer waits for company: a lone delivery is flushed at once, and under load the flush itself is the wait
(docs/decisions/0005).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import structlog

from isthmus.model.event import Delivery
from isthmus.model.lane import Lane

Persist: TypeAlias = Callable[[Sequence[Delivery]], Awaitable[list[bool]]]
WakeWorker: TypeAlias = Callable[[str, Lane], None]

MOST_IN_FLUSH = 500
MOST_WAITING = 4000
"""Deliveries that may wait for a flush, and below their bytes; more are answered 503 at once."""
MOST_BYTES = 64 * 2**20
PATIENCE = 2.0
"""Seconds a flush may take before its deliveries are answered 503; Shopify gives up after five."""

log = structlog.get_logger(__name__)


class NotPersistedError(Exception):
    """A delivery is not known to be durable; it may be, so the caller must be free to send it again."""


class GroupCommit:
    """Keeps deliveries, one flush at a time. Lives in one event loop and is closed in it."""

    def __init__(self, keep: Persist, ring: WakeWorker, *, patience: float = PATIENCE) -> None:
        """`keep` makes deliveries durable; `ring` tells a lane that it has work, and may not block."""
        self._keep = keep
        self._ring = ring
        self._patience = patience
        self._waiting: list[tuple[Sequence[Delivery], int, asyncio.Future[None]]] = []
        self._bytes = 0
        self._work: asyncio.Task[None] | None = None
        self._is_stuck = False

    async def add(self, deliveries: Sequence[Delivery]) -> None:
        """Return once all of these are durable; raises NotKept."""
        size = 0
        for delivery in deliveries:
            size += len(delivery.body)
        if self._is_stuck or len(self._waiting) >= MOST_WAITING or self._bytes + size > MOST_BYTES:
            raise NotPersistedError
        loop = asyncio.get_running_loop()
        kept = loop.create_future()
        self._waiting.append((deliveries, size, kept))
        self._bytes += size
        if self._work is None:
            self._work = loop.create_task(self._run())
        await kept

    async def close(self) -> None:
        """Wait for what is being kept."""
        if self._work is not None:
            await self._work

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._flush()
        finally:
            self._work = None

    async def _flush(self) -> None:
        batch, self._waiting = self._waiting[:MOST_IN_FLUSH], self._waiting[MOST_IN_FLUSH:]
        deliveries = [delivery for told, _, _ in batch for delivery in told]
        self._bytes -= sum([size for _, size, _ in batch])
        flush = asyncio.ensure_future(self._keep(deliveries))
        await asyncio.wait([flush], timeout=self._patience)
        error = flush.exception() if flush.done() else TimeoutError()
        if error is None:
            for _, _, kept in batch:
                _tell(kept)
            self._ring_for(deliveries, flush.result())
            return
        # Whoever came meanwhile would wait as long for the same end.
        batch, self._waiting, self._bytes = batch + self._waiting, [], 0
        for _, _, kept in batch:
            _tell(kept, NotPersistedError())
        log.warning("webhook deliveries not persisted", n=len(batch), error=type(error).__name__)
        await self._give_up(flush)

    async def _give_up(self, flush: "asyncio.Future[list[bool]]") -> None:
        """A database that hangs takes its time to let go; until then nobody is kept waiting for it."""
        self._is_stuck = True
        flush.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await flush
        self._is_stuck = False

    def _ring_for(self, deliveries: Sequence[Delivery], is_fresh: Sequence[bool]) -> None:
        bells = {(told.connection, told.lane) for told, new in zip(deliveries, is_fresh, strict=True) if new}
        for connection, lane in bells:
            try:
                self._ring(connection, lane)
            except Exception as error:  # the sweep finds the work within a second; the delivery is durable either way
                log.warning("worker wake-up failed", connection=connection, lane=lane.value, error=type(error).__name__)


def _tell(kept: "asyncio.Future[None]", error: NotPersistedError | None = None) -> None:
    if kept.done():  # whoever asked is gone
        return
    if error is None:
        kept.set_result(None)
    else:
        kept.set_exception(error)
