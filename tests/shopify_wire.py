"""A simulated shop in this process, and our client speaking to it over its wire."""

from datetime import UTC, datetime
from typing import Any

import httpx2

from isthmus.kit.clock import FrozenClock
from isthmus.shopify.client import Credentials, Shopify
from sims.clock import SimClock
from sims.faults import Faults
from sims.shopify import world
from sims.shopify.app import Shopify as SimulatedShopify
from sims.shopify.state import Store
from sims.tape import Tape
from sims.wire import TIMEOUT_STATUS, Request

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


class Wire(httpx2.BaseTransport):
    """Carries a request into the simulated shop; waiting for an answer that never comes raises at once."""

    def __init__(self, shop: SimulatedShopify) -> None:
        self._shop = shop
        self.n_requests = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.n_requests += 1
        body = request.read()
        answer = self._shop.handle(
            Request(
                request.method,
                request.url.path,
                dict(request.url.params),
                {name.lower(): value for name, value in request.headers.items()},
                body,
            )
        )
        if answer.status == TIMEOUT_STATUS:
            raise httpx2.ReadTimeout("simulated", request=request)
        content = answer.body if answer.stream is None else b"".join(answer.stream)
        return httpx2.Response(answer.status, headers=dict(answer.headers), content=content, request=request)


class Shops:
    """A merchant's simulated stores with frozen clocks on both sides that move together."""

    def __init__(self, seed: int = 1, customers: int = 40, orders: int = 120, products: int = 24) -> None:
        self.sim_clock = SimClock(AT)
        self.sim_clock.rate(0)
        self.clock = FrozenClock(AT, on_wait=self.sim_clock.advance)
        self.faults = Faults(seed)
        self.world = world.build(seed, customers, orders, products, self.sim_clock)
        self.app = SimulatedShopify(self.world, self.sim_clock, self.faults, Tape())
        self.wire = Wire(self.app)

    @property
    def stores(self) -> list[Store]:
        return list(self.world.stores.values())

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.sim_clock.advance(seconds)

    def client(self, store: Store, **more: Any) -> Shopify:
        """Our client for one store, with the app's own credentials."""
        credentials = Credentials(store.shop.client_id, store.shop.client_secret)
        url = f"https://{store.shop.domain}"
        version = more.pop("api_version", "2026-10")
        return Shopify(url, version, credentials, self.clock, transport=self.wire, **more)
