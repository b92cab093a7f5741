"""How a shop treats consent that is written to it: as it was told, not for long, late, or not at all.

That a write is answered as done and reads otherwise seconds later was reported of the real API
(https://community.shopify.dev/t/258300); the rest, and how long anything takes, is ASSUMED.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sims.faults import Faults

KNOBS: dict[str, Any] = {
    "shopify.p_consent_reverts": 0.0,
    "shopify.consent_reverts": [],
    "shopify.consent_reverts_after": 3.0,
    "shopify.p_consent_late": 0.0,
    "shopify.consent_late": [],
    "shopify.consent_late_by": 5.0,
    "shopify.p_consent_refused": 0.0,
    "shopify.consent_refused": [],
    "shopify.consent_takes_older": False,
}
"""Each as the chance of a write and as a list of customer numbers, with seconds where it takes some.

consent_reverts: answered as written, told by webhook, and silently taken back later · consent_late: answered with the
customer as before, and written later · consent_refused: a complaint · consent_takes_older: a statement of another
state counts though its time is before the stored one, as one report can be read
(https://community.shopify.dev/t/consent-updated-at-only-updates-when-consent-changes/1683).
"""


@dataclass(frozen=True, slots=True)
class Whims:
    """The knobs, asked once for each write."""

    faults: Faults

    def of(self, number: int) -> str:
        """Say what becomes of a write to a customer: "written", "reverts", "late" or "refused"."""
        for whim in ("refused", "reverts", "late"):
            if number in self.faults.get(f"shopify.consent_{whim}"):
                self.faults.count(f"shopify.consent_{whim}")
                return whim
            if self.faults.strikes(f"shopify.p_consent_{whim}"):
                return whim
        return "written"

    @property
    def takes_older(self) -> bool:
        """Whether an older time wins over a later one."""
        return bool(self.faults.get("shopify.consent_takes_older"))

    def wait(self, whim: str) -> timedelta:
        """Return how long after the answer the shop does what the whim is about."""
        name = {"reverts": "shopify.consent_reverts_after", "late": "shopify.consent_late_by"}[whim]
        return timedelta(seconds=self.faults.get(name))
