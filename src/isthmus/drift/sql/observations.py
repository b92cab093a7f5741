"""What runs saw, and who is suspected, in the database: tables seen and suspect."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from psycopg.types.json import Jsonb

from isthmus.db.pool import Row, Tx


class Observation(Struct, frozen=True, kw_only=True):
    """What one side said of one record; the columns are told of in the migration. Sums are in thousandths."""

    kind: str
    id: str
    at: datetime
    store: str | None = None
    number: int | None = None
    version: datetime | None = None
    against: bytes | None = None
    path: str | None = None
    says: Mapping[str, Any] | None = None
    name: str | None = None
    currency: str | None = None
    gross_mills: int | None = None
    refunded_mills: int | None = None
    net_mills: int | None = None
    status: str | None = None
    is_valid: bool | None = None
    is_test: bool = False
    placed_at: datetime | None = None
    seller: str | None = None
    writer: str | None = None
    would_opt_in: bool = False
    before: bytes | None = None
    """Of a platform record that differs: all of it as it was there, in the fields that we send, packed."""


_SEEN = {
    "kind": "text",
    "id": "text",
    "at": "timestamptz",
    "store": "text",
    "number": "bigint",
    "version": "timestamptz",
    "against": "bytea",
    "path": "text",
    "says": "jsonb",
    "name": "text",
    "currency": "text",
    "gross_mills": "bigint",
    "refunded_mills": "bigint",
    "net_mills": "bigint",
    "status": "text",
    "is_valid": "boolean",
    "is_test": "boolean",
    "placed_at": "timestamptz",
    "seller": "text",
    "writer": "text",
    "would_opt_in": "boolean",
    "before": "bytea",
}

# See -----------------------------------------------------------------------------------------------------------------


def insert_observations(tx: Tx, connection: str, run: int, side: str, rows: Sequence[Observation]) -> None:
    """Keep what a side says of these records; what was said before in this run is overwritten."""
    if not rows:
        return
    latest = {(row.kind, row.id): row for row in rows}
    ordered = [latest[key] for key in sorted(latest)]
    sets = ", ".join(f"{name} = excluded.{name}" for name in _SEEN if name not in ("kind", "id"))
    tx.execute(
        f"""INSERT INTO seen (connection, run, side, {", ".join(_SEEN)})
            SELECT %(connection)s, %(run)s, %(side)s, r.* FROM unnest({unnested(_SEEN)}) AS r
            ON CONFLICT (connection, run, side, kind, id) DO UPDATE SET {sets}""",  # noqa: S608 - constants
        {"connection": connection, "run": run, "side": side, **columns_of(_SEEN, ordered)},
    )


def read_observations(
    tx: Tx, connection: str, run: int, side: str, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Observation]:
    """What a side said of these records (kind, id), where it said anything."""
    rows = tx.fetch_all(
        f"""SELECT {", ".join(f"s.{name}" for name in _SEEN)} FROM seen s
            JOIN unnest(%s::text[], %s::text[]) AS k (kind, id) ON s.kind = k.kind AND s.id = k.id
            WHERE s.connection = %s AND s.run = %s AND s.side = %s""",  # noqa: S608 - constants
        ([kind for kind, _ in keys], [own for _, own in keys], connection, run, side),
    )
    return {(row["kind"], row["id"]): Observation(**row) for row in rows}


# Suspect -------------------------------------------------------------------------------------------------------------

KINDS = {"customer": "contact", "order": "order", "product": "product"}
"""What a store's kind of record is in Ometria."""


def add_mismatched(tx: Tx, connection: str, run: int) -> None:
    """Records where a reading said something else than we, or told of something that we do not know."""
    tx.execute(
        """INSERT INTO suspect (connection, run, kind, id)
           SELECT DISTINCT connection, run, kind, id FROM seen
           WHERE connection = %s AND run = %s AND path IS NOT NULL ON CONFLICT DO NOTHING""",
        (connection, run),
    )


def add_unlisted(
    tx: Tx,
    connection: str,
    run: int,
    kind: str,
    store: str,
    namespace: str,
    before: datetime,
    placed_after: datetime | None = None,
) -> None:
    """Records known since before the run began that their store did not list; orders placed after that day only."""
    tx.execute(
        """INSERT INTO suspect (connection, run, kind, id)
           SELECT %(connection)s, %(run)s, %(kind)s, %(namespace)s || r.id FROM record r
           WHERE r.connection = %(connection)s AND r.kind = %(theirs)s AND r.store = %(store)s
             AND r.body IS NOT NULL AND r.changed_at < %(before)s
             AND (%(placed_after)s::timestamptz IS NULL OR r.placed_at > %(placed_after)s)
             AND NOT EXISTS (SELECT FROM seen s WHERE s.connection = %(connection)s AND s.run = %(run)s
                             AND s.side = 'store' AND s.kind = %(kind)s AND s.id = %(namespace)s || r.id)
           ON CONFLICT DO NOTHING""",
        {
            "connection": connection,
            "run": run,
            "kind": KINDS[kind],
            "theirs": kind,
            "store": store,
            "namespace": namespace,
            "before": before,
            "placed_after": placed_after,
        },
    )


def count_out_of_sight(tx: Tx, connection: str, run: int, store: str, namespace: str, placed_by: datetime) -> int:
    """How many orders that we know, placed by that day, their store did not list."""
    n: int = tx.fetch_value(
        """SELECT count(*) FROM record r
           WHERE r.connection = %(connection)s AND r.kind = 'order' AND r.store = %(store)s AND r.body IS NOT NULL
             AND r.placed_at <= %(placed_by)s
             AND NOT EXISTS (SELECT FROM seen s WHERE s.connection = %(connection)s AND s.run = %(run)s
                             AND s.side = 'store' AND s.kind = 'order' AND s.id = %(namespace)s || r.id)""",
        {"connection": connection, "run": run, "store": store, "namespace": namespace, "placed_by": placed_by},
    )
    return n


def add_absent(
    tx: Tx, connection: str, run: int, kind: str, stores: Sequence[str], since: datetime | None, limit: int | None
) -> None:
    """Writes believed to be there, or given up, that Ometria did not list; since then only, where it is given."""
    tx.execute(
        """INSERT INTO suspect (connection, run, kind, id)
           SELECT o.connection, %(run)s, o.kind, o.id FROM outbox o
           WHERE o.connection = %(connection)s AND o.kind = %(kind)s AND o.state IN ('applied', 'buried')
             AND o.store = ANY(%(stores)s)
             AND (%(since)s::timestamptz IS NULL OR o.settled_at >= %(since)s::timestamptz)
             AND NOT EXISTS (SELECT FROM seen s WHERE s.connection = o.connection AND s.run = %(run)s
                             AND s.side = 'platform' AND s.kind = o.kind AND s.id = o.id)
           ORDER BY o.id LIMIT %(limit)s
           ON CONFLICT DO NOTHING""",
        {"connection": connection, "run": run, "kind": kind, "stores": list(stores), "since": since, "limit": limit},
    )


def add_unexpected(
    tx: Tx, connection: str, run: int, kind: str, namespaces: Mapping[str, str], theirs: Sequence[str]
) -> None:
    """Records that are there though we exclude them or gave them up, and those under an id their store gives no more.

    `namespaces` are the stores' present ones. An adopted id is as good as ours, and what was never sent since another
    writer has it, for one of the reasons `theirs`, is that writer's.
    """
    tx.execute(
        """INSERT INTO suspect (connection, run, kind, id)
           SELECT o.connection, s.run, o.kind, o.id FROM seen s
           JOIN outbox o ON o.connection = s.connection AND o.kind = s.kind AND o.id = s.id
           LEFT JOIN unnest(%(stores)s::text[], %(namespaces)s::text[]) AS n (store, namespace) ON n.store = o.store
           WHERE s.connection = %(connection)s AND s.run = %(run)s AND s.side = 'platform' AND s.kind = %(kind)s
             AND (o.state = 'buried' OR (o.state = 'excluded' AND NOT (o.excluded = ANY(%(theirs)s) AND o.sent IS NULL))
                  OR ((n.store IS NULL OR NOT starts_with(o.id, n.namespace))
                      AND NOT EXISTS (SELECT FROM adopted a WHERE a.connection = o.connection AND a.kind = o.kind
                                      AND a.theirs = o.id)))
           ON CONFLICT DO NOTHING""",
        {
            "connection": connection,
            "run": run,
            "kind": kind,
            "stores": list(namespaces),
            "namespaces": list(namespaces.values()),
            "theirs": list(theirs),
        },
    )


def next_candidates(tx: Tx, connection: str, run: int, after: tuple[str, str], limit: int) -> list[tuple[str, str]]:
    """The next suspects (kind, id) behind `after`, in their order."""
    rows = tx.fetch_all(
        """SELECT kind, id FROM suspect WHERE connection = %s AND run = %s AND (kind, id) > (%s, %s)
             AND result IS DISTINCT FROM 'out of sight' ORDER BY kind, id LIMIT %s""",
        (connection, run, *after, limit),
    )
    return [(row["kind"], row["id"]) for row in rows]


def count_candidates(tx: Tx, connection: str, run: int) -> int:
    return int(
        tx.fetch_value(
            """SELECT count(*) FROM suspect
               WHERE connection = %s AND run = %s AND result IS DISTINCT FROM 'out of sight'""",
            (connection, run),
        )
    )


# What is known of a suspect -------------------------------------------------------------------------------------------


class OutboxRow(Struct, frozen=True):
    """A platform record as the outbox has it; `body` is packed."""

    kind: str
    id: str
    store: str
    subject: str | None
    state: str
    excluded: str | None
    case_code: str | None
    desired: bytes | None
    settled_at: datetime | None
    since: datetime
    lane: int
    is_adopted: bool
    body: bytes | None
    request_id: str | None = None


def outbox_rows(tx: Tx, connection: str, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], OutboxRow]:
    """The outbox's rows of these records (kind, id)."""
    rows = tx.fetch_as(
        OutboxRow,
        """SELECT o.kind, o.id, o.store, o.subject, o.state, o.excluded, o.case_code, o.desired, o.settled_at, o.since,
                  o.lane, a.theirs IS NOT NULL AS is_adopted, o.body, o.request_id
           FROM outbox o JOIN unnest(%s::text[], %s::text[]) AS k (kind, id) ON o.kind = k.kind AND o.id = k.id
           LEFT JOIN adopted a ON a.connection = o.connection AND a.kind = o.kind AND a.theirs = o.id
           WHERE o.connection = %s""",
        ([kind for kind, _ in keys], [own for _, own in keys], connection),
    )
    return {(row.kind, row.id): row for row in rows}


def outbox_rows_of_subjects(
    tx: Tx, connection: str, store: str, subjects: Sequence[str]
) -> dict[tuple[str, str], OutboxRow]:
    """The outbox's rows of a store's records (order:123), as this transaction sees them; no moments."""
    rows = tx.fetch_as(
        OutboxRow,
        """SELECT kind, id, store, subject, state, excluded, case_code, desired, settled_at, since, lane,
                  false AS is_adopted, body
           FROM outbox WHERE connection = %s AND store = %s AND subject = ANY(%s) AND kind <> 'moment'""",
        (connection, store, list(subjects)),
    )
    return {(row.kind, row.id): row for row in rows}


def count_outbox_rows(tx: Tx, connection: str, kind: str) -> int:
    """How many records of a kind should be there, as far as we know."""
    return int(
        tx.fetch_value(
            "SELECT count(*) FROM outbox WHERE connection = %s AND kind = %s AND state = 'applied'", (connection, kind)
        )
    )


def pending_subjects(tx: Tx, connection: str, subjects: Sequence[tuple[str, str]]) -> dict[tuple[str, str], datetime]:
    """Of these (store, subject) those about which an event waits, and since when the oldest does."""
    rows = tx.fetch_all(
        """SELECT e.store, e.subject, min(e.received_at) AS at FROM event e
           JOIN unnest(%s::text[], %s::text[]) AS k (store, subject) ON e.subject = k.subject AND e.store = k.store
           WHERE e.connection = %s AND e.state = 'waiting' GROUP BY 1, 2""",
        ([store for store, _ in subjects], [subject for _, subject in subjects], connection),
    )
    return {(row["store"], row["subject"]): row["at"] for row in rows}


def open_case_codes(tx: Tx, connection: str, subjects: Sequence[str]) -> dict[tuple[str, str], list[str]]:
    """The codes of open cases about these subjects, by (store, subject); the store is "" where a case names none."""
    rows = tx.fetch_all(
        """SELECT store, subject, array_agg(code ORDER BY code) AS codes FROM cases
           WHERE connection = %s AND state = 'open' AND subject = ANY(%s) GROUP BY store, subject""",
        (connection, list(subjects)),
    )
    return {(row["store"], row["subject"]): row["codes"] for row in rows}


def orders_with_same_number(tx: Tx, connection: str, run: int, ids: Sequence[str]) -> dict[str, str]:
    """Of these platform orders those that carry the number of an order of ours, with our id of it."""
    if not ids:
        return {}
    rows = tx.fetch_all(
        """SELECT s.id, min(o.id) AS ours FROM seen s
           JOIN seen o ON o.connection = s.connection AND o.run = s.run AND o.side = s.side AND o.kind = s.kind
             AND o.name = s.name AND o.store IS NOT NULL
             AND (s.seller IS NULL OR o.seller IS NULL OR s.seller = o.seller)
           WHERE s.connection = %s AND s.run = %s AND s.side = 'platform' AND s.kind = 'order' AND s.id = ANY(%s)
           GROUP BY s.id""",
        (connection, run, list(ids)),
    )
    return {row["id"]: row["ours"] for row in rows}


def foreign_records(tx: Tx, connection: str, run: int, kind: str, since: datetime | None) -> list[Row]:
    """Records there that nobody of us knows and whose ids are none of ours, in two groups: the same orders as ours
    under another id (`is_twin`), and the rest. Each with n, some ids and the sum of net revenue by currency.
    With `since` no orders placed before it.
    """
    return tx.fetch_all(
        """WITH strange AS (
               SELECT s.id, s.currency, CASE WHEN s.is_valid THEN s.net_mills ELSE 0 END AS net_mills,
                      EXISTS (SELECT FROM seen o WHERE o.connection = s.connection AND o.run = s.run
                              AND o.side = s.side AND o.kind = s.kind AND o.name = s.name AND o.store IS NOT NULL
                              AND (s.seller IS NULL OR o.seller IS NULL OR s.seller = o.seller)) AS is_twin
               FROM seen s WHERE s.connection = %s AND s.run = %s AND s.side = 'platform' AND s.kind = %s
                 AND s.store IS NULL AND s.path IS NULL
                 AND (%s::timestamptz IS NULL OR s.placed_at IS NULL OR s.placed_at >= %s::timestamptz))
           SELECT is_twin, currency, count(*) AS n, sum(net_mills)::bigint AS net_mills,
                  (array_agg(id ORDER BY id))[1:5] AS examples
           FROM strange GROUP BY is_twin, currency ORDER BY is_twin, n DESC, currency""",
        (connection, run, kind, since, since),
    )


# Forget --------------------------------------------------------------------------------------------------------------


def prune_observations(tx: Tx, connection: str, before: int, keep: Sequence[int], limit: int) -> int:
    """Drop what runs older than `before` saw, but for those to `keep`; how many rows, fewer than `limit` at the end."""
    n = 0
    for table in ("seen", "suspect"):
        n += tx.execute(
            f"""DELETE FROM {table} WHERE ctid = ANY(ARRAY(
                    SELECT ctid FROM {table} WHERE connection = %s AND run < %s AND NOT run = ANY(%s) LIMIT %s))""",  # noqa: S608
            (connection, before, list(keep), limit),
        )
    return n


# Many rows at a time ----------------------------------------------------------------------------------------


def unnested(columns: Mapping[str, str]) -> str:
    """The arguments of an unnest that makes rows of columns again: name and type of each."""
    return ", ".join(f"%({name})s::{kind}[]" for name, kind in columns.items())


def columns_of(columns: Mapping[str, str], rows: Sequence[Struct]) -> dict[str, list[Any]]:
    """The rows' values by column."""
    return {
        name: [
            Jsonb(value) if kind == "jsonb" and (value := getattr(row, name)) is not None else getattr(row, name)
            for row in rows
        ]
        for name, kind in columns.items()
    }
