"""Deliveries that only the previous secret opens become one case, and it ends a day after the last of them."""

import asyncio
import base64
import hmac
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from isthmus.db.pool import Database
from isthmus.flows.secret_rotation import report_previous_secret
from isthmus.flows.subscription_monitor import monitor_subscriptions
from isthmus.model.event import Delivery
from isthmus.web.server import SHOPIFY_HOOK, Server
from isthmus.web.webhooks.verify import StoreSecret, WebhookVerifier
from plays import Play

SHOP, NEW, OLD = "acme-uk.myshopify.com", "shpss_new", "shpss_old"
CODE = "integration.previous_secret_in_use"
BODY = b'{"id": 1}'


async def _keep(deliveries: Sequence[Delivery]) -> list[bool]:
    return [True] * len(deliveries)


async def _is_ready() -> bool:
    return True


def _door() -> Server:
    doors = WebhookVerifier([StoreSecret("acme", "uk", SHOP, NEW, OLD)], [("acme", "shpss_ancient")])
    return Server(
        doors=lambda: doors, keep=_keep, ring=lambda *_: None, is_ready=_is_ready, registry=CollectorRegistry()
    )


def _tell(door: Server, secret: str, topic: str = "orders/create") -> int:
    """One delivery, as ASGI; the status answered."""
    signature = base64.b64encode(hmac.digest(secret.encode(), BODY, "sha256"))
    headers = [
        (b"x-shopify-topic", topic.encode()), (b"x-shopify-shop-domain", SHOP.encode()),
        (b"x-shopify-hmac-sha256", signature), (b"x-shopify-webhook-id", b"w-1"),
    ]  # fmt: skip
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": BODY}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    asyncio.run(door({"type": "http", "method": "POST", "path": SHOPIFY_HOOK, "headers": headers}, receive, send))
    return int(sent[0]["status"])


def test_the_door_counts_in_memory_and_only_what_the_previous_secret_opened() -> None:
    door = _door()
    assert [_tell(door, secret) for secret in (NEW, OLD, OLD, "shpss_wrong")] == [200, 200, 200, 401]
    assert _tell(door, "shpss_ancient", "customers/redact") == 200  # of any secret there ever was
    assert door.rotation.take() == {("acme", "uk"): 2}
    assert door.rotation.take() == {}


def test_what_could_not_be_written_down_is_counted_again() -> None:
    door = _door()
    _tell(door, OLD)
    door.rotation.give_back(door.rotation.take())
    _tell(door, OLD)
    assert door.rotation.take() == {("acme", "uk"): 2}


@pytest.mark.parametrize("hours", [12, 30])
def test_the_case_ends_after_a_day_without_one(database: Database, hours: int) -> None:
    play = Play(database)
    report_previous_secret(play.db, {("acme", "uk"): 3}, play.now)
    report_previous_secret(play.db, {("acme", "uk"): 1}, play.now)
    (case,) = play.cases(CODE)
    assert (case["store"], case["n"]) == ("uk", 4)
    play.pass_time(timedelta(hours=hours).total_seconds())
    monitor_subscriptions(play.db, play.context, {})
    assert len(play.cases(CODE)) == (1 if hours < 24 else 0)
