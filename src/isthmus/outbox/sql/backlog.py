"""What is still to be sent of a load, and how much of the push budget is used, in the database."""

from datetime import datetime

from msgspec import Struct

from isthmus.db.pool import Tx
from isthmus.model.lane import Lane
from isthmus.model.write import RecordKind


class Backlog(Struct, frozen=True):
    """`n_due` records wait on the backfill lane, `is_shared` while others wait on a lane before it.

    `n_slots` is the running number of the last slot of the push budget that was taken.
    """

    n_due: int
    is_shared: bool
    n_slots: int


def read_backlog(tx: Tx, connection: str, now: datetime) -> Backlog:
    """What waits now."""
    row = tx.fetch_one(
        """SELECT (SELECT count(*) FROM outbox WHERE connection = %(connection)s AND kind = ANY(%(kinds)s)
                     AND lane = %(backfill)s AND state = 'due') AS n_due,
                  EXISTS (SELECT FROM outbox WHERE connection = %(connection)s AND kind = ANY(%(kinds)s)
                     AND lane < %(backfill)s AND state = 'due' AND due_at <= %(now)s) AS is_shared,
                  coalesce((SELECT n FROM pace WHERE connection = %(connection)s AND budget = 'push'), 0) AS n_slots""",
        {
            "connection": connection,
            "kinds": [kind.value for kind in RecordKind],
            "backfill": Lane.BACKFILL.rank,
            "now": now,
        },
    )
    assert row is not None  # noqa: S101 - a SELECT without FROM gives one row
    return Backlog(**row)
