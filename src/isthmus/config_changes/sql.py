"""What a shop or the account looked like when it was last looked at, in the database."""

from datetime import datetime
from typing import Any

from msgspec import Struct
from psycopg.types.json import Jsonb

from isthmus.db.pool import Tx


class Snapshot(Struct, frozen=True):
    """One look, by its name: settings, scopes, verdicts, …"""

    store: str
    name: str
    at: datetime
    body: dict[str, Any]


def load_snapshots(tx: Tx, connection: str) -> dict[tuple[str, str], Snapshot]:
    """Every snapshot of a connection, by store and name."""
    rows = tx.fetch_as(Snapshot, "SELECT store, name, at, body FROM snapshot WHERE connection = %s", (connection,))
    return {(row.store, row.name): row for row in rows}


def save_snapshot(tx: Tx, connection: str, store: str, name: str, body: dict[str, Any], at: datetime) -> None:
    """Remember a look instead of the one before."""
    tx.execute(
        """INSERT INTO snapshot (connection, store, name, at, body) VALUES (%s, %s, %s, %s, %s)
           ON CONFLICT (connection, store, name) DO UPDATE SET at = excluded.at, body = excluded.body""",
        (connection, store, name, at, Jsonb(body)),
    )


def push_counts(tx: Tx, connection: str) -> dict[str, int]:
    """How many push requests there were ever, and how many of them were turned away for coming too often."""
    rows = tx.fetch_all(
        """SELECT name, sum(n)::bigint AS n FROM tally
           WHERE connection = %s AND name IN ('push.requests', 'push.limited') GROUP BY name""",
        (connection,),
    )
    return {row["name"]: row["n"] for row in rows}
