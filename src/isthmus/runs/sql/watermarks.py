"""Watermarks in the database."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.db.pool import Tx


class Mark(Struct, frozen=True):
    """How far a reading got: everything changed before `at`, or every page before `cursor`."""

    store: str
    name: str
    at: datetime | None
    cursor: str | None
    n: int
    total: int | None
    done_at: datetime | None


def load_watermarks(tx: Tx, connection: str) -> dict[tuple[str, str], Mark]:
    """All watermarks of a connection, by store and name."""
    rows = tx.fetch_as(
        Mark, "SELECT store, name, at, cursor, n, total, done_at FROM watermark WHERE connection = %s", (connection,)
    )
    return {(row.store, row.name): row for row in rows}


class HistoryCoverage(Struct, frozen=True):
    """Whether a history is here, so that what is missing here is missing; `since` where only what was created later
    was asked for, `asked_at` when. What changed after that, the polls should have brought."""

    is_loaded: bool
    since: datetime | None
    asked_at: datetime | None


def history_coverage(tx: Tx, connection: str, store: str, kind: str) -> HistoryCoverage:
    """How much of a store's history of this kind has been loaded."""
    row = tx.fetch_one(
        """SELECT coalesce(bool_and(state IN ('done', 'split')), false) AS is_loaded,
                  CASE WHEN bool_or(since IS NULL) THEN NULL ELSE min(since) END AS since,
                  min(wanted_at) AS asked_at
           FROM load WHERE connection = %s AND store = %s AND kind = %s""",
        (connection, store, kind),
    )
    return (
        HistoryCoverage(bool(row["is_loaded"]), row["since"], row["asked_at"])
        if row
        else HistoryCoverage(False, None, None)
    )


def create_watermarks(tx: Tx, connection: str, store: str, names: Sequence[str], at: datetime) -> None:
    """Set watermarks that are not there yet."""
    tx.execute_many(
        "INSERT INTO watermark (connection, store, name, at) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        [(connection, store, name, at) for name in names],
    )


def advance_watermark(tx: Tx, connection: str, store: str, name: str, at: datetime, n: int) -> None:
    """Everything changed before `at` was seen; `n` records were new to us."""
    tx.execute(
        """INSERT INTO watermark AS w (connection, store, name, at, n) VALUES (%s, %s, %s, %s, %s)
           ON CONFLICT (connection, store, name) DO UPDATE
           SET at = greatest(w.at, excluded.at), n = w.n + excluded.n""",
        (connection, store, name, at, n),
    )


def save_cursor(tx: Tx, connection: str, store: str, name: str, cursor: str | None, n: int, now: datetime) -> None:
    """A page of a load was put in the pipeline; without a next cursor the load is done."""
    tx.execute(
        """INSERT INTO watermark AS w (connection, store, name, cursor, n, done_at)
           VALUES (%(connection)s, %(store)s, %(name)s, %(cursor)s, %(n)s, %(done_at)s)
           ON CONFLICT (connection, store, name) DO UPDATE
           SET cursor = excluded.cursor, n = w.n + excluded.n, done_at = excluded.done_at""",
        {
            "connection": connection,
            "store": store,
            "name": name,
            "cursor": cursor,
            "n": n,
            "done_at": now if cursor is None else None,
        },
    )


def expect(tx: Tx, connection: str, store: str, name: str, total: int) -> None:
    """How many records a load will see."""
    tx.execute(
        """INSERT INTO watermark (connection, store, name, total) VALUES (%s, %s, %s, %s)
           ON CONFLICT (connection, store, name) DO UPDATE SET total = excluded.total""",
        (connection, store, name, total),
    )


def restart_loads(tx: Tx, connection: str, store: str, names: Sequence[str]) -> None:
    """Forget how far loads got, so that they begin again."""
    tx.execute(
        "DELETE FROM watermark WHERE connection = %s AND store = %s AND name = ANY(%s)",
        (connection, store, list(names)),
    )


def take_turn(tx: Tx, connection: str, name: str, now: datetime, until: datetime) -> bool:
    """Whether a look is ours until then: of all workers one looks at a time."""
    return bool(
        tx.execute(
            """INSERT INTO watermark AS w (connection, store, name, at) VALUES (%s, '', %s, %s)
               ON CONFLICT (connection, store, name) DO UPDATE SET at = excluded.at WHERE w.at IS NULL OR w.at <= %s""",
            (connection, f"{name}:held", until, now),
        )
    )


def extend_turn(tx: Tx, connection: str, name: str, at: datetime) -> None:
    """A look that we took is ours until then; from now on anybody's where that is now."""
    tx.execute(
        "UPDATE watermark SET at = %s WHERE connection = %s AND store = '' AND name = %s",
        (at, connection, f"{name}:held"),
    )


def last_turn(tx: Tx, connection: str, name: str) -> datetime | None:
    """When a look of the whole connection last began."""
    row = tx.fetch_one(
        "SELECT at FROM watermark WHERE connection = %s AND store = '' AND name = %s", (connection, name)
    )
    return row["at"] if row is not None else None


def record_prune(tx: Tx, at: datetime) -> None:
    """The nightly prune went through, for every connection there is."""
    tx.execute(
        """INSERT INTO watermark AS w (connection, store, name, at) SELECT connection, '', 'prune', %s FROM connection
           ON CONFLICT (connection, store, name) DO UPDATE SET at = excluded.at""",
        (at,),
    )
