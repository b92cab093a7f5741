"""A simulated shop in this process and the plain calls a test makes to its Admin API."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sims.clock import SimClock
from sims.faults import Faults
from sims.shopify import world
from sims.shopify.app import Shopify
from sims.shopify.events import Event
from sims.shopify.state import Store
from sims.tape import Tape
from sims.wire import Request, Response

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


@dataclass
class Admin:
    """One shop, a token for it, and what it emitted."""

    shopify: Shopify
    store: Store
    token: str
    events: list[Event] = field(default_factory=list)

    @classmethod
    def open(cls, customers: int = 40, orders: int = 80, products: int = 20) -> "Admin":
        """Build a merchant and hand out a static token of the first store."""
        clock = SimClock(AT, 0)
        made = world.build(7, customers, orders, products, clock)
        events: list[Event] = []
        shopify = Shopify(made, clock, Faults(1), Tape(), emit=events.extend)
        return cls(shopify, next(iter(made.stores.values())), shopify.static_token("uk"), events)

    @property
    def clock(self) -> SimClock:
        return self.shopify.clock

    def turn(self, **knobs: Any) -> None:
        """Turn knobs of this side."""
        self.shopify.faults.set({f"shopify.{name}": value for name, value in knobs.items()})

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Response:
        """Make a plain request; a body becomes JSON unless it is bytes already."""
        given = {
            "content-type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.shopify.handle(Request(method, path, {}, given, raw))

    def post(
        self, query: str, variables: dict[str, Any] | None = None, version: str = "2026-10", **headers: str
    ) -> Response:
        """Send a GraphQL call with the token."""
        headers = {"x_shopify_access_token": self.token, **headers}
        body = {"query": query, "variables": variables or {}}
        return self.send("POST", f"/admin/api/{version}/graphql.json", body, **headers)

    def ask(self, query: str, variables: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
        """Send a GraphQL call and return the body of its answer, which is always a 200."""
        response = self.post(query, variables, **headers)
        assert response.status == 200, response.body
        answer: dict[str, Any] = response.json()
        return answer

    def data(self, query: str, variables: dict[str, Any] | None = None) -> Any:
        """Send a GraphQL call that must go well and return its data."""
        answer = self.ask(query, variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]
