"""The network edge of deliveries: a thread that posts what is due, many at a time, within Shopify's limits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping

import httpx2

from sims.shopify.deliver import Deliveries
from sims.shopify.delivery import Delivery
from sims.shopify.state import Clock

CONNECT_FOR = 1.0
TOTAL_FOR = 5.0
"""Seconds Shopify waits for a connection and for the whole answer
(https://shopify.dev/changelog/updates-to-webhook-retry-mechanism)."""

AT_ONCE = 16
LOOK_EVERY = 0.02
"""Seconds between two looks at what is due."""


class Runner:
    """Posts due deliveries from a thread of its own until stopped."""

    def __init__(self, deliveries: Deliveries, clock: Clock, at_once: int = AT_ONCE) -> None:
        self._deliveries, self._clock, self._at_once = deliveries, clock, at_once
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="sims-deliveries", daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the posts that are under way; what waits stays in the queue."""
        self._stop.set()
        self._thread.join(TOTAL_FOR + 1.0)

    async def _run(self) -> None:
        under_way: set[asyncio.Task[None]] = set()
        limits = httpx2.Limits(max_connections=self._at_once)
        timeout = httpx2.Timeout(TOTAL_FOR, connect=CONNECT_FOR)
        # A proxy named in the environment is for the world outside, not for a receiver on this machine.
        async with httpx2.AsyncClient(limits=limits, timeout=timeout, trust_env=False) as client:
            while not self._stop.is_set():
                free = self._at_once - len(under_way)
                due = self._deliveries.due(self._clock.now(), free) if free else []
                under_way |= {asyncio.create_task(self._attempt(client, one)) for one in due}
                if under_way:
                    done, under_way = await asyncio.wait(
                        under_way, timeout=LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED
                    )
                    for task in done:
                        task.result()
                else:
                    await asyncio.sleep(LOOK_EVERY)
            if under_way:
                await asyncio.wait(under_way)

    async def _attempt(self, client: httpx2.AsyncClient, delivery: Delivery) -> None:
        sent = self._deliveries.prepare(delivery)
        self._deliveries.settle(delivery, None if sent is None else await _post(client, *sent))


async def _post(client: httpx2.AsyncClient, uri: str, headers: Mapping[str, str], body: bytes) -> int | None:
    try:
        async with asyncio.timeout(TOTAL_FOR):
            return (await client.post(uri, headers=dict(headers), content=body)).status_code
    except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError):
        return None
