"""Loads in the database. What is done stays done: whoever runs the same command again goes on from here."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.db.pool import Tx
from isthmus.db.sql import increment
from isthmus.runs.date_range import DateRange


class Load(Struct, frozen=True):
    """One span of a store's records of one kind, and the bulk operation that tells it.

    `state`: wanted, running, ready (its result is there), done, failed, split (others stand for it). `n_loaded` counts
    records of finished parts, `n_read` those of them that are read one by one.
    """

    id: int
    store: str
    kind: str
    since: datetime | None
    until: datetime | None
    state: str
    operation: str | None
    began_at: datetime | None
    n_objects: int
    n_roots: int
    bytes: int | None
    url: str | None
    n_again: int
    why: str | None
    is_rung: bool
    wanted_at: datetime
    moved_at: datetime
    done_at: datetime | None
    n_loaded: int
    n_read: int

    @property
    def span(self) -> DateRange:
        return DateRange(self.since, self.until)

    @property
    def is_over(self) -> bool:
        return self.state in ("done", "failed", "split")


def list_loads(tx: Tx, connection: str) -> list[Load]:
    """Every load of a connection, in the order they were wanted."""
    return tx.fetch_as(
        Load,
        """SELECT l.id, l.store, l.kind, l.since, l.until, l.state, l.operation, l.began_at, l.n_objects, l.n_roots,
                  l.bytes, l.url, l.n_again, l.why, l.is_rung, l.wanted_at, l.moved_at, l.done_at,
                  coalesce(p.n, 0)::bigint AS n_loaded, coalesce(p.n_read, 0)::bigint AS n_read
           FROM load l LEFT JOIN (SELECT load, sum(n) AS n, sum(n_read) AS n_read FROM load_part
                                  WHERE connection = %(connection)s GROUP BY load) AS p ON p.load = l.id
           WHERE l.connection = %(connection)s ORDER BY l.id""",
        {"connection": connection},
    )


def enqueue_loads(tx: Tx, connection: str, store: str, kind: str, spans: Sequence[DateRange], now: datetime) -> None:
    """Ask for these spans."""
    tx.execute_many(
        """INSERT INTO load (connection, store, kind, since, until, wanted_at, moved_at)
           VALUES (%s, %s, %s, %s, %s, %s, %s)""",
        [(connection, store, kind, span.since, span.until, now, now) for span in spans],
    )


def mark_running(tx: Tx, connection: str, load: int, operation: str, began_at: datetime, now: datetime) -> None:
    """An operation tells this span now; whatever an earlier one told in parts is forgotten."""
    tx.execute("DELETE FROM load_part WHERE connection = %s AND load = %s", (connection, load))
    tx.execute(
        """UPDATE load SET state = 'running', operation = %s, began_at = %s, n_objects = 0, n_roots = 0, bytes = NULL,
               url = NULL, is_rung = false, moved_at = %s
           WHERE connection = %s AND id = %s""",
        (operation, began_at, now, connection, load),
    )


def update_progress(
    tx: Tx,
    connection: str,
    load: int,
    *,
    n_objects: int,
    n_roots: int,
    n_bytes: int | None,
    url: str | None,
    is_ready: bool,
    now: datetime,
) -> None:
    """How far Shopify is; once it `is_ready`, where the result is. `moved_at` is when the count last rose."""
    tx.execute(
        """UPDATE load SET moved_at = CASE WHEN n_objects <> %(n_objects)s OR %(is_ready)s THEN %(now)s
                                           ELSE moved_at END,
               n_objects = %(n_objects)s, n_roots = %(n_roots)s, bytes = %(bytes)s, url = %(url)s, is_rung = false,
               state = CASE WHEN %(is_ready)s THEN 'ready' ELSE 'running' END
           WHERE connection = %(connection)s AND id = %(load)s""",
        {
            "connection": connection,
            "load": load,
            "n_objects": n_objects,
            "n_roots": n_roots,
            "bytes": n_bytes,
            "url": url,
            "is_ready": is_ready,
            "now": now,
        },
    )


def restart_load(tx: Tx, connection: str, load: int, why: str, now: datetime) -> None:
    """Another operation must tell this span."""
    tx.execute(
        """UPDATE load SET state = 'wanted', operation = NULL, url = NULL, n_again = n_again + 1, why = %s,
               moved_at = %s WHERE connection = %s AND id = %s""",
        (why, now, connection, load),
    )
    increment(tx, connection, {f"load.again.{why}": 1})


def split_load(tx: Tx, connection: str, load: Load, halves: Sequence[DateRange], why: str, now: datetime) -> None:
    """Two shorter spans stand for this one."""
    enqueue_loads(tx, connection, load.store, load.kind, halves, now)
    finish_load(tx, connection, load.id, "split", now, why)
    increment(tx, connection, {f"load.split.{why}": 1})


def finish_load(tx: Tx, connection: str, load: int, state: str, now: datetime, why: str | None = None) -> None:
    """A load is over: done, failed or split."""
    tx.execute(
        """UPDATE load SET state = %s, url = NULL, why = coalesce(%s, why), moved_at = %s, done_at = %s
           WHERE connection = %s AND id = %s""",
        (state, why, now, now, connection, load),
    )


def retry_failed_loads(tx: Tx, connection: str, stores: Sequence[str], kinds: Sequence[str], now: datetime) -> None:
    """Whoever asks again gives what had failed another chance."""
    tx.execute(
        """UPDATE load SET state = 'wanted', operation = NULL, url = NULL, n_again = 0, done_at = NULL, moved_at = %s
           WHERE connection = %s AND store = ANY(%s) AND kind = ANY(%s) AND state = 'failed'""",
        (now, connection, list(stores), list(kinds)),
    )


def delete_loads(tx: Tx, connection: str, stores: Sequence[str], kinds: Sequence[str]) -> None:
    """Forget these loads, so that they begin again."""
    tx.execute(
        """WITH gone AS (DELETE FROM load WHERE connection = %(connection)s AND store = ANY(%(stores)s)
                           AND kind = ANY(%(kinds)s) RETURNING id)
           DELETE FROM load_part WHERE connection = %(connection)s AND load IN (SELECT id FROM gone)""",
        {"connection": connection, "stores": list(stores), "kinds": list(kinds)},
    )


def mark_operation_finished(tx: Tx, connection: str, store: str, operation: str) -> None:
    """Shopify said that an operation has ended."""
    tx.execute(
        """UPDATE load SET is_rung = true
           WHERE connection = %s AND store = %s AND operation = %s AND state = 'running'""",
        (connection, store, operation),
    )


def finished_parts(tx: Tx, connection: str, load: int) -> set[int]:
    """The parts of a result that are in."""
    rows = tx.fetch_all("SELECT part FROM load_part WHERE connection = %s AND load = %s", (connection, load))
    return {row["part"] for row in rows}


def finish_part(tx: Tx, connection: str, load: int, part: int, n: int, n_read: int, now: datetime) -> None:
    """A part is in; said in the transaction of its last records."""
    tx.execute(
        """INSERT INTO load_part (connection, load, part, n, n_read, done_at) VALUES (%s, %s, %s, %s, %s, %s)
           ON CONFLICT DO NOTHING""",
        (connection, load, part, n, n_read, now),
    )
