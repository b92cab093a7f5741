"""Where webhooks may be sent: https, Google Pub/Sub, or EventBridge; what is said of any other address.

Every message is that of a captured answer (live-captures/webhooks) unless marked ASSUMED.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

MAX_BYTES = 65_535
"""Longest address: a text column."""

_ARN = re.compile(r"arn:aws:events:[a-z0-9-]+::event-source/aws\.partner/shopify\.com(?:\.test)?/(\d+)/(\S+)")
_PROJECT = re.compile(r"\d+|[a-z][a-z0-9-]{4,28}[a-z0-9]")
_TOPIC = re.compile(r"(?!goog)[A-Za-z][\w.~+%-]{2,254}")
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_SHOPIFY = ("shopify.com", "myshopify.com", "shopify.io", "shopifycloud.com")


def is_project(text: str) -> bool:
    """Say whether a text is the id or the number of a Google Cloud project."""
    return _PROJECT.fullmatch(text) is not None


def is_topic(text: str) -> bool:
    """Say whether a text is the id of a Pub/Sub topic."""
    return _TOPIC.fullmatch(text) is not None


def judge(uri: str, app_id: int, *, insecure: bool) -> list[str]:
    """Return what is wrong with an address; `insecure` lets http on the loopback of this machine through."""
    if not uri:
        return ["Address can't be blank"]
    if len(uri.encode()) > MAX_BYTES:
        return ["Address is too big (maximum is 64 KB)"]
    if uri.startswith("arn:"):
        return _arn(uri, app_id)
    scheme = uri.partition("://")[0] if "://" in uri else ""
    if scheme == "pubsub":
        return _pubsub(uri)
    if scheme == "kafka":
        return ["Address protocol kafka:// is not supported", "Address is not a valid kafka topic"]
    host = _host(uri)
    if scheme == "http" and insecure and host in _LOOPBACK:
        return []
    if scheme and scheme != "https":
        return [f"Address protocol {scheme}:// is not supported"]
    if not scheme or not host:
        return ["Address is invalid"]
    if _is_internal(host):
        return ["Address cannot be a Shopify or an internal domain"]
    return []


def _arn(uri: str, app_id: int) -> list[str]:
    match = _ARN.fullmatch(uri)
    if match is None:
        return ["Address is invalid", "Address is not a valid AWS ARN"]
    if match[1] != str(app_id):
        told = f"Address is an AWS ARN and includes api_client_id '{match[1]}' instead of '{app_id}'"
        return ["Address is invalid", told]
    return []


def _pubsub(uri: str) -> list[str]:
    project, _, topic = uri.removeprefix("pubsub://").partition(":")
    if not project or not topic:
        return [
            "Address protocol pubsub:// is not supported",
            "Address is not a valid GCP pub/sub format. Format should be pubsub://project:topic",
        ]
    wrong = []
    if not is_project(project):
        wrong.append("Address is not a valid GCP project id.")
    if not is_topic(topic):
        wrong.append("Address is not a valid GCP topic id.")
    return ["Address is invalid", *wrong] if wrong else []


def _host(uri: str) -> str:
    try:
        host = urlsplit(uri).hostname
    except ValueError:
        return ""
    return f"[{host}]" if host and ":" in host else host or ""


def _is_internal(host: str) -> bool:
    ends = tuple(f".{each}" for each in _SHOPIFY)
    if host in _SHOPIFY or host.endswith(ends) or host in _LOOPBACK:
        return True
    # ASSUMED: which domains count as internal beside Shopify's own.
    private = re.fullmatch(r"(?:10|127|192\.168|169\.254|172\.(?:1[6-9]|2\d|3[01]))\.[\d.]+", host)
    return private is not None or host.endswith((".local", ".internal", ".localhost")) or "." not in host
