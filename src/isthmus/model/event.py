"""A delivery at the webhook endpoint, a refetch request of our own, the event that either becomes, and how it ended."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from isthmus.model.lane import Lane


class EventState(StrEnum):
    """Where an event stands; all but waiting are ends."""

    WAITING = "waiting"
    APPLIED = "applied"
    STALE = "stale"
    SKIPPED = "skipped"
    PARKED = "parked"
    BURIED = "buried"


class Delivery(Struct, frozen=True, gc=False):
    """One verified webhook delivery. `action_id` is shared by all deliveries of one action of the merchant."""

    connection: str
    store: str
    topic: str
    lane: Lane
    webhook_id: str
    body: bytes
    action_id: str | None = None
    triggered_at: datetime | None = None


class RefetchRequest(Struct, frozen=True, gc=False):
    """What one of our own source tells: look at this subject, with or without the record itself."""

    topic: str
    subject: str
    lane: Lane
    due_at: datetime
    body: bytes | None = None


class Event(Struct, frozen=True, gc=False):
    """What we were told, stored once. `attempts` counts the claims so far, this one included."""

    id: int
    store: str
    topic: str
    lane: Lane
    subject: str | None
    body: bytes | None
    received_at: datetime
    triggered_at: datetime | None
    attempts: int
    webhook_id: str | None
    action_id: str | None


class EventOutcome(Struct, frozen=True, gc=False):
    """How an event ended. `people` are keyed hashes of the identifiers of everyone its body is about."""

    id: int
    state: EventState
    reason: str | None = None
    subject: str | None = None
    people: tuple[bytes, ...] = ()
