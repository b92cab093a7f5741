"""The queue of webhook deliveries: at least once, in no order, retried, and faulty on demand.

https://shopify.dev/changelog/updates-to-webhook-retry-mechanism: success is a 2xx within five seconds, otherwise eight
retries over four hours; then a subscription made by the Admin API is deleted, one of the app's own configuration is
not.
"""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import uuid
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from sims.faults import Faults
from sims.shopify import envelope, rest
from sims.shopify.deeds import app
from sims.shopify.delivery import Delivery
from sims.shopify.events import Event
from sims.shopify.state import Subscription, World

RETRIES = 8
SPAN = timedelta(hours=4)
FIRST_WAIT = SPAN / (2**RETRIES - 1)
"""Eight waits, each twice the one before, make four hours; "exponential" is documented, the factor is ASSUMED."""

REMEMBERED = 1000
"""Bodies kept for retries that carry an older one."""

ACKNOWLEDGED = 100_000
"""Answers of 2xx kept, so that a checker can ask the other side for each."""

KNOBS: dict[str, Any] = {
    "shopify.p_duplicate": 0.0,  # chance that a delivery comes more than once
    "shopify.copies": 5,  # how often at most
    "shopify.p_reorder": 0.0,  # chance that a delivery is held back so that later ones overtake it
    "shopify.reorder_window": 5.0,  # seconds it is held at most
    "shopify.p_delay": 0.0,  # chance of a late delivery
    "shopify.delay": 60.0,  # seconds it is late at most
    "shopify.p_drop": 0.0,  # chance that a delivery never comes
    "shopify.drop_topics": [],  # topics of which no delivery ever comes
    "shopify.p_tamper": 0.0,  # chance that an attempt's body is not what was signed
    "shopify.p_wrong_topic": 0.0,  # chance that somebody sends a signed body again under a topic that asks for action
    "shopify.p_older_body": 0.0,  # chance that a retry carries what was said of the record before
    "shopify.webhook_id_changes": False,  # each retry under an id of its own: undocumented, either may be
    "shopify.deletes_on_any_eight": False,  # eight failed attempts in a row, of whatever deliveries, delete too
    "shopify.retry_speed": 1.0,  # how many times faster than four hours
    "shopify.headers": "classic",  # classic, new, both
}

_ASKING = ("app/uninstalled", "customers/redact", "customers/data_request", "shop/redact")
"""Topics that ask a person to act."""

Post = Callable[[str, Mapping[str, str], bytes], int | None]
"""Sends a body to an address and gives the status, or None when no answer came in time."""


class Deliveries:
    """What is on its way from one world; safe to use from several threads.

    `take` what a step fired, ask for what is `due`, `attempt` each; every delivery taken from `due` must be attempted.
    Hold `world.lock` over a step and its `take`, so that bodies tell what was so at that moment.
    """

    def __init__(self, world: World, faults: Faults) -> None:
        faults.declare(KNOBS)
        self._world, self._faults = world, faults
        self._rng = random.Random(world.seed ^ 0x5EED)
        self._lock = threading.RLock()
        self._waiting: list[tuple[datetime, int, Delivery]] = []
        self._order = itertools.count()
        self._in_flight = 0
        self._said: OrderedDict[tuple[int, str, int], bytes] = OrderedDict()
        self._counts: Counter[str] = Counter()
        self._acknowledged: deque[dict[str, str]] = deque(maxlen=ACKNOWLEDGED)

    def take(self, events: Iterable[Event], at: datetime | None = None) -> int:
        """Render the events of one merchant action for everybody who subscribed; give how many deliveries that is."""
        now = at or self._world.clock.now()
        made = 0
        with self._world.lock, self._lock:
            event_id = self._uuid()
            for event in events:
                store = self._world.stores[event.shop]
                if not store.shop.is_installed and event.topic not in _ASKING:
                    continue
                listening = [one for one in store.subscriptions.values() if one.topic == event.topic]
                body = rest.body(self._world, store, event) if listening else {}
                for one in listening:
                    made += self._queue(one, event, body, event_id, now)
        return made

    def due(self, now: datetime, limit: int = 1000) -> list[Delivery]:
        """Take out what is due, oldest first."""
        found: list[Delivery] = []
        with self._lock:
            while self._waiting and len(found) < limit and self._waiting[0][0] <= now:
                found.append(heapq.heappop(self._waiting)[2])
            self._in_flight += len(found)
        return found

    def attempt(self, delivery: Delivery, post: Post) -> bool:
        """Post a delivery once and settle what follows; say whether it was accepted."""
        sent = self.prepare(delivery)
        return self.settle(delivery, None if sent is None else post(*sent))

    def prepare(self, delivery: Delivery) -> tuple[str, dict[str, str], bytes] | None:
        """Give address, headers and body of the next attempt; None when its subscription is gone."""
        with self._world.lock, self._lock:
            store = self._world.stores[delivery.shop]
            if delivery.subscription_id not in store.subscriptions:
                return None
            delivery.attempts += 1
            webhook_id, body = delivery.webhook_id, delivery.body
            if delivery.attempts > 1:
                self._counts["retried"] += 1
                if self._faults.get("shopify.webhook_id_changes"):
                    webhook_id = self._uuid()
                if delivery.older_body is not None and self._faults.strikes("shopify.p_older_body"):
                    body = delivery.older_body
            secret = app.signing_secret(store.shop, self._world.clock.now())
            made = envelope.headers(delivery, webhook_id, body, secret, self._faults.get("shopify.headers"))
            if self._faults.strikes("shopify.p_tamper"):
                self._counts["tampered"] += 1
                body = body.replace(b"0", b"9", 1) + b" "
            delivery.sent_as = webhook_id
            return delivery.uri, made, body

    def settle(self, delivery: Delivery, status: int | None) -> bool:
        """Note the answer to an attempt: done, later, or given up."""
        is_ok = status is not None and 200 <= status < 300
        with self._world.lock, self._lock:
            self._in_flight -= 1
            store = self._world.stores[delivery.shop]
            one = store.subscriptions.get(delivery.subscription_id)
            self._counts["ok" if is_ok else "failed"] += 1
            if is_ok:
                self._acknowledged.append(
                    {"shop": delivery.shop, "topic": delivery.topic, "webhook_id": delivery.sent_as}
                )
            if one is None or delivery.is_copy:
                return is_ok
            if is_ok:
                one.failures = 0
                return True
            one.failures += 1
            is_spent = delivery.attempts > RETRIES
            if is_spent:
                self._counts["given_up"] += 1
            else:
                wait = FIRST_WAIT * 2 ** (delivery.attempts - 1) / float(self._faults.get("shopify.retry_speed"))
                self._push(delivery, self._world.clock.now() + wait)
            too_many = one.failures >= RETRIES and self._faults.get("shopify.deletes_on_any_eight")
            if (too_many or (is_spent and one.failures > RETRIES)) and one.owner == "api":
                del store.subscriptions[one.id]
                self._counts["subscriptions_deleted"] += 1
        return False

    def next_at(self) -> datetime | None:
        """Say when the next delivery is due; None when nothing waits."""
        with self._lock:
            return self._waiting[0][0] if self._waiting else None

    @property
    def pending(self) -> int:
        """How many deliveries wait or are being posted."""
        with self._lock:
            return len(self._waiting) + self._in_flight

    def acknowledged(self) -> list[dict[str, str]]:
        """Give shop, topic and webhook id of every attempt that was answered with a 2xx in time."""
        with self._lock:
            return list(self._acknowledged)

    def report(self) -> dict[str, int]:
        """Count what became of deliveries; `ok` and `failed` count attempts."""
        names = ("made", "ok", "failed", "retried", "given_up", "dropped", "duplicated", "reordered", "delayed")
        more = ("tampered", "debounced", "subscriptions_deleted")
        with self._lock:
            return {name: self._counts[name] for name in (*names, *more)} | {"pending": self.pending}

    def _queue(self, one: Subscription, event: Event, body: dict[str, Any], event_id: str, now: datetime) -> int:
        encoded = msgspec.json.encode(envelope.only(body, one.include_fields) if one.include_fields else body)
        key = (one.id, event.topic, event.id)
        older = self._said.get(key)
        self._said[key] = encoded
        self._said.move_to_end(key)
        if len(self._said) > REMEMBERED:
            self._said.popitem(last=False)
        if one.include_fields and older == encoded:
            self._counts["debounced"] += 1  # identical bodies are dropped as duplicates
            return 0
        delivery = Delivery(
            shop=event.shop,
            subscription_id=one.id,
            topic=event.topic,
            uri=one.uri,
            webhook_id=self._uuid(),
            event_id=event_id,
            triggered_at=now,
            body=encoded,
            due_at=now,
            name=one.name,
            older_body=older,
        )
        self._counts["made"] += 1
        is_silent = event.topic in self._faults.get("shopify.drop_topics")
        if is_silent:
            self._faults.count("shopify.drop_topics")
        if is_silent or self._faults.strikes("shopify.p_drop"):
            self._counts["dropped"] += 1
            return 0
        self._push(delivery, now + self._held_back())
        if self._faults.strikes("shopify.p_duplicate"):
            self._copy(delivery)
        if self._faults.strikes("shopify.p_wrong_topic"):
            # The signature covers the body alone.
            topic = self._rng.choice([one for one in _ASKING if one != delivery.topic])
            again = replace(delivery, topic=topic, webhook_id=self._uuid(), is_copy=True, older_body=None)
            self._push(again, delivery.due_at)
        return 1

    def _held_back(self) -> timedelta:
        seconds = 0.0
        if self._faults.strikes("shopify.p_reorder"):
            self._counts["reordered"] += 1
            seconds += self._rng.uniform(0.0, self._faults.get("shopify.reorder_window"))
        if self._faults.strikes("shopify.p_delay"):
            self._counts["delayed"] += 1
            seconds += self._rng.uniform(0.0, self._faults.get("shopify.delay"))
        return timedelta(seconds=seconds)

    def _copy(self, delivery: Delivery) -> None:
        """Send a delivery again under the same id: half the copies at the same moment, half a little later."""
        for _ in range(self._rng.randint(1, max(1, self._faults.get("shopify.copies") - 1))):
            self._counts["duplicated"] += 1
            later = self._rng.choice((0.0, self._rng.uniform(0.0, self._faults.get("shopify.reorder_window"))))
            self._push(replace(delivery, is_copy=True), delivery.due_at + timedelta(seconds=later))

    def _push(self, delivery: Delivery, at: datetime) -> None:
        delivery.due_at = at
        heapq.heappush(self._waiting, (at, next(self._order), delivery))

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
