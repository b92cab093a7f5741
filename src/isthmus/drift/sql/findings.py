"""What runs found, in the database, and the cases that they own."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from isthmus.db.pool import Tx
from isthmus.drift.sql.observations import columns_of, unnested

OWN = (
    "integration.missed_change",
    "integration.missed_deletion",
    "integration.stale_mapping",
    "integration.left_behind",
    "integration.repair_returns",
    "platform.not_applied",
    "platform.overwritten",
    "platform.differs",
    "platform.duplicate_order",
    "platform.foreign_writer",
)
"""Codes whose cases a run opens, and closes where it looked and found the sides agreed."""


class DriftFinding(Struct, frozen=True, kw_only=True):
    """One difference, with the layer at fault; the columns are told of in the migration."""

    kind: str
    id: str
    store: str
    subject: str
    code: str
    cause: str
    detail: str = ""
    n: int = 1
    store_says: Mapping[str, Any] | None = None
    ours_say: Mapping[str, Any] | None = None
    platform_says: Mapping[str, Any] | None = None
    currency: str | None = None
    off_mills: int | None = None
    placed_at: datetime | None = None
    repair: str | None = None


_FOUND = {
    "kind": "text",
    "id": "text",
    "store": "text",
    "subject": "text",
    "code": "text",
    "cause": "text",
    "detail": "text",
    "n": "bigint",
    "store_says": "jsonb",
    "ours_say": "jsonb",
    "platform_says": "jsonb",
    "currency": "text",
    "off_mills": "bigint",
    "placed_at": "timestamptz",
    "repair": "text",
}


# Find ----------------------------------------------------------------------------------------------------------------


def save_findings(tx: Tx, connection: str, run: int, findings: Sequence[DriftFinding], now: datetime) -> None:
    """Write findings down; one that this run had already is written again."""
    if not findings:
        return
    sets = ", ".join(f"{name} = excluded.{name}" for name in _FOUND if name not in ("kind", "id", "code"))
    tx.execute(
        f"""INSERT INTO finding (connection, run, {", ".join(_FOUND)}, found_at)
            SELECT %(connection)s, %(run)s, r.*, %(now)s FROM unnest({unnested(_FOUND)}) AS r
            ON CONFLICT (connection, run, kind, id, code) DO UPDATE SET {sets}""",  # noqa: S608 - constants
        {"connection": connection, "run": run, "now": now, **columns_of(_FOUND, findings)},
    )


def list_findings(tx: Tx, connection: str, run: int, limit: int | None = None) -> list[DriftFinding]:
    """What a run found, in the order of kind, id and code."""
    rows = tx.fetch_all(
        f"""SELECT {", ".join(_FOUND)} FROM finding WHERE connection = %s AND run = %s
            ORDER BY kind, id, code LIMIT %s""",  # noqa: S608 - constants
        (connection, run, limit),
    )
    return [DriftFinding(**row) for row in rows]


class FindingTotals(Struct, frozen=True):
    """Findings of one code: how many records, how many repairs began, and by how much revenue is off, per currency."""

    code: str
    cause: str
    n: int
    n_repaired: int
    currency: str | None
    off_mills: int | None


def totals_by_code(tx: Tx, connection: str, run: int) -> list[FindingTotals]:
    """A run's findings by code and currency, the most frequent first."""
    return tx.fetch_as(
        FindingTotals,
        """SELECT code, cause, sum(n)::bigint AS n, (sum(n) FILTER (WHERE repair IS NOT NULL))::bigint AS n_repaired,
                  currency, sum(off_mills)::bigint AS off_mills
           FROM (SELECT code, cause, n, CASE WHEN off_mills IS NULL THEN NULL ELSE currency END AS currency, off_mills,
                        repair FROM finding WHERE connection = %s AND run = %s) AS f
           GROUP BY code, cause, currency ORDER BY n DESC, code, currency""",
        (connection, run),
    )


def count_findings(tx: Tx, connection: str, run: int) -> dict[tuple[str, str, str], int]:
    """How many findings a run has so far, by (code, store, kind)."""
    rows = tx.fetch_all(
        """SELECT code, store, kind, count(*) AS n FROM finding
           WHERE connection = %s AND run = %s GROUP BY code, store, kind""",
        (connection, run),
    )
    return {(row["code"], row["store"], row["kind"]): row["n"] for row in rows}


def count_new_findings(tx: Tx, connection: str, run: int, before: int | None) -> int:
    """How many records a run found something of that the run `before` did not find the same of; all without one."""
    return int(
        tx.fetch_value(
            """SELECT coalesce(sum(greatest(f.n - coalesce(b.n, 0), 0)), 0) FROM finding f
               LEFT JOIN finding b ON b.connection = f.connection AND b.run = %s AND b.kind = f.kind AND b.id = f.id
                 AND b.code = f.code
               WHERE f.connection = %s AND f.run = %s""",
            (before, connection, run),
        )
    )


class OpenCase(Struct, frozen=True):
    """An open case of a run's own, about one record or (subject orders, contacts, products) about the rest of many."""

    id: int
    code: str
    store: str
    subject: str


def open_cases_of_runs(tx: Tx, connection: str, after: int, limit: int) -> list[OpenCase]:
    """Open cases of the codes that runs own and that name a record or the rest of many, those behind `after`."""
    return tx.fetch_as(
        OpenCase,
        """SELECT id, code, store, subject FROM cases
           WHERE connection = %s AND state = 'open' AND code = ANY(%s) AND subject <> '' AND id > %s
           ORDER BY id LIMIT %s""",
        (connection, list(OWN), after, limit),
    )


def findings_of_records(tx: Tx, connection: str, run: int, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Of these records (kind, id) those that a run found something of."""
    rows = tx.fetch_all(
        """SELECT DISTINCT f.kind, f.id FROM finding f
           JOIN unnest(%s::text[], %s::text[]) AS k (kind, id) ON f.kind = k.kind AND f.id = k.id
           WHERE f.connection = %s AND f.run = %s""",
        ([kind for kind, _ in keys], [own for _, own in keys], connection, run),
    )
    return {(row["kind"], row["id"]) for row in rows}


def prune_findings(tx: Tx, before: datetime, limit: int) -> int:
    """Forget findings and ended runs from before a time; how many rows, fewer than `limit` when none are left."""
    n = tx.execute(
        "DELETE FROM finding WHERE ctid = ANY(ARRAY(SELECT ctid FROM finding WHERE found_at < %s LIMIT %s))",
        (before, limit),
    )
    if n < limit:
        n += tx.execute("DELETE FROM run WHERE state <> 'running' AND ended_at < %s", (before,))
    return n
