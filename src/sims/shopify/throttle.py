"""The leaky bucket of query points, one per app and store.

https://shopify.dev/docs/apps/build/apis/graphql-admin/rate-limits: the bucket must hold what a query asks for; what it
did not use flows back, and the plan's rate restores the rest. Buckets of 2000 at 100/s and 20000 at 1000/s were seen
in real answers; those of the other two plans are ASSUMED to be 20 times their documented rate as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

RESTORE = {"Basic": 100, "Standard": 100, "Advanced": 200, "Plus": 1000, "Enterprise": 2000}
"""Points per second by plan; Basic is ASSUMED to be served like Standard."""

SECONDS = 20
"""A bucket holds this many seconds of its restore rate."""

SINGLE_QUERY_MAX = 1000
"""No query may cost more, whatever the plan."""


@dataclass(slots=True)
class Bucket:
    """Points left for one app in one store."""

    restore_rate: int
    at: datetime
    left: float

    @classmethod
    def full(cls, plan: str, at: datetime) -> Bucket:
        """Return a full bucket of a plan; an unknown plan gets the standard one."""
        rate = RESTORE.get(plan, RESTORE["Standard"])
        return cls(rate, at, float(rate * SECONDS))

    @property
    def size(self) -> int:
        """Points when full."""
        return self.restore_rate * SECONDS

    def take(self, points: int, at: datetime) -> bool:
        """Take points if they are there; say whether they were."""
        self._flow(at)
        if points > self.left:
            return False
        self.left -= points
        return True

    def give(self, points: float) -> None:
        """Put back what a query did not use; a full bucket holds no more."""
        self.left = min(float(self.size), self.left + points)

    def status(self, at: datetime) -> dict[str, int]:
        """Return `throttleStatus` of an answer."""
        self._flow(at)
        return {"maximumAvailable": self.size, "currentlyAvailable": int(self.left), "restoreRate": self.restore_rate}

    def _flow(self, at: datetime) -> None:
        passed = (at - self.at).total_seconds()
        if passed > 0:  # a clock set back restores nothing
            self.give(passed * self.restore_rate)
        self.at = at
