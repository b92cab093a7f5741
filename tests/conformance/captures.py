"""Replays captured calls of the real Admin API against the simulated shop and compares the answers.

A capture keeps variables and answer, but of many calls only the name of the document, not its text; the document is
then built from the root field and the keys of the captured answer. Ids, times and cursors differ by nature: ids and
cursors are translated as they are met, times are compared for being there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sims.clock import SimClock
from sims.faults import Faults
from sims.shopify import world
from sims.shopify.app import Shopify
from sims.shopify.state import EmailConsent, SmsConsent
from sims.tape import Tape
from sims.wire import Request

CAPTURING_APP = 347082227713
"""The number of the app that made the captures; it stands in EventBridge addresses and namespaces."""

TIMES = ("createdAt", "updatedAt")
CURSORS = ("cursor", "startCursor", "endCursor")

ENDPOINT = (
    "{ __typename ... on WebhookHttpEndpoint { callbackUrl } ... on WebhookEventBridgeEndpoint { arn }"
    " ... on WebhookPubSubEndpoint { pubSubProject pubSubTopic } }"
)

SUBSCRIPTION_INPUT = {
    "webhookSubscription": "WebhookSubscriptionInput!",
    "eventBridgeWebhookSubscription": "EventBridgeWebhookSubscriptionInput!",
    "pubSubWebhookSubscription": "PubSubWebhookSubscriptionInput!",
}


@dataclass(frozen=True)
class Call:
    """One captured call: where it stands in its file, what was asked, what came back."""

    where: str
    document: str
    variables: dict[str, Any]
    answer: dict[str, Any]


def calls(captured: Any, where: str = "") -> Iterator[Call]:
    """Walk the calls of a captured file in its order."""
    if isinstance(captured, dict):
        response = captured.get("response")
        if "documentPath" in captured and isinstance(response, dict):
            name = captured["documentPath"].rsplit("/", 1)[-1]
            yield Call(where, name, captured.get("variables") or {}, response.get("payload") or response)
            return
        for key, value in captured.items():
            yield from calls(value, f"{where}/{key}" if where else key)
    elif isinstance(captured, list):
        for n, value in enumerate(captured):
            yield from calls(value, f"{where}/{n}")


@dataclass
class Replay:
    """One simulated shop on which a file's calls are made again."""

    shopify: Shopify
    token: str
    clock: SimClock
    names: dict[str, str] = field(default_factory=dict)
    compared: int = 0

    @classmethod
    def begin(cls, at: datetime | None = None) -> Replay:
        """Open an empty shop served for the capturing app."""
        clock = SimClock(at or datetime(2026, 11, 23, 10, tzinfo=UTC), 0)
        made = world.build(1, 30, 0, 2, clock)
        shopify = Shopify(made, clock, Faults(1), Tape(), app_id=CAPTURING_APP)
        return cls(shopify, shopify.static_token("uk"), clock)

    def ask(self, document: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Make one call; returns the body of the answer."""
        self.clock.advance(1)
        body = json.dumps({"query": document, "variables": self._translated(variables)}).encode()
        headers = {"content-type": "application/json", "x-shopify-access-token": self.token}
        response = self.shopify.handle(Request("POST", "/admin/api/2026-10/graphql.json", {}, headers, body))
        assert response.status == 200
        answer: dict[str, Any] = response.json()
        return answer

    def differences(self, captured: Any, told: Any, at: str = "") -> list[str]:
        """Return where an answer differs from the captured one, learning ids and cursors on the way."""
        self.compared += 1
        if isinstance(captured, dict) and isinstance(told, dict):
            found = [f"{at}: {sorted(captured)} != {sorted(told)}"] if set(captured) != set(told) else []
            for key in captured.keys() & told.keys():
                found += self._field(key, captured[key], told[key], f"{at}.{key}")
            return found
        if isinstance(captured, list) and isinstance(told, list):
            if len(captured) != len(told):
                return [f"{at}: {len(captured)} items != {len(told)}: {captured} != {told}"]
            return [
                each
                for n, pair in enumerate(zip(captured, told, strict=True))
                for each in self.differences(*pair, f"{at}.{n}")
            ]
        return [] if self._translated(captured) == told else [f"{at}: {captured!r} != {told!r}"]

    def _field(self, key: str, captured: Any, told: Any, at: str) -> list[str]:
        is_own = key in CURSORS or (isinstance(captured, str) and captured.startswith("gid://"))
        if is_own and isinstance(captured, str) and isinstance(told, str):
            known = self.names.setdefault(captured, told)
            return [] if known == told else [f"{at}: {captured} was {known}, is {told}"]
        if key in TIMES:
            return [] if bool(captured) == bool(told) else [f"{at}: {captured} != {told}"]
        if key == "apiVersion":  # the version of the app's webhooks then and now
            return [] if set(captured) == set(told) else [f"{at}: {captured} != {told}"]
        return self.differences(captured, told, at)

    def _translated(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.names.get(value, value)
        if isinstance(value, dict):
            return {key: self._translated(each) for key, each in value.items()}
        return [self._translated(each) for each in value] if isinstance(value, list) else value


def revive(replay: Replay, shown: dict[str, Any]) -> None:
    """Give a captured customer, as it was answered when it was made, to the simulated shop, as somebody new."""
    store, taken = replay.shopify.world.store("uk"), set(replay.names.values())
    one = next(each for each in store.customers.values() if f"gid://shopify/Customer/{each.id}" not in taken)
    store.unindex_customer(one)
    one.first_name, one.last_name, one.email = shown["firstName"], shown["lastName"], shown["email"]
    one.phone = (shown["defaultPhoneNumber"] or {}).get("phoneNumber")
    one.note, one.tags, one.state = shown.get("note"), list(shown.get("tags") or []), "DISABLED"
    one.addresses, one.default_address, one.metafields, one.locale = [], None, [], "en"
    one.verified_email, one.tax_exempt = True, False
    one.email_consent, one.sms_consent = EmailConsent(), SmsConsent()
    one.created_at = one.updated_at = replay.clock.now()
    store.index_customer(one)
    replay.names[shown["id"]] = f"gid://shopify/Customer/{one.id}"


def bare(body: dict[str, Any]) -> dict[str, Any]:
    """An answer without its price, and without where in a document of another text an error stands."""
    told = {key: body[key] for key in ("data", "errors") if key in body}
    for error in told.get("errors", []):
        error.pop("locations", None)
    return told


def price(body: dict[str, Any]) -> tuple[int, int] | None:
    """What an answer says that it asked for and that it was charged; None where it says nothing of it."""
    cost = (body.get("extensions") or {}).get("cost")
    return None if cost is None else (cost["requestedQueryCost"], cost["actualQueryCost"])


def document_of(call: Call) -> str | None:
    """Build the document of a call from its answer: None when the answer does not tell its root field."""
    data = call.answer.get("data")
    if not isinstance(data, dict) or len(data) != 1:
        return None
    root, answer = next(iter(data.items()))
    kind = root.removesuffix("Create").removesuffix("Update").removesuffix("Delete")
    types = {"id": "ID!", "topic": "WebhookSubscriptionTopic!", "first": "Int", "last": "Int"}
    types |= {"after": "String", "before": "String", "query": "String", "uri": "String", "reverse": "Boolean"}
    types |= {"sortKey": "WebhookSubscriptionSortKeys", "webhookSubscription": SUBSCRIPTION_INPUT.get(kind, "")}
    if not set(call.variables) <= set(types):
        return None
    declared = ", ".join(f"${name}: {types[name]}" for name in call.variables)
    given = ", ".join(f"{name}: ${name}" for name in call.variables)
    operation = "query" if root in ("webhookSubscription", "webhookSubscriptions") else "mutation"
    fields = selection(answer) if answer is not None else "{ id }"
    return f"{operation} Replayed({declared}) {{ {root}({given}) {fields} }}"


def selection(answer: Any) -> str:
    """Write the selection that would bring an answer's keys."""
    if isinstance(answer, list):
        answer = next((each for each in answer if isinstance(each, dict)), None)
    if not isinstance(answer, dict):
        return ""
    parts = []
    for key, value in answer.items():
        if key == "endpoint":
            parts.append(f"endpoint {ENDPOINT}")
        elif key == "userErrors":
            parts.append("userErrors { field message }")
        elif key in ("webhookSubscription", "nodes", "edges", "metafields", "customer") and not value:
            inner = {"edges": "{ cursor }", "metafields": "{ namespace key }"}
            parts.append(f"{key} {inner.get(key, '{ id }')}")
        else:
            parts.append(f"{key} {selection(value)}".strip())
    return "{ " + " ".join(parts) + " }"
