"""One simulated Ometria account with a frozen clock, as the contract tests talk to it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from sims.clock import SimClock
from sims.faults import Faults
from sims.ometria.app import Ometria, Settings
from sims.ometria.switches import Switches
from sims.tape import Tape
from sims.wire import Request, Response

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
KEY = {"x-ometria-auth": "sim-ometria-key"}


class OmetriaAccount:
    """Pushes and reads; `settled` pushes wait until everything is applied."""

    def __init__(self, **switches: Any) -> None:
        self.clock = SimClock(AT, rate=0)
        self.faults = Faults(seed=7)
        self.tape = Tape()
        self.platform = Ometria(self.clock, self.faults, self.tape, Settings(switches=Switches(**switches)))

    def call(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] = KEY) -> Response:
        path, _, query = path.partition("?")
        asked = dict(part.split("=", 1) for part in query.split("&")) if query else {}
        raw = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        return self.platform.handle(Request(method, path, asked, headers, raw))

    def push(self, *records: dict[str, Any]) -> Response:
        return self.call("POST", "/v2/push", list(records))

    def settled(self, *records: dict[str, Any]) -> dict[str, Any]:
        answer = self.push(*records)
        assert answer.status == 200, answer
        self.wait(60)
        return dict(answer.json())

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.platform.tick()

    def get(self, path: str) -> Any:
        self.clock.advance(1)
        answer = self.call("GET", path)
        assert answer.status == 200, answer
        return answer.json()

    def errors(self) -> list[dict[str, Any]]:
        return list(self.get("/v2/push/_errors"))

    def refusal(self, record: dict[str, Any]) -> str | None:
        """Push one record and give the path of the error it causes, or None."""
        before = self.platform.account.errors.total
        self.settled(record)
        if self.platform.account.errors.total == before:
            return None
        return str(self.errors()[0]["message"]["error_path"])

    def listing(self, listing_id: str, collection: str = "shopify") -> dict[str, Any]:
        return dict(self.get(f"/v2/contacts/{collection}/{listing_id}"))

    def profile(self, email: str) -> dict[str, Any]:
        (found,) = self.get(f"/v2/profiles?email={email}")
        return dict(found)

    def automations(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.platform.account.automations if one["kind"] == kind]


def contact(number: int = 1, **more: Any) -> dict[str, Any]:
    base = {"@type": "contact", "@collection": "shopify", "id": f"uk:{number}", "customer_id": f"uk:{number}"}
    return {**base, "email": f"a{number}@example.com", **more}


def order(number: int = 1, **more: Any) -> dict[str, Any]:
    base = {"@type": "order", "id": f"uk:{number}", "timestamp": "2026-11-01T10:00:00Z", "grand_total": 50.0}
    return {**base, "currency": "GBP", "is_valid": True, "status": "complete", "lineitems": [line()], **more}


def line(**more: Any) -> dict[str, Any]:
    return {"product_id": "uk:9", "quantity": 1, "unit_price": 50.0, "total": 50.0, **more}


def product(number: int = 1, **more: Any) -> dict[str, Any]:
    return {"@type": "product", "id": f"uk:{number}", "title": "Scarf", "price": 20.0, "currency": "GBP", **more}


def event(number: int = 1, **more: Any) -> dict[str, Any]:
    base = {
        "@type": "custom_event",
        "id": f"e{number}",
        "event_type": "order_shipped",
        "identity_email": "a1@example.com",
    }
    return {**base, "timestamp": "2026-11-23T08:00:00Z", **more}
