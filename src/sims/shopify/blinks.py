"""Readings that answer null for a record that is there: new ones for a moment, some wrongly, some with an error.

How often the real API does so is not documented; that a record's webhook can be ahead of what a reading shows was
reported of it (https://community.shopify.dev/t/258300). The rates are ASSUMED.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sims.faults import Faults
from sims.shopify.run import Refusal

KNOBS: dict[str, Any] = {
    "shopify.p_young_null": 0.0,
    "shopify.young_null_for": 5.0,
    "shopify.null_share": 0.0,
    "shopify.null_kinds": "Customer,Order,Product",
    "shopify.p_null_error": 0.0,
}
"""p_young_null: chance that a reading by id of a record younger than young_null_for seconds answers null · null_share:
share of the records of null_kinds that answer null for as long as the knob stands, always the same ones ·
p_null_error: chance that a record answers null with an error on its path.
"""


@dataclass(frozen=True, slots=True)
class Blinks:
    """The knobs, asked once for each record that a reading by id finds."""

    faults: Faults

    def of(self, kind: str, number: int, record: Any, view: Any, now: datetime) -> Any:
        """Return the view of a record, None where this reading does not show it, or the error in its place."""
        if self.faults.strikes("shopify.p_null_error"):
            return Refusal("Internal error. Looks like something went wrong on our end.", code="INTERNAL_SERVER_ERROR")
        share = self.faults.get("shopify.null_share")
        if share and kind in self.faults.get("shopify.null_kinds").split(",") and _place(kind, number) < share:
            self.faults.count("shopify.null_share")
            return None
        young = timedelta(seconds=self.faults.get("shopify.young_null_for"))
        if now - record.created_at < young and self.faults.strikes("shopify.p_young_null"):
            return None
        return view


def _place(kind: str, number: int) -> float:
    """Return where between 0 and 1 a record stands, the same for ever."""
    return int.from_bytes(hashlib.sha256(f"{kind} {number}".encode()).digest()[:4]) / 2**32
