"""Repairs that runs began, in the database: what each started from, how often, and when a look found it right."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.db.pool import Tx


class Begun(Struct, frozen=True):
    """A repair of one difference of one record, as it was last begun."""

    kind: str
    id: str
    code: str
    fingerprint: str
    n: int
    last_at: datetime
    right_at: datetime | None


def repairs_begun(tx: Tx, connection: str, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str, str], Begun]:
    """The repairs that were ever begun of these records (kind, id), by kind, id and code."""
    rows = tx.fetch_as(
        Begun,
        """SELECT r.kind, r.id, r.code, r.fingerprint, r.n, r.last_at, r.right_at FROM repair r
           JOIN unnest(%s::text[], %s::text[]) AS k (kind, id) ON r.kind = k.kind AND r.id = k.id
           WHERE r.connection = %s""",
        ([kind for kind, _ in keys], [own for _, own in keys], connection),
    )
    return {(row.kind, row.id, row.code): row for row in rows}


def save_repairs(tx: Tx, connection: str, repairs: Mapping[tuple[str, str, str], str], now: datetime) -> None:
    """Note that these repairs (kind, id, code: fingerprint) begin; one of another fingerprint is counted from one."""
    keys = sorted(repairs)
    tx.execute(
        """INSERT INTO repair (connection, kind, id, code, fingerprint, last_at)
           SELECT %(connection)s, r.*, %(now)s
           FROM unnest(%(kinds)s::text[], %(ids)s::text[], %(codes)s::text[], %(prints)s::text[]) AS r
           ON CONFLICT (connection, kind, id, code) DO UPDATE
           SET n = CASE WHEN repair.fingerprint = excluded.fingerprint THEN repair.n + 1 ELSE 1 END,
               fingerprint = excluded.fingerprint, last_at = excluded.last_at, right_at = NULL""",
        {
            "connection": connection,
            "now": now,
            "kinds": [kind for kind, _, _ in keys],
            "ids": [own for _, own, _ in keys],
            "codes": [code for _, _, code in keys],
            "prints": [repairs[key] for key in keys],
        },
    )


def cancel_repairs(tx: Tx, connection: str, since: datetime) -> None:
    """Note that the repairs begun since then, but for what was sent again at once, were stopped and changed nothing."""
    which = "connection = %s AND last_at >= %s AND code NOT LIKE 'platform.%%'"
    tx.execute(f"DELETE FROM repair WHERE n = 1 AND {which}", (connection, since))  # noqa: S608 - a constant
    tx.execute(
        f"UPDATE repair SET n = n - 1, last_at = last_at - interval '1 day' WHERE {which}",  # noqa: S608 - a constant
        (connection, since),
    )


def mark_repairs_effective(tx: Tx, connection: str, run: int, now: datetime) -> int:
    """Note the repairs of earlier runs whose records this run looked at and found right; how many."""
    return tx.execute(
        """UPDATE repair r SET right_at = %(now)s
           FROM run t
           WHERE r.connection = %(connection)s AND r.right_at IS NULL
             AND t.connection = r.connection AND t.id = %(run)s AND r.last_at < t.started_at
             AND NOT EXISTS (SELECT FROM finding f WHERE f.connection = r.connection AND f.run = %(run)s
                               AND f.kind = r.kind AND f.id = r.id)
             AND coalesce(
                 (SELECT s.result = 'agreed' FROM suspect s WHERE s.connection = r.connection AND s.run = %(run)s
                    AND s.kind = r.kind AND s.id = r.id),
                 EXISTS (SELECT FROM seen p WHERE p.connection = r.connection AND p.run = %(run)s
                           AND p.side = 'platform' AND p.kind = r.kind AND p.id = r.id)
                 AND EXISTS (SELECT FROM outbox o JOIN seen l ON l.connection = o.connection AND l.run = %(run)s
                               AND l.side = 'store' AND l.kind = o.kind AND l.store = o.store
                               AND l.number::text = split_part(o.subject, ':', 2)
                             WHERE o.connection = r.connection AND o.kind = r.kind AND o.id = r.id
                               AND o.state = 'applied'))""",
        {"connection": connection, "run": run, "now": now},
    )


def prune_repairs(tx: Tx, before: datetime) -> int:
    """Forget repairs that were begun before a time."""
    return tx.execute("DELETE FROM repair WHERE last_at < %s", (before,))
