"""A statement about what someone allows, kept for ever as evidence."""

from datetime import datetime
from enum import Enum, StrEnum

from msgspec import Struct


class Channel(StrEnum):
    EMAIL = "email"
    SMS = "sms"


class Stance(Enum):
    """Whether someone may be written to."""

    IN = "opted in"
    OUT = "opted out"
    UNSAID = "not specified"


class Claim(Struct, frozen=True, gc=False):
    """One statement: who is meant (a plain address only in memory; the ledger keeps its keyed hash), what, since when.

    `source` names the way it came: shopify.webhook, shopify.reading, shopify.moved (the same statement at a changed
    address), shopify.left (that customer no longer speaks for the address), shopify.merge, ometria.unsubscribes,
    ometria.profile, ometria.hook, shopify.box (what was ticked: evidence, never weighed). `level` is Shopify's opt-in
    level; it is evidence too, never consent.
    """

    channel: Channel
    address: str
    state: str
    source: str
    customer_id: int | None = None
    at: datetime | None = None
    level: str | None = None
    collected_from: str | None = None


BOX = "shopify.box"
"""The source of what somebody ticked at a checkout: it is written down and never weighed."""

IN = "SUBSCRIBED"
"""The state that allows, in Shopify's words, which both sides are told in here."""

OUT = frozenset({"UNSUBSCRIBED", "REDACTED", "INVALID"})
"""The states that forbid."""
