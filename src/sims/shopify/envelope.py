"""What goes around a webhook's body: the signature and the headers, in the classic and the newer spelling.

https://shopify.dev/docs/apps/build/webhooks/delivery-structure
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Any

from sims.shopify.delivery import Delivery
from sims.shopify.rest import parts
from sims.shopify.versions import WEBHOOKS

FAMILIES = {"classic": ("X-Shopify-",), "new": ("shopify-",), "both": ("X-Shopify-", "shopify-")}
"""Header families: classic webhooks, next-generation events, and both at once."""


def sign(body: bytes, secret: str) -> str:
    """Give the base64 HMAC-SHA256 of a raw body."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def headers(delivery: Delivery, webhook_id: str, body: bytes, secret: str, family: str = "classic") -> dict[str, str]:
    """Give every header of one attempt; the body is what is signed, whatever is sent in the end."""
    values = {
        "Topic": delivery.topic,
        "Hmac-Sha256": sign(body, secret),
        "Shop-Domain": delivery.shop,
        "API-Version": WEBHOOKS,
        "Webhook-Id": webhook_id,
        "Triggered-At": parts.instant(delivery.triggered_at),
        "Event-Id": delivery.event_id,
    }
    if delivery.name:
        values["Name"] = delivery.name
    made = {"Content-Type": "application/json", "User-Agent": "Shopify-Captain-Hook"}
    for prefix in FAMILIES[family]:
        made |= {prefix + (key.lower() if prefix.islower() else key): value for key, value in values.items()}
    return made


def only(body: Mapping[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    """Cut a body down to its `include_fields`: dotted paths, going into every item of a list."""
    tree: dict[str, Any] = {}
    for path in fields:
        branch = tree
        for key in path.split("."):
            branch = branch.setdefault(key, {})
    cut: dict[str, Any] = _prune(body, tree)
    return cut


def _prune(value: Any, tree: Mapping[str, Any]) -> Any:
    if not tree:
        return value
    if isinstance(value, list):
        return [_prune(each, tree) for each in value]
    if isinstance(value, Mapping):
        return {key: _prune(value[key], branch) for key, branch in tree.items() if key in value}
    return value
