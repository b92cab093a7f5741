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


def marks(tx: Tx, connection: str) -> dict[tuple[str, str], Mark]:
    """All watermarks of a connection, by store and name."""
    rows = tx.fetch_as(
        Mark, "SELECT store, name, at, cursor, n, total, done_at FROM watermark WHERE connection = %s", (connection,)
    )
    return {(row.store, row.name): row for row in rows}


def is_loaded(tx: Tx, connection: str, store: str, kind: str) -> bool:
    """Whether a store's history of this kind has been loaded, so that what is missing here is missing."""
    return bool(
        tx.fetch_value(
            """SELECT EXISTS (SELECT FROM watermark WHERE connection = %(connection)s AND store = %(store)s
                                AND name = 'load:' || %(kind)s AND done_at IS NOT NULL)
                   OR (SELECT bool_and(state IN ('done', 'split')) FROM load
                       WHERE connection = %(connection)s AND store = %(store)s AND kind = %(kind)s)""",
            {"connection": connection, "store": store, "kind": kind},
        )
    )


def begin(tx: Tx, connection: str, store: str, names: Sequence[str], at: datetime) -> None:
    """Set watermarks that are not there yet."""
    tx.execute_many(
        "INSERT INTO watermark (connection, store, name, at) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        [(connection, store, name, at) for name in names],
    )


def advance(tx: Tx, connection: str, store: str, name: str, at: datetime, n: int) -> None:
    """Everything changed before `at` was seen; `n` records were new to us."""
    tx.execute(
        """INSERT INTO watermark AS w (connection, store, name, at, n) VALUES (%s, %s, %s, %s, %s)
           ON CONFLICT (connection, store, name) DO UPDATE
           SET at = greatest(w.at, excluded.at), n = w.n + excluded.n""",
        (connection, store, name, at, n),
    )


def turn_page(tx: Tx, connection: str, store: str, name: str, cursor: str | None, n: int, now: datetime) -> None:
    """A page of a load was put on the road; without a next cursor the load is done."""
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


def start_over(tx: Tx, connection: str, store: str, names: Sequence[str]) -> None:
    """Forget how far loads got, so that they begin anew."""
    tx.execute(
        "DELETE FROM watermark WHERE connection = %s AND store = %s AND name = ANY(%s)",
        (connection, store, list(names)),
    )


def tidied(tx: Tx, at: datetime) -> None:
    """The nightly prune went through, for every connection there is."""
    tx.execute(
        """INSERT INTO watermark AS w (connection, store, name, at) SELECT connection, '', 'prune', %s FROM connection
           ON CONFLICT (connection, store, name) DO UPDATE SET at = excluded.at""",
        (at,),
    )
