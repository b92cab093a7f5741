"""A webhook on its way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class Delivery:
    """One webhook on its way to one subscription; `due_at` is when the next attempt is due."""

    shop: str
    subscription_id: int
    topic: str
    uri: str  # as it was when the event happened
    webhook_id: str
    event_id: str
    triggered_at: datetime
    body: bytes
    due_at: datetime
    name: str | None = None
    attempts: int = 0
    older_body: bytes | None = None  # what the same topic said of the same record before
    is_copy: bool = False  # a duplicate on purpose: never retried, its outcome counts for nothing
    sent_as: str = ""  # the webhook id of the last attempt, which a fault may have changed
