"""The rules of webhook subscriptions: which addresses, formats, names and filters are taken or refused.

Every message is that of a captured answer of the Admin API (live-captures/webhooks) unless marked ASSUMED.
https://shopify.dev/docs/api/admin-graphql/2026-10/mutations/webhookSubscriptionCreate
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sims.shopify import access, addresses
from sims.shopify.rest import RENDERERS
from sims.shopify.state import Store, Subscription

MAX_BYTES = 65_535
"""Longest filter: a text column."""

_NAME = re.compile(r"[A-Za-z0-9_-]*")
_TERM = re.compile(r"(?:OR|AND|NOT)\b|[()]|-?[\w.]+:\s*(?:<=|>=|<|>)?(?:\"[^\"]*\"|'[^']*'|[^\s()]+)", re.ASCII)

JSON_ONLY = (
    "customer.",
    "customers/purchasing_summary",
    "customers_whats_app_marketing_consent/",
    "metafield_definitions/",
    "metaobjects/",
    "returns/approve",
    "returns/cancel",
    "returns/close",
    "returns/decline",
    "returns/process",
    "returns/reopen",
    "returns/request",
)
"""Topics that REST never had, and so no XML; captured for returns/approve, ASSUMED for the rest."""

SCOPES = {
    "carts": "read_orders",
    "checkouts": "read_orders",
    "collections": "read_products",
    "customers/merge": "read_customer_merge",
    "customer": "read_customers",
    "fulfillment": "read_fulfillments",
    "inventory": "read_inventory",
    "locales": "read_locales",
    "markets": "read_markets",
    "orders": "read_orders",
    "products": "read_products",
    "refunds": "read_orders",
    "returns": "read_returns",
    "variants": "read_products",
}
"""The scope a topic needs, by the beginning of its name: published with each topic."""

_TOPICS = {topic.upper().replace("/", "_").replace(".", "_"): topic for topic in RENDERERS}


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong with a wish."""

    field: tuple[str, ...] | None
    message: str

    def as_dict(self) -> dict[str, Any]:
        """Return the complaint as `userErrors` lists it."""
        return {"field": None if self.field is None else list(self.field), "message": self.message}


@dataclass(frozen=True, slots=True)
class Rules:
    """What the rules depend on: the store, the app that asks, its scopes.

    `insecure_callbacks` lets addresses through that the real API refuses: http on the loopback of this machine.
    """

    store: Store
    app_id: int
    scopes: frozenset[str]
    insecure_callbacks: bool


def slash_topic(name: str) -> str:
    """Return a topic's slash form; one that this world never sends keeps its enum name in small letters."""
    return _TOPICS.get(name, name.lower())


def enum_topic(topic: str) -> str:
    """Return a topic's name in the enum."""
    return topic.upper().replace("/", "_").replace(".", "_")


def create(
    rules: Rules, number: int, topic: str, wish: Mapping[str, Any], now: datetime, field: str = "callbackUrl"
) -> tuple[Subscription | None, list[Complaint]]:
    """Add a subscription for an enum topic, or say why not; `field` is what complaints about the address point at."""
    draft = Subscription(number, slash_topic(topic), "", "api", now, now)
    _apply(rules, draft, {"uri": "", **wish})
    complaints = _judge(rules, draft, field)
    if complaints:
        return None, complaints
    rules.store.subscriptions[number] = draft
    return draft, []


def update(
    rules: Rules, number: int, wish: Mapping[str, Any], now: datetime, field: str = "callbackUrl"
) -> tuple[Subscription | None, list[Complaint]]:
    """Change what a wish names of a subscription; what it leaves out stays (ASSUMED)."""
    known = find(rules.store, number)
    if known is None:
        return None, [Complaint(("id",), "Webhook subscription does not exist")]
    draft = Subscription(known.id, known.topic, known.uri, known.owner, known.created_at, now, known.format)
    draft.filter, draft.name = known.filter, known.name
    draft.include_fields, draft.metafield_namespaces = known.include_fields, known.metafield_namespaces
    draft.metafields = known.metafields
    _apply(rules, draft, wish)
    complaints = _judge(rules, draft, field)
    if complaints:
        return None, complaints
    rules.store.subscriptions[number] = draft
    return draft, []


def delete(store: Store, number: int) -> list[Complaint]:
    """Remove a subscription."""
    if find(store, number) is None:
        return [Complaint(("id",), "Webhook subscription does not exist")]
    del store.subscriptions[number]
    return []


def find(store: Store, number: int) -> Subscription | None:
    """Return a subscription that the API made; those of the app's configuration cannot be seen or touched here."""
    known = store.subscriptions.get(number)
    return known if known is not None and known.owner == "api" else None


def judge_pubsub(project: str, topic: str) -> list[Complaint]:
    """Judge a Pub/Sub project and topic given apart."""
    complaints = []
    if not addresses.is_project(project):
        complaints.append(_wrong("pubSubProject", "Google Cloud Pub/Sub project ID is not valid"))
    if not addresses.is_topic(topic):
        complaints.append(_wrong("pubSubTopic", "Google Cloud Pub/Sub topic ID is not valid"))
    return complaints


def _apply(rules: Rules, draft: Subscription, wish: Mapping[str, Any]) -> None:
    uri = wish.get("uri") or wish.get("callbackUrl")
    if uri is not None or "uri" in wish:
        draft.uri = (uri or "").strip()
    draft.format = wish.get("format") or draft.format
    draft.filter = wish.get("filter", draft.filter)
    draft.name = wish.get("name", draft.name)
    draft.include_fields = tuple(wish.get("includeFields") or (() if "includeFields" in wish else draft.include_fields))
    if "metafieldNamespaces" in wish:
        draft.metafield_namespaces = tuple(_own(rules, each) for each in wish["metafieldNamespaces"] or ())
    if "metafields" in wish:
        draft.metafields = tuple(
            (_own(rules, each.get("namespace") or "$app"), each["key"]) for each in wish["metafields"] or ()
        )


def _own(rules: Rules, namespace: str) -> str:
    """Write a namespace that belongs to the app by the app's number."""
    if namespace == "$app" or namespace.startswith("$app:"):
        return namespace.replace("$app:", f"app--{rules.app_id}--").replace("$app", f"app--{rules.app_id}")
    return namespace


def _judge(rules: Rules, draft: Subscription, field: str) -> list[Complaint]:
    complaints = [
        _wrong(field, message)
        for message in addresses.judge(draft.uri, rules.app_id, insecure=rules.insecure_callbacks)
    ]
    if not complaints:
        complaints += _format(draft)
    complaints += _name(rules, draft)
    if draft.filter and len(draft.filter.encode()) > MAX_BYTES:
        complaints.append(Complaint(("webhookSubscription",), "The specified filter exceeds the maximum allowed size."))
    elif draft.filter and not _names_fields(draft.filter):
        message = "The specified filter is invalid, please ensure you specify the field(s) you wish to filter on."
        complaints.append(Complaint(("webhookSubscription",), message))
    if not complaints and not _may_see(rules, draft.topic):
        # ASSUMED: what the API says of a topic whose scope the app was not granted.
        complaints.append(Complaint(("topic",), "You cannot create a webhook subscription with the specified topic"))
    if not complaints and _is_taken(rules.store, draft):
        complaints.append(_wrong(field, "Address for this topic has already been taken"))
    return complaints


def _format(draft: Subscription) -> list[Complaint]:
    if draft.format != "XML":
        return []
    if draft.uri.startswith(("pubsub://", "arn:")):
        return [_wrong("format", "Format can only be used with format: 'json'")]
    if draft.topic.startswith(JSON_ONLY):
        return [_wrong("format", "Format 'xml' is invalid for this webhook topic. Allowed formats: json")]
    return []


def _name(rules: Rules, draft: Subscription) -> list[Complaint]:
    name = draft.name
    if name is None:
        return []
    complaints = []
    if not name:
        complaints.append(_wrong("name", "Name is too short (minimum is 1 character)"))
    if len(name) > 50:
        complaints.append(_wrong("name", "Name is too long (maximum is 50 characters)"))  # ASSUMED wording
    if not name or not _NAME.fullmatch(name):
        told = "Name name field can only contain alphanumeric characters, underscores, and hyphens"
        complaints.append(_wrong("name", told))
    taken = {each.name.lower() for each in _others(rules.store, draft) if each.name}
    if not complaints and name.lower() in taken:
        complaints.append(_wrong("name", "Name already exists, no duplicate allowed"))
    return complaints


def _names_fields(text: str) -> bool:
    """Say whether every term of a filter names the field it is about."""
    return not _TERM.sub("", text).strip()


def _may_see(rules: Rules, topic: str) -> bool:
    scope = next((scope for start, scope in SCOPES.items() if topic.startswith(start)), None)
    return scope is None or access.allowed(f"`{scope}`", rules.scopes)


def _is_taken(store: Store, draft: Subscription) -> bool:
    return any(
        (each.topic, each.uri, each.format) == (draft.topic, draft.uri, draft.format) for each in _others(store, draft)
    )


def _others(store: Store, draft: Subscription) -> Iterable[Subscription]:
    return (each for each in store.subscriptions.values() if each.id != draft.id and each.owner == "api")


def _wrong(field: str, message: str) -> Complaint:
    return Complaint(("webhookSubscription", field), message)
