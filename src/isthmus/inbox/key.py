"""Same key, same event: what makes two deliveries one (https://shopify.dev/docs/apps/build/webhooks/verify-deliveries)."""

from hashlib import blake2b


def delivery_key(store: str, topic: str, webhook_id: str) -> bytes:
    """16 bytes that name a delivery within its connection.

    The webhook id alone would do by Shopify's word; store and topic guard against an id that another shop or topic
    happens to carry. The action's id is no part of it, since one action is told under several topics.
    """
    return blake2b(f"{store}\x1f{topic}\x1f{webhook_id}".encode(), digest_size=16).digest()
