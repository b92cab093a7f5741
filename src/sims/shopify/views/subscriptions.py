"""Webhook subscriptions as the Admin API shows them."""

from __future__ import annotations

from typing import Any, ClassVar

from sims.shopify import versions
from sims.shopify.state import Subscription as Record
from sims.shopify.subscriptions import enum_topic
from sims.shopify.views import shop
from sims.shopify.views.plain import dated, identified, numbered, own


class WebhookSubscription:
    """A wish to be told of one topic."""

    __slots__ = ("record",)
    type_name: ClassVar[str] = "WebhookSubscription"

    def __init__(self, record: Record) -> None:
        self.record = record

    id = identified("WebhookSubscription")
    legacy_resource_id = numbered()
    topic = property(lambda self: enum_topic(self.record.topic))
    uri = own("uri")
    format = own("format")
    filter = own("filter")
    name = own("name")
    include_fields = property(lambda self: list(self.record.include_fields))
    metafield_namespaces = property(lambda self: list(self.record.metafield_namespaces))
    created_at = dated("created_at")
    updated_at = dated("updated_at")

    @property
    def api_version(self) -> dict[str, Any]:
        return shop.version(versions.WEBHOOKS)

    @property
    def metafields(self) -> list[dict[str, Any]]:
        return [{"namespace": namespace, "key": key} for namespace, key in self.record.metafields]

    @property
    def callback_url(self) -> str:
        # Captured: an address that is no URL is shown as this one, for Pub/Sub too.
        return self.record.uri if "://" in self.record.uri and not self._is_cloud else "https://eventbridge.arn"

    @property
    def endpoint(self) -> dict[str, Any]:
        uri = self.record.uri
        if uri.startswith("pubsub://"):
            project, _, topic = uri.removeprefix("pubsub://").partition(":")
            return {"__typename": "WebhookPubSubEndpoint", "pubSubProject": project, "pubSubTopic": topic}
        if uri.startswith("arn:"):
            return {"__typename": "WebhookEventBridgeEndpoint", "arn": uri}
        return {"__typename": "WebhookHttpEndpoint", "callbackUrl": uri}

    @property
    def _is_cloud(self) -> bool:
        return self.record.uri.startswith(("pubsub://", "arn:"))
