"""The simulated store's deliveries: signed, retried, given up, and faulty on demand."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from sims.clock import SimClock
from sims.faults import Faults
from sims.shopify import life, world
from sims.shopify.deeds import app, people
from sims.shopify.deliver import RETRIES, Deliveries
from sims.shopify.events import Event
from sims.shopify.state import Customer, Store, World

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
URI = "https://isthmus.example/hooks/shopify"


@dataclass
class Hook:
    """A receiver that answers what it is told and keeps what it got."""

    status: int | None = 200
    got: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)

    def __call__(self, uri: str, headers: Mapping[str, str], body: bytes) -> int | None:
        self.got.append((uri, headers, body))
        return self.status


class Scene:
    """A small world, its queue and a hook, with a frozen clock."""

    def __init__(self) -> None:
        self.clock = SimClock(NOW, 0.0)
        self.faults = Faults(1)
        self.world: World = world.build(9, 40, 60, 20, self.clock)
        self.queue = Deliveries(self.world, self.faults)
        self.hook = Hook()
        self.store: Store = self.world.store("uk")
        self.customer: Customer = next(iter(self.store.customers.values()))

    def listen(self, *topics: str, owner: str = "app") -> None:
        for topic in topics:
            app.subscribe(self.world, self.store, topic, URI, owner, NOW)

    def change(self) -> int:
        return self.queue.take(people.update(self.world, self.store, self.customer, self.world.now()))

    def deliver(self) -> int:
        due = self.queue.due(self.clock.now())
        for delivery in due:
            self.queue.attempt(delivery, self.hook)
        return len(due)

    def deliver_all(self) -> None:
        while (at := self.queue.next_at()) is not None:
            self.clock.set(max(at, self.clock.now()))
            self.deliver()


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_delivery_is_signed_over_its_raw_body_and_carries_every_header(scene: Scene) -> None:
    scene.listen("customers/update")
    scene.change()
    assert scene.deliver() == 1
    uri, headers, body = scene.hook.got[0]
    secret = scene.store.shop.client_secret
    assert uri == URI
    assert (
        headers["X-Shopify-Hmac-Sha256"]
        == base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    )
    assert headers["X-Shopify-Topic"] == "customers/update"
    assert headers["X-Shopify-Shop-Domain"] == "acme-uk.myshopify.com"
    assert headers["X-Shopify-API-Version"] == "2026-10"
    assert headers["X-Shopify-Triggered-At"] == "2026-11-23T12:00:00.000Z"
    assert {"X-Shopify-Webhook-Id", "X-Shopify-Event-Id"} <= headers.keys()
    assert json.loads(body)["id"] == scene.customer.id


def test_the_newer_header_family_can_be_chosen(scene: Scene) -> None:
    scene.listen("customers/update")
    for family, name in (("new", "shopify-hmac-sha256"), ("both", "X-Shopify-Hmac-Sha256")):
        scene.faults.set({"shopify.headers": family})
        scene.change()
        scene.deliver()
        assert name in scene.hook.got[-1][1]
    assert "shopify-topic" in scene.hook.got[-1][1]
    assert "X-Shopify-Topic" not in scene.hook.got[0][1]


def test_deliveries_of_one_action_share_the_event_id_and_nothing_else(scene: Scene) -> None:
    scene.listen("customers/update", "customer.tags_added")
    scene.queue.take(people.tag(scene.world, scene.store, scene.customer, ["brand new"], NOW))
    scene.deliver()
    assert len(scene.hook.got) == 2
    assert len({headers["X-Shopify-Event-Id"] for _, headers, _ in scene.hook.got}) == 1
    assert len({headers["X-Shopify-Webhook-Id"] for _, headers, _ in scene.hook.got}) == 2


def test_nobody_listening_means_nothing_rendered_or_sent(scene: Scene) -> None:
    assert scene.change() == 0
    assert scene.queue.pending == 0


def test_a_refused_delivery_is_retried_eight_times_over_four_hours_with_the_same_id_and_body(scene: Scene) -> None:
    scene.listen("customers/update")
    scene.hook.status = 500
    scene.change()
    scene.deliver_all()
    assert len(scene.hook.got) == 1 + RETRIES
    assert len({headers["X-Shopify-Webhook-Id"] for _, headers, _ in scene.hook.got}) == 1
    assert len({body for _, _, body in scene.hook.got}) == 1
    assert abs(scene.clock.now() - NOW - timedelta(hours=4)) < timedelta(seconds=1)
    assert scene.queue.report()["given_up"] == 1


def test_no_answer_and_a_redirect_count_as_failures(scene: Scene) -> None:
    scene.listen("customers/update")
    for status in (None, 302):
        scene.hook.status = status
        scene.change()
        scene.deliver()
    assert scene.queue.report()["failed"] == 2
    assert scene.queue.pending == 2


def test_retries_can_be_made_quicker(scene: Scene) -> None:
    scene.listen("customers/update")
    scene.faults.set({"shopify.retry_speed": 3600.0})
    scene.hook.status = 503
    scene.change()
    scene.deliver_all()
    assert scene.clock.now() - NOW < timedelta(seconds=5)


def test_an_api_subscription_is_deleted_after_the_last_retry_and_an_app_owned_one_is_not(scene: Scene) -> None:
    scene.listen("customers/update", owner="api")
    scene.listen("customers/update", owner="app")
    scene.hook.status = 500
    scene.change()
    scene.deliver_all()
    assert [one.owner for one in scene.store.subscriptions.values()] == ["app"]
    assert scene.queue.report()["subscriptions_deleted"] == 1


def test_a_success_in_between_keeps_an_api_subscription(scene: Scene) -> None:
    scene.listen("customers/update", owner="api")
    scene.change()
    for _ in range(RETRIES):
        scene.hook.status = 500
        scene.clock.set(scene.queue.next_at() or NOW)
        scene.deliver()
    scene.change()
    scene.hook.status = 200
    scene.deliver()
    scene.hook.status = 500
    scene.deliver_all()
    assert len(scene.store.subscriptions) == 1


def test_duplicates_come_under_the_same_id_and_at_most_five_times(scene: Scene) -> None:
    scene.listen("customers/update")
    scene.faults.set({"shopify.p_duplicate": 1.0})
    for _ in range(20):
        scene.change()
    scene.deliver_all()
    by_id: dict[str, int] = {}
    for _, headers, _ in scene.hook.got:
        by_id[headers["X-Shopify-Webhook-Id"]] = by_id.get(headers["X-Shopify-Webhook-Id"], 0) + 1
    assert len(by_id) == 20
    assert set(by_id.values()) <= {2, 3, 4, 5}
    assert max(by_id.values()) == 5
    assert scene.queue.report()["duplicated"] == len(scene.hook.got) - 20


def test_reordered_deliveries_are_overtaken(scene: Scene) -> None:
    scene.listen("customers/update")
    scene.faults.set({"shopify.p_reorder": 0.5})
    for _ in range(30):
        scene.change()
    scene.deliver_all()
    told = [json.loads(body)["updated_at"] for _, _, body in scene.hook.got]
    assert len(told) == 30
    assert told != sorted(told)


def test_dropped_deliveries_never_come_and_are_counted(scene: Scene) -> None:
    scene.listen("customers/update")
    scene.faults.set({"shopify.p_drop": 1.0})
    scene.change()
    scene.deliver_all()
    assert scene.hook.got == []
    assert scene.queue.report()["dropped"] == scene.queue.report()["made"] == 1


def test_delayed_deliveries_come_late_but_say_when_they_were_triggered(scene: Scene) -> None:
    scene.listen("customers/update")
    scene.faults.set({"shopify.p_delay": 1.0, "shopify.delay": 86_400.0})
    scene.change()
    assert scene.deliver() == 0
    scene.deliver_all()
    assert scene.clock.now() > NOW
    assert scene.hook.got[0][1]["X-Shopify-Triggered-At"] == "2026-11-23T12:00:00.000Z"


def test_a_tampered_body_does_not_fit_its_signature(scene: Scene) -> None:
    scene.listen("customers/update")
    scene.faults.set({"shopify.p_tamper": 1.0})
    scene.change()
    scene.deliver()
    _, headers, body = scene.hook.got[0]
    secret = scene.store.shop.client_secret.encode()
    assert headers["X-Shopify-Hmac-Sha256"] != base64.b64encode(hmac.digest(secret, body, "sha256")).decode()


def test_a_retry_can_carry_an_older_body_under_another_id(scene: Scene) -> None:
    scene.listen("customers/update")
    scene.faults.set({"shopify.p_older_body": 1.0, "shopify.webhook_id_changes": True})
    scene.change()
    scene.deliver()
    scene.hook.status = 500
    scene.change()
    scene.deliver()
    scene.hook.status = 200
    scene.deliver_all()
    first, second, retry = scene.hook.got
    assert retry[2] == first[2] != second[2]
    assert retry[1]["X-Shopify-Webhook-Id"] != second[1]["X-Shopify-Webhook-Id"]
    secret = scene.store.shop.client_secret.encode()
    assert retry[1]["X-Shopify-Hmac-Sha256"] == base64.b64encode(hmac.digest(secret, retry[2], "sha256")).decode()


def test_include_fields_cut_the_body_and_identical_ones_are_sent_once(scene: Scene) -> None:
    app.subscribe(
        scene.world, scene.store, "customers/update", URI, "app", NOW, include_fields=["id", "default_address.city"]
    )
    scene.change()
    scene.change()
    scene.deliver_all()
    assert [set(json.loads(body)) <= {"id", "default_address"} for _, _, body in scene.hook.got] == [True]
    assert scene.queue.report()["debounced"] == 1


def test_a_new_secret_signs_only_an_hour_after_the_rotation(scene: Scene) -> None:
    scene.listen("customers/update")
    old = scene.store.shop.client_secret.encode()
    app.rotate_secret(scene.store, "new", NOW)
    for secret in (old, b"new"):
        scene.change()
        scene.deliver()
        _, headers, body = scene.hook.got[-1]
        assert headers["X-Shopify-Hmac-Sha256"] == base64.b64encode(hmac.digest(secret, body, "sha256")).decode()
        scene.clock.advance(3600)


def test_deploying_replaces_only_the_apps_own_subscriptions(scene: Scene) -> None:
    scene.listen("orders/create", owner="api")
    app.deploy(scene.world, scene.store, URI, ["orders/updated", "shop/redact"], NOW)
    app.deploy(scene.world, scene.store, URI, ["orders/paid"], NOW)
    topics = {(one.owner, one.topic) for one in scene.store.subscriptions.values()}
    assert topics == {("api", "orders/create"), ("app", "orders/paid")}


def test_an_uninstalled_app_is_told_that_and_then_only_of_privacy_until_it_is_installed_again(scene: Scene) -> None:
    for topic in ("app/uninstalled", "customers/update", "shop/redact"):
        scene.listen(topic, owner="app")
    scene.listen("orders/create", owner="api")
    scene.queue.take(app.uninstall(scene.store))
    scene.change()
    scene.queue.take([Event(scene.store.shop.domain, "shop/redact")])
    scene.deliver_all()
    told = [headers["X-Shopify-Topic"] for _, headers, _ in scene.hook.got]
    assert sorted(told) == ["app/uninstalled", "shop/redact"]
    app.install(scene.store)
    scene.change()
    scene.deliver_all()
    assert scene.hook.got[-1][1]["X-Shopify-Topic"] == "customers/update"
    assert {one.owner for one in scene.store.subscriptions.values()} == {"app"}


def test_every_delivery_of_a_faulty_life_arrives_or_is_counted_as_dropped(scene: Scene) -> None:
    topics = ["orders/create", "orders/updated", "customers/update", "customers/create", "refunds/create"]
    for store in scene.world.stores.values():
        app.deploy(scene.world, store, URI, topics, NOW)
    scene.faults.set({"shopify.p_drop": 0.1, "shopify.p_duplicate": 0.1, "shopify.p_reorder": 0.3})
    rng = random.Random(2)
    for _ in range(200):
        scene.queue.take(life.step(scene.world, rng))
    scene.deliver_all()
    report = scene.queue.report()
    assert report["pending"] == 0
    assert report["ok"] == report["made"] - report["dropped"] + report["duplicated"] == len(scene.hook.got)
    assert len({headers["X-Shopify-Webhook-Id"] for _, headers, _ in scene.hook.got}) == (
        report["made"] - report["dropped"]
    )


def test_an_unknown_topic_has_no_body(scene: Scene) -> None:
    scene.listen("themes/create")
    with pytest.raises(KeyError):
        scene.queue.take([Event(scene.store.shop.domain, "themes/create", 1)])
