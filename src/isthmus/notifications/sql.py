"""Notices in the database: what was last told of everything, and what is still to be told."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from psycopg.types.json import Jsonb

from isthmus.db.pool import Tx
from isthmus.notifications.message import Notice
from isthmus.notifications.transitions import AlertChange, AlertState, LastNotified

LEASE = timedelta(minutes=2)
"""How long whoever sends has for it; afterwards anyone may try."""


def lock_connection(tx: Tx, connection: str, at: datetime) -> None:
    """Let nobody else note changes of this connection until the transaction ends."""
    tx.execute(
        """INSERT INTO watermark AS w (connection, store, name, at) VALUES (%s, '', 'tell', %s)
           ON CONFLICT (connection, store, name) DO UPDATE SET at = excluded.at""",
        (connection, at),
    )


def last_notified(tx: Tx, connection: str) -> dict[str, LastNotified]:
    """What was last noted of each thing, by its key."""
    rows = tx.fetch_all(
        """SELECT DISTINCT ON (key) key, state, at, body FROM notice
           WHERE connection = %s ORDER BY key, id DESC""",
        (connection,),
    )
    return {row["key"]: LastNotified(row["key"], AlertChange(row["state"]), row["at"], row["body"]) for row in rows}


def insert_notifications(tx: Tx, connection: str, news: Sequence[AlertState], at: datetime) -> None:
    """Note what is to be told."""
    tx.execute_many(
        "INSERT INTO notice (connection, key, state, at, body, due_at) VALUES (%s, %s, %s, %s, %s, %s)",
        [(connection, one.key, one.state.value if one.state else "", at, Jsonb(one.body), at) for one in news],
    )


def claim_due(tx: Tx, connection: str, now: datetime, most: int) -> list[Notice]:
    """What is due to be told, oldest first; it is nobody else's for a lease."""
    rows = tx.fetch_all(
        """UPDATE notice SET attempts = attempts + 1, due_at = %(until)s
           WHERE connection = %(connection)s AND id IN (
               SELECT id FROM notice
               WHERE connection = %(connection)s AND told_at IS NULL AND due_at <= %(now)s
               ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED)
           RETURNING connection, id, key, state, at, body, attempts, took""",
        {"connection": connection, "now": now, "until": now + LEASE, "most": most},
    )
    return sorted((Notice(**{**row, "state": AlertChange(row["state"])}) for row in rows), key=lambda notice: notice.id)


def mark_delivered(tx: Tx, connection: str, ids: Sequence[int], now: datetime) -> None:
    """Everybody has it."""
    tx.execute("UPDATE notice SET told_at = %s WHERE connection = %s AND id = ANY(%s)", (now, connection, list(ids)))


def defer_notification(tx: Tx, connection: str, notice: int, took: Sequence[str], due_at: datetime) -> None:
    """Not everybody has it: try again for the others."""
    tx.execute(
        "UPDATE notice SET took = %s, due_at = %s WHERE connection = %s AND id = %s",
        (list(took), due_at, connection, notice),
    )


def prune_notifications(tx: Tx, before: datetime, most: int) -> int:
    """Forget what was told before a time and has been followed by something else, or happened once."""
    return tx.execute(
        """DELETE FROM notice n USING (
               SELECT o.connection, o.id FROM notice o
               WHERE o.told_at < %(before)s
                 AND (o.state IN ('closed', 'recovered', 'resumed', 'finished', 'failed', 'digest')
                      OR EXISTS (SELECT FROM notice l WHERE l.connection = o.connection AND l.key = o.key
                                 AND l.id > o.id))
               LIMIT %(most)s) AS old
           WHERE n.connection = old.connection AND n.id = old.id""",
        {"before": before, "most": most},
    )
