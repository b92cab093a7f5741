"""When a load will be at Ometria: what waits, at the account's own limit."""

from datetime import datetime, timedelta

from msgspec import Struct

from isthmus.db.pool import Database
from isthmus.flows.context import ConnectionContext
from isthmus.outbox.plan import BATCH
from isthmus.outbox.sql import backlog as outbox


class Ahead(Struct, frozen=True):
    """`n_due` records are still to be sent; at the limit that is done `at + takes`.

    `used` is the share of the push budget that was in use since the look before, None for the first look.
    """

    at: datetime
    n_due: int
    takes: timedelta
    n_slots: int
    used: float | None = None
    is_live: bool = True

    @property
    def line(self) -> str:
        """The same for people."""
        if not self.is_live:
            return f"nothing is sent in shadow mode ({self.n_due:,} would be)"
        used = "" if self.used is None else f", {self.used:.0%} of the push budget in use"
        done = f", done about {self.at + self.takes:%H:%M} UTC" if self.n_due else ""
        return f"{self.n_due:,} to send{used}{done}"


def estimate(db: Database, context: ConnectionContext, before: Ahead | None = None) -> Ahead:
    """Look at the queue; `before` is the last look, which the use of the budget is counted from."""
    now = context.clock.now()
    with db.transaction() as tx:
        queue = outbox.read_backlog(tx, context.connection, now)
    pace = context.pace
    free = 1 - pace.realtime_share if queue.is_shared else 1.0
    per_second = BATCH * pace.push_per_second * max(free, 0.01)
    used = None
    if before is not None and now > before.at:
        possible = (now - before.at).total_seconds() * pace.push_per_second
        used = min(1.0, (queue.n_slots - before.n_slots) / possible)
    takes = timedelta(seconds=queue.n_due / per_second)
    return Ahead(now, queue.n_due, takes, queue.n_slots, used, is_live=context.is_live)
