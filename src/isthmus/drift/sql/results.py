"""What a run came to about each record, in the database: the column result of the table suspect, and its sums."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.db.pool import Tx
from isthmus.model.basis import NotJudgedReason

AGREED = "agreed"
DIFFERS = "differs"
MOVING = ("due", "leased", "accepted", "held")


class ResultCount(Struct, frozen=True):
    """So many records of a kind of a store came to one result: agreed, differs, or the reason why not judged."""

    kind: str
    store: str
    result: str
    n: int


def save_results(tx: Tx, connection: str, run: int, results: Mapping[tuple[str, str], str]) -> None:
    """Note what came of these records (kind, id)."""
    if not results:
        return
    keys = sorted(results)
    tx.execute(
        """INSERT INTO suspect (connection, run, kind, id, result)
           SELECT %s, %s, r.* FROM unnest(%s::text[], %s::text[], %s::text[]) AS r
           ON CONFLICT (connection, run, kind, id) DO UPDATE SET result = excluded.result""",
        (connection, run, [kind for kind, _ in keys], [own for _, own in keys], [results[key] for key in keys]),
    )


def add_in_flight_candidates(
    tx: Tx, connection: str, run: int, kinds: Sequence[str], stores: Sequence[str], since: datetime | None, limit: int
) -> None:
    """Records that are on their way: they may be judged when the grace period is over."""
    tx.execute(
        """INSERT INTO suspect (connection, run, kind, id)
           SELECT o.connection, %(run)s, o.kind, o.id FROM outbox o
           WHERE o.connection = %(connection)s AND o.kind = ANY(%(kinds)s) AND o.store = ANY(%(stores)s)
             AND o.state = ANY(%(moving)s) AND (%(since)s::timestamptz IS NULL OR o.since >= %(since)s::timestamptz)
           ORDER BY o.since DESC LIMIT %(limit)s
           ON CONFLICT DO NOTHING""",
        {
            "connection": connection,
            "run": run,
            "kinds": list(kinds),
            "stores": list(stores),
            "moving": list(MOVING),
            "since": since,
            "limit": limit,
        },
    )


def add_candidates(tx: Tx, connection: str, run: int, kind: str, ids: Sequence[str]) -> None:
    """These records are to be judged one by one."""
    if ids:
        tx.execute(
            """INSERT INTO suspect (connection, run, kind, id) SELECT %s, %s, %s, unnest(%s::text[])
               ON CONFLICT DO NOTHING""",
            (connection, run, kind, list(ids)),
        )


def profiles_to_recheck(tx: Tx, connection: str, codes: Sequence[str], limit: int) -> list[str]:
    """Ometria's people of whom something is under way, or an open case with one of these codes speaks."""
    rows = tx.fetch_all(
        """SELECT id FROM profile WHERE connection = %(connection)s AND look_at IS NOT NULL
           UNION
           SELECT p.id FROM cases c
           JOIN link l ON l.connection = c.connection AND l.store = c.store
             AND l.customer_id::text = split_part(c.subject, ':', 2)
           JOIN profile p ON p.connection = l.connection AND p.email = l.email
           WHERE c.connection = %(connection)s AND c.state = 'open' AND c.code = ANY(%(codes)s)
             AND c.subject LIKE 'customer:%%'
           LIMIT %(limit)s""",
        {"connection": connection, "codes": list(codes), "limit": limit},
    )
    return sorted(row["id"] for row in rows)


def contacts_awaiting_store_update(tx: Tx, connection: str, stores: Sequence[str], limit: int) -> set[str]:
    """Contacts of whose customer the shop is yet to say something else by email."""
    rows = tx.fetch_all(
        """SELECT o.id FROM consent_write w
           JOIN outbox o ON o.connection = w.connection AND o.kind = 'contact' AND o.store = w.store
             AND o.subject = 'customer:' || w.customer_id
           WHERE w.connection = %s AND w.store = ANY(%s) AND w.channel = 'email' ORDER BY w.since LIMIT %s""",
        (connection, list(stores), limit),
    )
    return {row["id"] for row in rows}


def save_out_of_sight(tx: Tx, connection: str, run: int, store: str, namespace: str, placed_by: datetime) -> None:
    """Orders placed by that day that their store did not list, and of which nothing else is doubtful."""
    tx.execute(
        """INSERT INTO suspect (connection, run, kind, id, result)
           SELECT r.connection, %(run)s, 'order', %(namespace)s || r.id, 'out of sight' FROM record r
           JOIN outbox o ON o.connection = r.connection AND o.kind = 'order' AND o.id = %(namespace)s || r.id
             AND o.state <> 'excluded'
           WHERE r.connection = %(connection)s AND r.kind = 'order' AND r.store = %(store)s AND r.body IS NOT NULL
             AND r.placed_at <= %(placed_by)s
             AND NOT EXISTS (SELECT FROM seen s WHERE s.connection = %(connection)s AND s.run = %(run)s
                             AND s.side = 'store' AND s.kind = 'order' AND s.id = %(namespace)s || r.id)
           ON CONFLICT DO NOTHING""",
        {"connection": connection, "run": run, "store": store, "namespace": namespace, "placed_by": placed_by},
    )


def add_half_listed_candidates(tx: Tx, connection: str, run: int, kind: str, stores: Sequence[str], limit: int) -> None:
    """Records believed to be there that one side listed in this run and the other did not."""
    tx.execute(
        """INSERT INTO suspect (connection, run, kind, id)
           SELECT DISTINCT o.connection, %(run)s, o.kind, o.id FROM outbox o
           WHERE o.connection = %(connection)s AND o.kind = %(kind)s AND o.store = ANY(%(stores)s)
             AND o.state = 'applied'
             AND EXISTS (SELECT FROM seen s WHERE s.connection = o.connection AND s.run = %(run)s AND s.kind = o.kind
                           AND s.side IN ('store', 'platform') AND (s.id = o.id OR (s.side = 'store'
                           AND s.store = o.store AND s.number::text = split_part(o.subject, ':', 2))))
             AND NOT (EXISTS (SELECT FROM seen s WHERE s.connection = o.connection AND s.run = %(run)s
                                AND s.side = 'platform' AND s.kind = o.kind AND s.id = o.id)
                      AND EXISTS (SELECT FROM seen s WHERE s.connection = o.connection AND s.run = %(run)s
                                AND s.side = 'store' AND s.kind = o.kind AND s.store = o.store
                                AND s.number::text = split_part(o.subject, ':', 2)))
           LIMIT %(limit)s
           ON CONFLICT DO NOTHING""",
        {"connection": connection, "run": run, "kind": kind, "stores": list(stores), "limit": limit},
    )


def records_not_judged(
    tx: Tx, connection: str, run: int, reasons: Sequence[NotJudgedReason], after: tuple[str, str], limit: int
) -> list[tuple[str, str]]:
    """Records (kind, id) that were not judged for one of these reasons, the next behind `after`, in their order."""
    rows = tx.fetch_all(
        """SELECT kind, id FROM suspect
           WHERE connection = %s AND run = %s AND result = ANY(%s) AND (kind, id) > (%s, %s)
           ORDER BY kind, id LIMIT %s""",
        (connection, run, [one.value for one in reasons], *after, limit),
    )
    return [(row["kind"], row["id"]) for row in rows]


def count_results(
    tx: Tx,
    connection: str,
    run: int,
    kinds: Sequence[str],
    stores: Sequence[str],
    *,
    is_full: bool,
    moved_after: Sequence[datetime],
) -> list[ResultCount]:
    """What a run came to, by kind, store and result: of every record that we desire, or that it met.

    A record that nobody suspected agrees only where both sides listed it. With a window only what was met counts.
    `moved_after` says for each lane, by its rank, since when what is on its way is in flight.
    """
    return tx.fetch_as(
        ResultCount,
        """WITH listed AS MATERIALIZED (
               SELECT kind, store, number::text AS number FROM seen
               WHERE connection = %(connection)s AND run = %(run)s AND side = 'store' GROUP BY 1, 2, 3
           ), there AS MATERIALIZED (
               SELECT kind, id FROM seen WHERE connection = %(connection)s AND run = %(run)s AND side = 'platform'
           ), wanted AS (
               SELECT o.kind, o.id, o.store, o.state, o.since, o.lane, s.result, s.id IS NOT NULL AS is_suspect,
                      l.number IS NOT NULL AS is_listed, t.id IS NOT NULL AS is_there
               FROM outbox o
               LEFT JOIN suspect s ON s.connection = o.connection AND s.run = %(run)s AND s.kind = o.kind
                 AND s.id = o.id
               LEFT JOIN listed l ON l.kind = o.kind AND l.store = o.store AND l.number = split_part(o.subject, ':', 2)
               LEFT JOIN there t ON t.kind = o.kind AND t.id = o.id
               WHERE o.connection = %(connection)s AND o.kind = ANY(%(kinds)s) AND o.store = ANY(%(stores)s)
           ), told AS (
               SELECT kind, store,
                      CASE WHEN result IS NOT NULL THEN result
                           WHEN state = 'excluded' THEN 'excluded'
                           WHEN state = ANY(%(moving)s) AND since >= (%(moved_after)s::timestamptz[])[lane + 1]
                                THEN 'in flight'
                           WHEN state = ANY(%(moving)s) THEN 'waiting'
                           WHEN state = 'buried' THEN 'held by an open case'
                           WHEN is_listed AND is_there AND NOT is_suspect THEN 'agreed'
                           ELSE 'could not look' END AS result
               FROM wanted WHERE %(is_full)s OR is_suspect OR is_listed OR is_there
               UNION ALL
               SELECT s.kind, '', s.result FROM suspect s
               WHERE s.connection = %(connection)s AND s.run = %(run)s AND s.result IS NOT NULL
                 AND NOT EXISTS (SELECT FROM outbox o WHERE o.connection = s.connection AND o.kind = s.kind
                                   AND o.id = s.id AND o.store = ANY(%(stores)s))
           )
           SELECT kind, store, result, count(*) AS n FROM told GROUP BY 1, 2, 3 ORDER BY 1, 2, 3""",
        {
            "connection": connection,
            "run": run,
            "kinds": list(kinds),
            "stores": list(stores),
            "moving": list(MOVING),
            "moved_after": list(moved_after),
            "is_full": is_full,
        },
    )


def last_activity_by_store(tx: Tx, connection: str) -> dict[str, datetime | None]:
    """When anything was last heard of each store, by webhook, poll or reading."""
    rows = tx.fetch_all(
        """SELECT s.store, (SELECT e.received_at FROM event e
                            WHERE e.connection = s.connection AND e.store = s.store
                            ORDER BY e.id DESC LIMIT 1) AS at
           FROM store s WHERE s.connection = %s ORDER BY s.store""",
        (connection,),
    )
    return {row["store"]: row["at"] for row in rows}
