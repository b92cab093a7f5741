"""Is this delivery Shopify's, and what do its headers say (https://shopify.dev/docs/apps/build/webhooks)?"""

import binascii
import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from isthmus.shopify.topics import topic_enum_name

SIGNATURE_BYTES = 32
"""HMAC-SHA256."""

_SIGNATURE_CHARS = 44
_YEARS = range(2000, 2101)


_HEADERS = tuple(
    (f"x-shopify-{name}", f"shopify-{name}")
    for name in ("topic", "shop-domain", "hmac-sha256", "webhook-id", "event-id", "api-version", "triggered-at", "name")
)
HEADERS = frozenset(name for names in _HEADERS for name in names)
"""Every header that `delivery` looks at."""


class DeliveryHeaders(Struct, frozen=True, gc=False):
    """The headers of one delivery. `webhook_id` names this delivery, `event_id` the merchant's action behind it."""

    topic: str
    shop: str
    signature: str
    webhook_id: str | None
    event_id: str | None = None
    api_version: str | None = None
    triggered_at: datetime | None = None
    name: str | None = None


def read_delivery_headers(headers: Mapping[str, str]) -> DeliveryHeaders:
    """Read the headers of a delivery; names must be lower-case, absent ones become empty text or None.

    Classic webhooks prefix them with `x-shopify-`, the newer events with `shopify-`; where both are there the classic
    one counts. Shop domains are lower-cased.
    """

    get = headers.get
    topic, shop, signature, webhook_id, event_id, api_version, triggered_at, name = [
        get(classic) or get(newer) or None for classic, newer in _HEADERS
    ]
    return DeliveryHeaders(
        topic or "", (shop or "").lower(), signature or "", webhook_id, event_id, api_version, _when(triggered_at), name
    )


def verify_signature(body: bytes, signature: str, secrets: Sequence[str]) -> int | None:
    """Which of the app's secrets signed this raw body: an index into `secrets`, or None.

    The signature is base64 of HMAC-SHA256 over the bytes as they came. Several secrets are tried because Shopify may
    sign with the old one for an hour after a rotation. Every comparison takes the same time, whatever it compares.
    https://shopify.dev/docs/apps/build/webhooks/verify-deliveries
    """
    claimed = _unbase64(signature)
    if claimed is None:
        return None
    found = None
    for index, secret in enumerate(secrets):
        if secret and hmac.compare_digest(sign_body(body, secret), claimed) and found is None:
            found = index
    return found


def is_signature(text: str) -> bool:
    """Whether this may be a signature at all; what is none can be refused before the body is read."""
    return len(text) == _SIGNATURE_CHARS


def sign_body(body: bytes, secret: str) -> bytes:
    """The 32 bytes that Shopify would sign a body with."""
    return hmac.digest(secret.encode(), body, "sha256")


class Subscription(Struct, frozen=True, gc=False):
    """One webhook subscription as Shopify lists it; `topic` in GraphQL's spelling."""

    id: str
    topic: str
    uri: str
    format: str = "JSON"
    filter: str | None = None
    include_fields: tuple[str, ...] = ()
    api_version: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether every event comes, with all its fields. Trimmed bodies that are alike are dropped as duplicates
        unless a field that always changes is among those included; one filtered away is never heard of."""
        return self.format == "JSON" and not self.filter and not self.include_fields


class SubscriptionPlan(Struct, frozen=True, gc=False):
    """What to do so that each topic is subscribed exactly once: topics to create, subscription ids to delete.

    Those of `delete` that are in `first` stand in the way: Shopify takes an address for a topic only once.
    """

    create: tuple[str, ...]
    delete: tuple[str, ...]
    first: tuple[str, ...] = ()

    @property
    def is_done(self) -> bool:
        return not self.create and not self.delete


class SubscriptionAudit(Struct, frozen=True, gc=False):
    """What is wrong with the subscriptions of a shop, in numbers, and the plan that fixes it.

    `missing` topics have none that lead here; of them `elsewhere` have one that leads to another address. Topics in
    `trimmed` are filtered, cut to some fields or not JSON; `doubled` counts those too many, `foreign` those of topics
    that nobody asked for. `versions` are API versions other than the expected one, which the app's settings decide
    (https://shopify.dev/docs/api/admin-graphql/latest/objects/WebhookSubscription#field-apiVersion).
    """

    plan: SubscriptionPlan
    missing: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    trimmed: tuple[str, ...] = ()
    doubled: int = 0
    foreign: int = 0
    versions: tuple[str, ...] = ()

    @property
    def detail(self) -> str:
        """All of it in words, shortly; empty where nothing is wrong with what we can fix."""
        told = [
            f"{len(self.missing)} missing ({_some(self.missing)})" if self.missing else "",
            f"{len(self.elsewhere)} of them lead to another address" if self.elsewhere else "",
            f"{len(self.trimmed)} filtered or cut ({_some(self.trimmed)})" if self.trimmed else "",
            f"{self.doubled} doubled" if self.doubled else "",
            f"{self.foreign} of topics nobody asked for" if self.foreign else "",
        ]
        return ", ".join(part for part in told if part)


def audit_subscriptions(
    listed: Sequence[Subscription], uri: str, topics: Sequence[str], api_version: str = ""
) -> SubscriptionAudit:
    """Hold the subscriptions made through the API against what should be there: each topic once, whole, to `uri`."""
    wanted = {topic_enum_name(topic): topic for topic in topics}
    ours = [one for one in listed if one.uri == uri]
    whole = [one.topic for one in ours if one.is_whole and one.topic in wanted]
    trimmed = [one.topic for one in ours if not one.is_whole and one.topic in wanted and one.topic not in whole]
    missing = [name for name in wanted if name not in whole and name not in trimmed]
    others = {one.topic for one in listed if one.uri != uri}
    foreign = sum(one.topic not in wanted for one in ours)
    return SubscriptionAudit(
        plan=plan_subscriptions(listed, uri, topics),
        missing=tuple(wanted[name] for name in missing),
        elsewhere=tuple(wanted[name] for name in missing if name in others),
        trimmed=tuple(wanted[name] for name in dict.fromkeys(trimmed)),
        doubled=len(ours) - foreign - len({*whole, *trimmed}),
        foreign=foreign,
        versions=tuple(sorted({one.api_version for one in ours} - {"", api_version})) if api_version else (),
    )


def plan_subscriptions(listed: Iterable[Subscription], uri: str, topics: Sequence[str]) -> SubscriptionPlan:
    """Compare what is there with what should be; subscriptions to other addresses are somebody else's and left alone.

    One of ours that is filtered or trimmed would hide events or parts of them, so it is replaced. Topics keep their
    slash spelling and order. Applying a plan twice changes nothing the second time.
    """
    wanted = {topic_enum_name(topic): topic for topic in topics}
    kept: set[str] = set()
    delete: list[Subscription] = []
    for subscription in listed:
        if subscription.uri != uri:
            continue
        if subscription.is_whole and subscription.topic in wanted and subscription.topic not in kept:
            kept.add(subscription.topic)
        else:
            delete.append(subscription)
    create = {name: topic for name, topic in wanted.items() if name not in kept}
    return SubscriptionPlan(
        tuple(create.values()),
        tuple(one.id for one in delete),
        tuple(one.id for one in delete if one.topic in create and one.format == "JSON"),
    )


def _some(names: Sequence[str], most: int = 3) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown}, …"


def _unbase64(text: str) -> bytes | None:
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:  # binascii.Error is one, and so is what is not ASCII
        return None
    # Decoding forgives stray bits in the last character; an honest signature survives the way back.
    return raw if len(raw) == SIGNATURE_BYTES and binascii.b2a_base64(raw, newline=False).decode() == text else None


def _when(text: str | None) -> datetime | None:
    """A time that a delivery can have: anybody may write this header, so what cannot be is as good as absent."""
    try:
        at = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return at.astimezone(UTC) if at is not None and at.tzinfo is not None and at.year in _YEARS else None
