"""Records of another writer, and those of them that we go on writing: tables stranger and adopted."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from isthmus.db.pool import Row, Tx
from isthmus.identity.foreign_match import Theirs

Key = tuple[str, str]
"""(kind, id) in Ometria's words, with the id that we would give."""

_SAID = {
    "id": "text",
    "number": "bigint",
    "name": "text",
    "who": "bytea",
    "customer": "bigint",
    "currency": "text",
    "gross_mills": "bigint",
    "net_mills": "bigint",
    "is_valid": "boolean",
    "is_variant": "boolean",
    "placed_at": "timestamptz",
}


# Strangers -----------------------------------------------------------------------------------------------------------


def upsert_foreign_records(tx: Tx, connection: str, kind: str, rows: Sequence[Theirs], now: datetime) -> None:
    """Keep what is there and was never sent by us. An adopted one that we have sent stays as it was before."""
    if not rows:
        return
    latest = {row.id: row for row in rows}
    sets = ", ".join(f"{name} = excluded.{name}" for name in _SAID if name != "id")
    tx.execute(
        f"""INSERT INTO stranger AS s (connection, kind, {", ".join(_SAID)}, seen_at)
            SELECT %(connection)s, %(kind)s, r.*, %(now)s FROM unnest({_unnested()}) AS r ({", ".join(_SAID)})
            WHERE NOT EXISTS (SELECT FROM outbox o WHERE o.connection = %(connection)s AND o.kind = %(kind)s
                              AND o.id = r.id AND o.sent IS NOT NULL)
            ORDER BY r.id
            ON CONFLICT (connection, kind, id) DO UPDATE SET {sets}, seen_at = excluded.seen_at""",  # noqa: S608
        {"connection": connection, "kind": kind, "now": now, **_columns([latest[own] for own in sorted(latest)])},
    )
    # What we have taken over says what we say by now: it is still there, and stays as it was before.
    tx.execute(
        """UPDATE stranger SET seen_at = %s WHERE connection = %s AND kind = %s AND id = ANY(%s)""",
        (now, connection, kind, sorted(latest)),
    )


def delete_unseen(tx: Tx, connection: str, kind: str, before: datetime) -> int:
    """Forget those that a whole listing has not shown again, but for adopted ones; how many."""
    return tx.execute(
        """DELETE FROM stranger s WHERE s.connection = %s AND s.kind = %s AND s.seen_at < %s
           AND NOT EXISTS (SELECT FROM adopted a WHERE a.connection = s.connection AND a.kind = s.kind
                           AND a.theirs = s.id)""",
        (connection, kind, before),
    )


def orders_by_number(tx: Tx, connection: str, names: Iterable[str]) -> list[Theirs]:
    """The orders that carry one of these numbers."""
    return tx.fetch_as(
        Theirs,
        f"""SELECT {", ".join(_SAID)} FROM stranger
            WHERE connection = %s AND kind = 'order' AND name = ANY(%s) ORDER BY id""",  # noqa: S608 - constants
        (connection, sorted(set(names))),
    )


def products_by_number(tx: Tx, connection: str, numbers: Iterable[int]) -> list[Theirs]:
    """The products that carry one of these numbers of Shopify's in their ids."""
    return tx.fetch_as(
        Theirs,
        f"""SELECT {", ".join(_SAID)} FROM stranger
            WHERE connection = %s AND kind = 'product' AND number = ANY(%s) ORDER BY id""",  # noqa: S608 - constants
        (connection, sorted(set(numbers))),
    )


# Adopted -------------------------------------------------------------------------------------------------------------


def adopted_ids(tx: Tx, connection: str, keys: Iterable[Key]) -> dict[Key, str]:
    """Of these records those that have another writer's id, with it."""
    wanted = sorted(set(keys))
    rows = tx.fetch_all(
        """SELECT a.kind, a.id, a.theirs FROM adopted a
           JOIN unnest(%s::text[], %s::text[]) AS k (kind, id) ON a.kind = k.kind AND a.id = k.id
           WHERE a.connection = %s""",
        ([kind for kind, _ in wanted], [own for _, own in wanted], connection),
    )
    return {(row["kind"], row["id"]): row["theirs"] for row in rows}


def all_adopted_ids(tx: Tx, connection: str) -> dict[Key, str]:
    """Every adopted record."""
    rows = tx.fetch_all("SELECT kind, id, theirs FROM adopted WHERE connection = %s", (connection,))
    return {(row["kind"], row["id"]): row["theirs"] for row in rows}


def records_never_sent(tx: Tx, connection: str, keys: Iterable[Key]) -> set[Key]:
    """Of these records those that never went out under our own id; their rows stay locked."""
    wanted = sorted(set(keys))
    rows = tx.fetch_all(
        """SELECT o.kind, o.id, o.sent IS NOT NULL AS was_sent FROM outbox o
           JOIN unnest(%s::text[], %s::text[]) AS k (kind, id) ON o.kind = k.kind AND o.id = k.id
           WHERE o.connection = %s ORDER BY o.kind, o.id FOR UPDATE OF o""",
        ([kind for kind, _ in wanted], [own for _, own in wanted], connection),
    )
    return set(wanted) - {(row["kind"], row["id"]) for row in rows if row["was_sent"]}


def adopt_ids(tx: Tx, connection: str, found: Sequence[tuple[Key, str]], now: datetime) -> dict[Key, str]:
    """Give these records the other writer's ids; those that got them. An id is given once.

    What was to be sent of them under our own ids, and never was, is not to be sent any more.
    """
    if not found:
        return {}
    rows = tx.fetch_all(
        """INSERT INTO adopted (connection, kind, id, theirs, at)
           SELECT %s, r.*, %s FROM unnest(%s::text[], %s::text[], %s::text[]) AS r (kind, id, theirs)
           ORDER BY r.kind, r.id ON CONFLICT DO NOTHING RETURNING kind, id, theirs""",
        (connection, now, [k for (k, _), _ in found], [own for (_, own), _ in found], [theirs for _, theirs in found]),
    )
    taken = {(row["kind"], row["id"]): row["theirs"] for row in rows}
    tx.execute(
        """DELETE FROM outbox o USING unnest(%s::text[], %s::text[]) AS k (kind, id)
           WHERE o.connection = %s AND o.kind = k.kind AND o.id = k.id AND o.sent IS NULL""",
        ([kind for kind, _ in taken], [own for _, own in taken], connection),
    )
    return taken


def count_sent(tx: Tx, connection: str) -> int:
    """How many records went out under another writer's ids."""
    return int(
        tx.fetch_value(
            """SELECT count(*) FROM adopted a JOIN outbox o
                 ON o.connection = a.connection AND o.kind = a.kind AND o.id = a.theirs
               WHERE a.connection = %s AND o.sent IS NOT NULL""",
            (connection,),
        )
    )


def release_adopted_ids(tx: Tx, connection: str) -> int:
    """Use none of the other writer's ids any more, before anything went out under them; how many that were."""
    tx.execute(
        """DELETE FROM outbox o USING adopted a WHERE a.connection = %s AND o.connection = a.connection
           AND o.kind = a.kind AND o.id = a.theirs AND o.sent IS NULL""",
        (connection,),
    )
    return tx.execute("DELETE FROM adopted WHERE connection = %s", (connection,))


# Forecast ------------------------------------------------------------------------------------------------------------


class MonthlyRevenue(Struct, frozen=True, kw_only=True):
    """Orders of one month (UTC) and currency, and what counts of them: before, and once everything is sent.

    `n_*` count orders that are valid, sums are in thousandths. kept: theirs alone · adopted: theirs, said by us, with
    `off_mills` more than they said · added: ours, not there before.
    """

    month: str
    currency: str
    n_before: int
    before_mills: int
    n_after: int
    after_mills: int
    n_kept: int
    n_adopted: int
    n_differing: int
    off_mills: int
    n_added: int
    added_mills: int


def monthly_revenue(tx: Tx, connection: str) -> list[MonthlyRevenue]:
    """What Ometria holds of orders and what it will hold, month by month."""
    return tx.fetch_as(MonthlyRevenue, _FORECAST, {"connection": connection})


_FORECAST = """
WITH ours AS (
    SELECT o.id, s.placed_at, s.currency, s.is_valid, s.net_mills FROM outbox o
    JOIN sale s ON s.connection = o.connection AND s.store = o.store AND o.subject = 'order:' || s.id
    WHERE o.connection = %(connection)s AND o.kind = 'order' AND o.state NOT IN ('excluded', 'buried')
), theirs AS (
    SELECT id, placed_at, coalesce(currency, '') AS currency, is_valid, net_mills FROM stranger
    WHERE connection = %(connection)s AND kind = 'order'
), both_sides AS (
    SELECT to_char(coalesce(o.placed_at, t.placed_at) AT TIME ZONE 'UTC', 'YYYY-MM') AS month,
           coalesce(o.currency, t.currency) AS currency,
           t.id IS NOT NULL AS is_there, o.id IS NOT NULL AS is_said,
           CASE WHEN t.is_valid THEN t.net_mills ELSE 0 END AS before,
           CASE WHEN o.is_valid THEN o.net_mills ELSE 0 END AS said,
           coalesce(t.is_valid, false) AS was_valid, coalesce(o.is_valid, false) AS said_valid
    FROM theirs t FULL JOIN ours o ON o.id = t.id
)
SELECT coalesce(month, '') AS month, currency,
       count(*) FILTER (WHERE was_valid) AS n_before,
       coalesce(sum(before), 0)::bigint AS before_mills,
       count(*) FILTER (WHERE CASE WHEN is_said THEN said_valid ELSE was_valid END) AS n_after,
       sum(CASE WHEN is_said THEN said ELSE before END)::bigint AS after_mills,
       count(*) FILTER (WHERE was_valid AND NOT is_said) AS n_kept,
       count(*) FILTER (WHERE is_there AND is_said) AS n_adopted,
       count(*) FILTER (WHERE is_there AND is_said AND (was_valid, before) <> (said_valid, said)) AS n_differing,
       coalesce(sum(said - before) FILTER (WHERE is_there AND is_said), 0)::bigint AS off_mills,
       count(*) FILTER (WHERE said_valid AND NOT is_there) AS n_added,
       coalesce(sum(said) FILTER (WHERE NOT is_there), 0)::bigint AS added_mills
FROM both_sides GROUP BY 1, 2 ORDER BY 2, 1
"""


def count_withheld(tx: Tx, connection: str, reasons: Sequence[str]) -> dict[str, int]:
    """How many orders are not sent for each of these reasons."""
    rows: list[Row] = tx.fetch_all(
        """SELECT excluded, count(*) AS n FROM outbox
           WHERE connection = %s AND kind = 'order' AND state = 'excluded' AND excluded = ANY(%s) GROUP BY 1""",
        (connection, list(reasons)),
    )
    return {row["excluded"]: row["n"] for row in rows}


def count_foreign_records(tx: Tx, connection: str, kind: str) -> int:
    return int(tx.fetch_value("SELECT count(*) FROM stranger WHERE connection = %s AND kind = %s", (connection, kind)))


# -- below: shared by the above ---------------------------------------------------------------------------------------


def _unnested() -> str:
    return ", ".join(f"%({name})s::{kind}[]" for name, kind in _SAID.items())


def _columns(rows: Sequence[Theirs]) -> dict[str, list[Any]]:
    return {name: [getattr(row, name) for row in rows] for name in _SAID}
