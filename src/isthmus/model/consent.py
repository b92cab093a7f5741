"""A statement about what someone allows, kept for ever as evidence."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class Channel(StrEnum):
    EMAIL = "email"
    SMS = "sms"


class Claim(Struct, frozen=True, gc=False):
    """One statement: who is meant (a plain address only in memory; the ledger keeps its keyed hash), what, since when.

    `source`: shopify.webhook, shopify.reading. `level` is Shopify's opt-in level; it is evidence, never consent.
    """

    channel: Channel
    address: str
    state: str
    source: str
    customer_id: int | None = None
    at: datetime | None = None
    level: str | None = None
    collected_from: str | None = None
