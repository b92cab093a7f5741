"""Rounds in the database."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from isthmus.db.pool import Tx

PAGE_LEASE = timedelta(minutes=10)
"""Far longer than any page takes, its waiting for points included: whoever is late turns no page, and would be late
again. A killed process holds its page no longer than this, which is little in a round that comes every few hours."""


class ScanCursor(Struct, frozen=True):
    """One round: when it began, where its next page begins, and how many records it has looked at."""

    store: str
    name: str
    began_at: datetime
    cursor: str
    n: int
    n_changed: int
    leased_until: datetime | None
    done_at: datetime | None

    def is_due(self, now: datetime, every: timedelta | None) -> bool:
        """Whether there is a page to take: of a round under way, or of the next one. Without `every` there is one."""
        if self.leased_until is not None and self.leased_until > now:
            return False
        return self.done_at is None or (every is not None and self.began_at + every <= now)


def list_scans(tx: Tx, connection: str) -> dict[tuple[str, str], ScanCursor]:
    """Every round of a connection, by store and name."""
    rows = tx.fetch_as(
        ScanCursor,
        """SELECT store, name, began_at, cursor, n, n_changed, leased_until, done_at FROM round
           WHERE connection = %s""",
        (connection,),
    )
    return {(row.store, row.name): row for row in rows}


def next_page(
    tx: Tx, connection: str, store: str, name: str, now: datetime, every: timedelta | None
) -> ScanCursor | None:
    """Take the next page of a round, beginning one where the last is over; None where none is due or it is taken."""
    tx.execute(
        "INSERT INTO round (connection, store, name, began_at) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (connection, store, name, now),
    )
    rows = tx.fetch_as(
        ScanCursor,
        """UPDATE round SET leased_until = %(until)s,
               began_at = CASE WHEN done_at IS NULL THEN began_at ELSE %(now)s END,
               cursor = CASE WHEN done_at IS NULL THEN cursor ELSE '' END,
               n = CASE WHEN done_at IS NULL THEN n ELSE 0 END,
               n_changed = CASE WHEN done_at IS NULL THEN n_changed ELSE 0 END,
               done_at = NULL
           WHERE connection = %(connection)s AND store = %(store)s AND name = %(name)s
             AND (leased_until IS NULL OR leased_until <= %(now)s)
             AND (done_at IS NULL OR began_at + %(every)s::interval <= %(now)s)
           RETURNING store, name, began_at, cursor, n, n_changed, leased_until, done_at""",
        {
            "connection": connection,
            "store": store,
            "name": name,
            "now": now,
            "every": every,
            "until": now + PAGE_LEASE,
        },
    )
    return rows[0] if rows else None


def advance_scan(
    tx: Tx, connection: str, taken: ScanCursor, cursor: str | None, n: int, n_changed: int, now: datetime
) -> bool:
    """A page was looked at; without a next cursor the round is done. False where it is somebody else's by now."""
    return bool(
        tx.execute(
            """UPDATE round SET cursor = coalesce(%(cursor)s, ''), n = n + %(n)s, n_changed = n_changed + %(n_changed)s,
                   leased_until = NULL, done_at = CASE WHEN %(cursor)s::text IS NULL THEN %(now)s::timestamptz END
               WHERE connection = %(connection)s AND store = %(store)s AND name = %(name)s
                 AND leased_until = %(leased_until)s""",
            {
                "connection": connection,
                "store": taken.store,
                "name": taken.name,
                "cursor": cursor,
                "n": n,
                "n_changed": n_changed,
                "leased_until": taken.leased_until,
                "now": now,
            },
        )
    )


def release_page(tx: Tx, connection: str, taken: ScanCursor, until: datetime) -> None:
    """The page could not be looked at now; whoever comes then takes it."""
    tx.execute(
        """UPDATE round SET leased_until = %s
           WHERE connection = %s AND store = %s AND name = %s AND leased_until = %s""",
        (until, connection, taken.store, taken.name, taken.leased_until),
    )


def restart_scans(tx: Tx, connection: str, store: str, names: Sequence[str]) -> None:
    """Forget how far these rounds got, so that they begin again at once."""
    tx.execute(
        "DELETE FROM round WHERE connection = %s AND store = %s AND name = ANY(%s)", (connection, store, list(names))
    )
