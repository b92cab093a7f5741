"""The ring of the newest push errors, the only place where Ometria says that a record was refused.

Sources: https://docs.ometria.com/docs/list-errors (100 newest, error_message and error_path); the fuller item as two
independent clients model it (Fivetran's Ometria schema, a retailer's C# client); newest first is ASSUMED.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sims.ometria.times import offset_text

INVALID = "not a valid value"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a record was not applied; `path` is like "root > lastname"."""

    path: str
    message: str = INVALID


@dataclass(frozen=True, slots=True)
class PushError:
    """One entry of the ring."""

    request_id: str
    record_type: str
    record_id: str | None
    record: dict[str, Any]
    at: datetime
    refusal: Refusal


class ErrorRing:
    """The newest errors of an account; older ones are gone for good."""

    def __init__(self, size: int) -> None:
        self._ring: deque[PushError] = deque(maxlen=size)
        self.total = 0

    def add(self, error: PushError) -> None:
        """Put an error in front, pushing the oldest out when the ring is full."""
        self._ring.appendleft(error)
        self.total += 1

    def listed(self, shape: str, account: str) -> list[dict[str, Any]]:
        """Return the ring, newest first: "nested" (fuller item), "flat" (same, unnested) or "bare" (two keys)."""
        return [_item(error, shape, account) for error in self._ring]


def _item(error: PushError, shape: str, account: str) -> dict[str, Any]:
    words = {"error_message": error.refusal.message, "error_path": error.refusal.path}
    if shape == "bare":
        return words
    item: dict[str, Any] = {
        "account": account,
        "request_id": error.request_id,
        "record_type": error.record_type,
        "record_id": error.record_id,
        "timestamp": offset_text(error.at),
        "source": "api",
    }
    if shape == "flat":
        return {**item, **words}
    nested = {"error": error.refusal.message, "error_path": error.refusal.path}
    return {**item, "record": error.record, "message": nested}
