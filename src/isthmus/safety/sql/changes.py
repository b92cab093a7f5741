"""The journal of inferred, rule and run changes: counted over time, and read again to put a run back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from isthmus.db.pool import Tx
from isthmus.model.lane import Lane
from isthmus.safety.limits import EXPIRES_AFTER, NET_DAYS, WINDOWS, Recent
from isthmus.safety.sql.plans import Record


class Before(Struct, frozen=True):
    """One platform record as it was desired before a change."""

    kind: str
    id: str
    store: str
    subject: str
    body: bytes | None
    desired: bytes | None
    excluded: str | None
    is_out: bool = False
    """Whether it was ever sent, or may be under way."""


class RecordChange(Struct, frozen=True, kw_only=True):
    """One change of a record of ours: why, by which run, and what it was before (None: gone, or not known)."""

    store: str
    subject: str
    kind: str
    cause: str
    at: datetime
    run: int | None = None
    net_mills: int = 0
    is_counted: bool = True
    body: bytes | None = None
    hash: bytes | None = None
    was_gone: bool = False
    after_hash: bytes | None = None
    sale: bytes | None = None
    """Of an order: what it was worth before."""
    id: int = 0


class ChangedWrite(Struct, frozen=True, kw_only=True):
    """One platform record of a change: what was desired before, and the hash of what was desired after."""

    change: int
    kind: str
    id: str
    body: bytes | None
    desired: bytes | None
    excluded: str | None
    is_new: bool
    after: bytes | None


# Count ---------------------------------------------------------------------------------------------------------------


def lock_connection(tx: Tx, connection: str) -> None:
    """Judge one at a time per connection, so that two processes do not each use what is left of a limit."""
    tx.execute("SELECT pg_advisory_xact_lock(hashtext('isthmus blast radius'), hashtext(%s))", (connection,))


def recent_changes(
    tx: Tx, connection: str, store: str, kind: str, cause: str, now: datetime, but_plan: int | None = None
) -> tuple[Recent, Recent]:
    """What changed by this cause within the last 24 hours and 7 days, and what plans that were carried out let go and
    nobody has worked on yet, as far as it is not in the plan `but_plan`.
    """
    found = []
    for span in WINDOWS:
        row = tx.fetch_one(
            """WITH gone AS (
                   SELECT subject, net_mills FROM record_change
                   WHERE connection = %(connection)s AND store = %(store)s AND kind = %(kind)s AND cause = %(cause)s
                     AND is_counted AND at > %(since)s
               ), going AS (
                   SELECT DISTINCT i.subject, i.net_mills FROM plan p
                   JOIN plan_item i ON i.connection = p.connection AND i.plan = p.id
                   WHERE p.connection = %(connection)s AND p.state = 'carried_out'
                     AND coalesce(p.decided_at, p.judged_at) > %(released)s
                     AND i.store = %(store)s AND i.kind = %(kind)s AND i.cause = %(cause)s AND i.cause <> 'merge'
                     AND i.state = 'released'
                     AND NOT EXISTS (SELECT FROM gone g WHERE g.subject = i.subject)
                     AND NOT EXISTS (SELECT FROM plan_item o WHERE o.connection = i.connection AND o.plan = %(but)s
                                     AND o.store = i.store AND o.subject = i.subject)
               )
               SELECT count(DISTINCT subject) AS n, coalesce(sum(net_mills), 0)::bigint AS net
               FROM (SELECT * FROM gone UNION ALL SELECT * FROM going) AS both_of_them""",
            {
                "connection": connection,
                "store": store,
                "kind": kind,
                "cause": cause,
                "since": now - span,
                "released": now - EXPIRES_AFTER,
                "but": but_plan,
            },
        )
        assert row is not None  # noqa: S101 - an aggregate has a row
        found.append(Recent(row["n"], row["net"]))
    return found[0], found[1]


def count_sent(tx: Tx, connection: str, store: str, kind: str) -> int:
    """How many records of this kind of a store were ever sent; a product counts once, with all its variants."""
    return int(
        tx.fetch_value(
            """SELECT count(DISTINCT subject) FROM outbox
               WHERE connection = %s AND kind = %s AND store = %s AND sent IS NOT NULL""",
            (connection, "contact" if kind == "customer" else kind, store),
        )
        or 0
    )


def filter_sent(tx: Tx, connection: str, records: Sequence[Record]) -> set[Record]:
    """Which of these records were ever sent: only their changes reach anybody."""
    rows = tx.fetch_all(
        """SELECT DISTINCT o.store, o.subject FROM outbox o
           JOIN unnest(%s::text[], %s::text[]) AS r (store, subject) ON o.store = r.store AND o.subject = r.subject
           WHERE o.connection = %s AND o.kind <> 'moment' AND o.sent IS NOT NULL""",
        ([store for store, _ in records], [subject for _, subject in records], connection),
    )
    return {(row["store"], row["subject"]) for row in rows}


def filter_opted_in(tx: Tx, connection: str, records: Sequence[Record]) -> set[Record]:
    """Of these customers those who are sent as opted in on any channel."""
    rows = tx.fetch_all(
        """SELECT DISTINCT o.store, o.subject FROM outbox o
           JOIN unnest(%s::text[], %s::text[]) AS r (store, subject) ON o.store = r.store AND o.subject = r.subject
           WHERE o.connection = %s AND o.kind IN ('contact', 'sms') AND (o.opts_in OR o.sms_address IS NOT NULL)""",
        ([store for store, _ in records], [subject for _, subject in records], connection),
    )
    return {(row["store"], row["subject"]) for row in rows}


def net_of_orders(tx: Tx, connection: str, records: Sequence[Record]) -> dict[Record, int]:
    """What the valid orders among these hold, in thousandths."""
    orders = [(store, int(subject[6:])) for store, subject in records if subject.startswith("order:")]
    rows = tx.fetch_all(
        """SELECT s.store, s.id, s.net_mills FROM sale s
           JOIN unnest(%s::text[], %s::bigint[]) AS r (store, id) ON s.store = r.store AND s.id = r.id
           WHERE s.connection = %s AND s.is_valid""",
        ([store for store, _ in orders], [number for _, number in orders], connection),
    )
    return {(row["store"], f"order:{row['id']}"): row["net_mills"] for row in rows}


def net_of_store(tx: Tx, connection: str, store: str, now: datetime) -> tuple[int, str | None]:
    """A store's net of the last 90 days in thousandths, and its currency."""
    row = tx.fetch_one(
        """SELECT coalesce(sum(net_mills), 0)::bigint AS net, max(currency) AS currency FROM sale
           WHERE connection = %s AND store = %s AND is_valid AND placed_at > %s""",
        (connection, store, now - NET_DAYS),
    )
    return (row["net"], row["currency"]) if row else (0, None)


# Journal -------------------------------------------------------------------------------------------------------------


def outbox_rows_of(tx: Tx, connection: str, records: Sequence[Record]) -> list[Before]:
    """What Ometria is to say of these records now; of a moment nothing."""
    return tx.fetch_as(
        Before,
        """SELECT o.kind, o.id, o.store, o.subject, o.body, o.desired, o.excluded,
                  o.sent IS NOT NULL OR o.state IN ('leased', 'accepted', 'held') AS is_out
           FROM outbox o
           JOIN unnest(%s::text[], %s::text[]) AS r (store, subject) ON o.store = r.store AND o.subject = r.subject
           WHERE o.connection = %s AND o.kind <> 'moment' ORDER BY o.kind, o.id""",
        ([store for store, _ in records], [subject for _, subject in records], connection),
    )


def insert_changes(tx: Tx, connection: str, changes: Sequence[RecordChange]) -> list[int]:
    """Write changes down; their numbers, in their order."""
    return [
        tx.fetch_value(
            """INSERT INTO record_change (connection, run, store, subject, kind, cause, at, net_mills, is_counted, body,
                                          hash, was_gone, after_hash, sale)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id""",
            (
                connection,
                one.run,
                one.store,
                one.subject,
                one.kind,
                one.cause,
                one.at,
                one.net_mills,
                one.is_counted,
                one.body,
                one.hash,
                one.was_gone,
                one.after_hash,
                one.sale,
            ),
        )
        for one in changes
    ]


def insert_earlier_writes(tx: Tx, connection: str, writes: Sequence[ChangedWrite]) -> None:
    """What Ometria was to say before these changes."""
    tx.execute_many(
        """INSERT INTO record_change_write (connection, change, kind, id, body, desired, excluded, is_new, after)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [(connection, w.change, w.kind, w.id, w.body, w.desired, w.excluded, w.is_new, w.after) for w in writes],
    )


def changes_of_run(tx: Tx, connection: str, run: int, after: Record, limit: int) -> list[RecordChange]:
    """What a run changed and nobody has put back, of up to `limit` records behind `after`; a record's oldest first."""
    return tx.fetch_as(
        RecordChange,
        """WITH page AS (
               SELECT DISTINCT store, subject FROM record_change
               WHERE connection = %(connection)s AND run = %(run)s AND undone_at IS NULL
                 AND (store, subject) > (%(store)s, %(subject)s)
               ORDER BY store, subject LIMIT %(limit)s)
           SELECT c.id, c.run, c.store, c.subject, c.kind, c.cause, c.at, c.net_mills, c.is_counted, c.body, c.hash,
                  c.was_gone, c.after_hash, c.sale
           FROM page p JOIN record_change c ON c.connection = %(connection)s AND c.run = %(run)s
                AND c.undone_at IS NULL AND c.store = p.store AND c.subject = p.subject
           ORDER BY c.store, c.subject, c.id""",
        {
            "connection": connection,
            "run": run,
            "store": after[0],
            "subject": after[1],
            "limit": limit,
        },
    )


class PutBack(Struct, frozen=True):
    """One platform record as it was desired before."""

    kind: str
    id: str
    body: bytes | None
    desired: bytes | None
    excluded: str | None


def restore_desired(tx: Tx, connection: str, writes: Sequence[PutBack], now: datetime) -> int:
    """Desire of these platform records what was desired before, on the repair lane; how many changed."""
    return tx.execute(
        """WITH back AS (
               SELECT o.connection, o.kind, o.id, b.body, b.desired, b.excluded FROM outbox o
               JOIN unnest(%(kinds)s::text[], %(ids)s::text[], %(bodies)s::bytea[], %(desired)s::bytea[],
                           %(excluded)s::text[]) AS b (kind, id, body, desired, excluded)
                 ON o.kind = b.kind AND o.id = b.id
               WHERE o.connection = %(connection)s AND o.kind <> 'moment'
                 AND (o.desired, o.excluded) IS DISTINCT FROM (b.desired, b.excluded)
               ORDER BY o.kind, o.id FOR UPDATE OF o)
           UPDATE outbox o SET
               body = b.body, desired = b.desired, excluded = b.excluded, case_code = NULL, batch_max = 100, doubts = 0,
               lane = CASE WHEN o.state = 'due' THEN least(o.lane, %(lane)s) ELSE %(lane)s END,
               since = CASE WHEN o.state IN ('due', 'leased') THEN o.since ELSE %(now)s END,
               due_at = CASE WHEN o.state = 'due' THEN least(o.due_at, %(now)s) ELSE %(now)s END,
               claim = CASE WHEN b.desired IS NOT NULL THEN o.claim END,
               leased_until = CASE WHEN b.desired IS NOT NULL THEN o.leased_until END,
               state = CASE
                   WHEN b.excluded IS NOT NULL THEN 'excluded'
                   WHEN o.state = 'leased' THEN 'leased'
                   WHEN o.state = 'accepted' AND b.desired = o.sent THEN 'accepted'
                   WHEN o.is_known AND b.desired = o.settled THEN 'applied'
                   ELSE 'due' END
           FROM back b WHERE o.connection = b.connection AND o.kind = b.kind AND o.id = b.id""",
        {
            "connection": connection,
            "now": now,
            "lane": Lane.REPAIR.rank,
            "kinds": [w.kind for w in writes],
            "ids": [w.id for w in writes],
            "bodies": [w.body for w in writes],
            "desired": [w.desired for w in writes],
            "excluded": [w.excluded for w in writes],
        },
    )


def order_totals_of(tx: Tx, connection: str, records: Sequence[Record]) -> dict[Record, bytes]:
    """What these orders are worth now, each as one JSON text."""
    orders = [(store, int(subject[6:])) for store, subject in records if subject.startswith("order:")]
    if not orders:
        return {}
    rows = tx.fetch_all(
        """SELECT s.store, s.id, convert_to(to_jsonb(s)::text, 'UTF8') AS sale FROM sale s
           JOIN unnest(%s::text[], %s::bigint[]) AS r (store, id) ON s.store = r.store AND s.id = r.id
           WHERE s.connection = %s""",
        ([store for store, _ in orders], [number for _, number in orders], connection),
    )
    return {(row["store"], f"order:{row['id']}"): row["sale"] for row in rows}


def restore_order_totals(tx: Tx, connection: str, sales: Sequence[bytes]) -> None:
    """These orders are worth again what they were."""
    if not sales:
        return
    tx.execute(
        """WITH back AS (
               SELECT (jsonb_populate_record(NULL::sale, convert_from(x, 'UTF8')::jsonb)).*
               FROM unnest(%(sales)s::bytea[]) AS s (x)),
           gone AS (
               DELETE FROM sale USING back WHERE sale.connection = %(connection)s AND sale.store = back.store
                 AND sale.id = back.id)
           SELECT 1""",
        {"connection": connection, "sales": list(sales)},
    )
    tx.execute(
        """INSERT INTO sale SELECT (jsonb_populate_record(NULL::sale, convert_from(x, 'UTF8')::jsonb)).*
           FROM unnest(%(sales)s::bytea[]) AS s (x)""",
        {"sales": list(sales)},
    )


def writes_of_changes(tx: Tx, connection: str, changes: Sequence[int]) -> list[ChangedWrite]:
    """The Ometria records of these changes."""
    return tx.fetch_as(
        ChangedWrite,
        """SELECT change, kind, id, body, desired, excluded, is_new, after FROM record_change_write
           WHERE connection = %s AND change = ANY(%s) ORDER BY change, kind, id""",
        (connection, list(changes)),
    )


def mark_undone(tx: Tx, connection: str, changes: Sequence[int], now: datetime) -> None:
    """These changes were put back; they count towards no limit any more."""
    tx.execute(
        "UPDATE record_change SET undone_at = %s, is_counted = false WHERE connection = %s AND id = ANY(%s)",
        (now, connection, list(changes)),
    )


def prune_changes(tx: Tx, before: datetime, limit: int) -> int:
    """Forget changes and plans from before a time; how many rows, fewer than `limit` when none are left."""
    n: int = tx.fetch_value(
        """WITH old AS (
               DELETE FROM record_change WHERE ctid = ANY(ARRAY(
                   SELECT ctid FROM record_change WHERE at < %s LIMIT %s)) RETURNING connection, id),
           written AS (
               DELETE FROM record_change_write w USING old WHERE w.connection = old.connection AND w.change = old.id)
           SELECT count(*) FROM old""",
        (before, limit),
    )
    if n < limit:
        tx.execute(
            """WITH old AS (DELETE FROM plan WHERE started_at < %s AND state NOT IN ('gathering', 'stopped', 'expired')
                            RETURNING connection, id)
               DELETE FROM plan_item i USING old WHERE i.connection = old.connection AND i.plan = old.id""",
            (before,),
        )
    return n


def find_runs(tx: Tx, run: int) -> list[dict[str, Any]]:
    """Which connections have a run of this number, what it was and how it stands."""
    return tx.fetch_all("SELECT connection, id, what, state, started_at FROM run WHERE id = %s", (run,))
