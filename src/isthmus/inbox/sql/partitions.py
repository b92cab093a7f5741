"""The days that bodies lie in, and how they and all that is over are forgotten."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from psycopg import sql

from isthmus.db.pool import Tx
from isthmus.db.sql import increment

BY_DAY = ("event_body", "event_person")
DAYS_AHEAD = 2
KEYS_FOR = timedelta(days=7)  # at the least: old deliveries were seen again days later


def delete_bodies(tx: Tx, connection: str, ids: Sequence[int], reason: str, now: datetime) -> int:
    """Remove the bodies of events and whose they were; how many bodies. One that still waited counts as skipped."""
    skipped = tx.execute(
        "UPDATE event SET state = 'skipped', reason = %s, settled_at = %s, claim = NULL, leased_until = NULL"
        " WHERE connection = %s AND id = ANY(%s) AND state || '' = 'waiting'",
        (reason, now, connection, list(ids)),
    )
    tx.execute("DELETE FROM event_person WHERE connection = %s AND event_id = ANY(%s)", (connection, list(ids)))
    gone = tx.execute("DELETE FROM event_body WHERE connection = %s AND event_id = ANY(%s)", (connection, list(ids)))
    increment(tx, connection, {"event.skipped": skipped})
    return gone


def create_partitions(tx: Tx, now: datetime) -> list[str]:
    """Make the day partitions of today and the days ahead; the names of those that were not there.

    A day that already has rows in the default partition stays there: they are deleted from it in their turn.
    """
    tx.execute("SET LOCAL lock_timeout = '2s'")  # deliveries queue behind this lock
    made = []
    for table in BY_DAY:
        there = _partitions(tx, table)
        for ahead in range(DAYS_AHEAD + 1):
            day = partition_day(now + timedelta(days=ahead))
            name = _partition(table, day)
            default = sql.Identifier(f"{table}_default")
            is_late = "SELECT FROM {} WHERE day = %s LIMIT 1"
            if name in there or tx.fetch_all(sql.SQL(is_late).format(default), (day,)):
                continue
            tx.execute(
                sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
                    sql.Identifier(name), sql.Identifier(table), str(day), str(day + timedelta(days=1))
                )
            )
            made.append(name)
    return made


def drop_partitions(tx: Tx, before: date) -> list[str]:
    """Drop the day partitions of bodies received before this day, and older rows outside them; the names dropped."""
    tx.execute("SET LOCAL lock_timeout = '2s'")
    dropped = []
    for table in BY_DAY:
        for name in sorted(_partitions(tx, table)):
            if name.removeprefix(f"{table}_") < f"{before:%Y%m%d}":
                tx.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
                dropped.append(name)
        tx.execute(sql.SQL("DELETE FROM {} WHERE day < %s").format(sql.Identifier(f"{table}_default")), (before,))
    return dropped


def prune_events(
    tx: Tx, now: datetime, keep_for: timedelta, keys_for: timedelta = KEYS_FOR, limit: int = 20_000
) -> int:
    """Delete ended events older than `keep_for` and keys older than `keys_for`; how many rows.

    Fewer than `limit` means that none are left. Keys stay for at least seven days, parked and buried events for as long
    as a case may need them.
    """
    events = tx.execute(
        "DELETE FROM event WHERE ctid = ANY(ARRAY(SELECT ctid FROM event"
        " WHERE received_at < %s AND state IN ('applied', 'stale', 'skipped') LIMIT %s))",
        (now - keep_for, limit),
    )
    keys = tx.execute(
        "DELETE FROM event_key WHERE ctid = ANY(ARRAY(SELECT ctid FROM event_key WHERE received_at < %s LIMIT %s))",
        (now - max(keys_for, KEYS_FOR), limit),
    )
    return events + keys


def partition_day(at: datetime) -> date:
    return at.astimezone(UTC).date()


def _partition(table: str, day: date) -> str:
    return f"{table}_{day:%Y%m%d}"


def _partitions(tx: Tx, table: str) -> set[str]:
    rows = tx.fetch_all(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = %s::regclass AND c.relname <> %s",
        (table, f"{table}_default"),
    )
    return {row["relname"] for row in rows}
