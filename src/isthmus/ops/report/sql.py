"""Reads what a run saw and found."""

from collections.abc import Mapping, Sequence

from isthmus.db.pool import Row, Tx


def latest_run(tx: Tx, connection: str) -> int | None:
    """The newest finished reconciliation."""
    newest: int | None = tx.fetch_value(
        "SELECT max(id) FROM run WHERE connection = %s AND what = 'reconcile' AND state = 'done'", (connection,)
    )
    return newest


def load_run(tx: Tx, connection: str, number: int) -> Row | None:
    return tx.fetch_one("SELECT * FROM run WHERE connection = %s AND id = %s", (connection, number))


def store_time_zones(tx: Tx, connection: str) -> dict[str, str]:
    """The time zone of each store's days, where a look at the shop has told it."""
    rows = tx.fetch_all(
        """SELECT store, body #>> '{agreed,ianaTimezone}' AS zone FROM snapshot
           WHERE connection = %s AND name = 'settings' AND body #>> '{agreed,ianaTimezone}' IS NOT NULL""",
        (connection,),
    )
    return {row["store"]: row["zone"] for row in rows}


# One row per day, store, currency and side. A run over a window holds like against like: of our sales only those that
# an API was asked about. What is not valid counts for nothing: cancelled, voided, unpaid where only paid counts.
_DAYS = """
WITH zone AS (
    SELECT * FROM unnest(%(stores)s::text[], %(zones)s::text[]) AS z (store, zone)
), told AS (
    SELECT side, coalesce(store, '') AS store, placed_at, currency, gross_mills, refunded_mills, net_mills,
           coalesce(is_valid, status NOT IN ('cancelled', 'voided', 'expired'), true) AS is_valid
    FROM seen
    WHERE connection = %(connection)s AND run = %(run)s AND kind = 'order' AND side <> 'ours' AND NOT is_test
      AND placed_at IS NOT NULL
    UNION ALL
    SELECT 'ours', s.store, s.placed_at, s.currency, s.gross_mills, s.refunded_mills, s.net_mills, s.is_valid
    FROM sale s
    WHERE s.connection = %(connection)s AND (%(is_whole)s OR EXISTS (
        SELECT FROM seen WHERE seen.connection = s.connection AND seen.run = %(run)s AND seen.kind = 'order'
          AND seen.store = s.store AND seen.number = s.id))
)
SELECT side, told.store, (placed_at AT TIME ZONE coalesce(zone.zone, 'UTC'))::date AS day, currency, count(*) AS n,
       sum(gross_mills)::bigint AS gross, sum(refunded_mills)::bigint AS refunded,
       sum(CASE WHEN is_valid THEN 0 ELSE net_mills END)::bigint AS uncounted,
       sum(CASE WHEN is_valid THEN net_mills ELSE 0 END)::bigint AS net
FROM told LEFT JOIN zone ON zone.store = told.store
GROUP BY 1, 2, 3, 4 ORDER BY 3 DESC, 2, 4, 1
"""


def daily_totals(tx: Tx, connection: str, number: int, in_zones: Mapping[str, str], *, is_whole: bool) -> list[Row]:
    """What each side says of each day: orders, gross, refunded, not counted, net, in thousandths of the currency."""
    return tx.fetch_all(
        _DAYS,
        {
            "connection": connection,
            "run": number,
            "is_whole": is_whole,
            "stores": list(in_zones),
            "zones": list(in_zones.values()),
        },
    )


# Every order of ours beside every order there, all of them at once: what is not equal must have a finding, or be on its
# way. Joined in the database: 10 million on either side take less than it takes to get them out (docs/decisions/0011).
_APART = """
SELECT coalesce(o.store, s.store, '') AS store, coalesce(o.id, s.number) AS number,
       o.net_mills AS ours, s.net_mills AS theirs, coalesce(o.currency, s.currency) AS currency
FROM (SELECT store, id, name, currency, gross_mills, refunded_mills, net_mills, is_valid, placed_at
      FROM sale WHERE connection = %(connection)s) AS o
FULL JOIN (SELECT store, number, id, name, currency, gross_mills, refunded_mills, net_mills, is_valid, placed_at
           FROM seen WHERE connection = %(connection)s AND run = %(run)s AND side = 'platform' AND kind = 'order'
             AND number IS NOT NULL) AS s
  ON s.number = o.id AND s.store = o.store
WHERE o.id IS NULL OR s.id IS NULL
   OR (o.name, o.currency, o.gross_mills, o.refunded_mills, o.net_mills, o.is_valid, o.placed_at)
      IS DISTINCT FROM
      (s.name, s.currency, s.gross_mills, s.refunded_mills, s.net_mills, s.is_valid, s.placed_at)
"""


def differing_orders(tx: Tx, connection: str, number: int) -> list[Row]:
    """Orders that Ometria and we tell otherwise, in seven fields, or that one of us lacks; for whole runs."""
    tx.execute("SET LOCAL work_mem = '256MB'")  # of 10 million a side the hash has room in few batches
    return tx.fetch_all(_APART, {"connection": connection, "run": number})


def explained_orders(tx: Tx, connection: str, number: int) -> set[tuple[str, int]]:
    """The orders (store, number) that a finding of the run is about, and those that are left out on purpose."""
    rows = tx.fetch_all(
        """SELECT store, split_part(subject, ':', 2)::bigint AS number FROM finding
           WHERE connection = %(connection)s AND run = %(run)s AND kind = 'order' AND subject ~ '^order:[0-9]{1,18}$'
           UNION
           SELECT store, split_part(subject, ':', 2)::bigint FROM outbox
           WHERE connection = %(connection)s AND kind = 'order' AND state = 'excluded'
             AND subject ~ '^order:[0-9]{1,18}$'
        """,
        {"connection": connection, "run": number},
    )
    return {(row["store"], row["number"]) for row in rows}


def count_observed(tx: Tx, connection: str, number: int) -> list[Row]:
    """How many records of each kind each side showed."""
    return tx.fetch_all(
        """SELECT kind, side, count(*) AS n FROM seen WHERE connection = %s AND run = %s AND side <> 'ours'
           GROUP BY 1, 2 ORDER BY 1, 2""",
        (connection, number),
    )


def top_findings(tx: Tx, connection: str, number: int, limit: int) -> list[Row]:
    """What was found, the most money first."""
    return tx.fetch_all(
        """SELECT kind, id, store, subject, code, cause, detail, n, store_says, ours_say, platform_says, currency,
                  off_mills, placed_at, repair
           FROM finding WHERE connection = %s AND run = %s
           ORDER BY abs(coalesce(off_mills, 0)) DESC, code, kind, id LIMIT %s""",
        (connection, number, limit),
    )


def findings_by_code(tx: Tx, connection: str, number: int) -> list[Row]:
    """Findings counted, with the money they are off by per currency."""
    return tx.fetch_all(
        """SELECT code, cause, kind, currency, sum(n)::bigint AS n, sum(off_mills)::bigint AS off,
                  count(repair)::bigint AS n_repaired
           FROM finding WHERE connection = %s AND run = %s GROUP BY 1, 2, 3, 4 ORDER BY sum(n) DESC, code, kind""",
        (connection, number),
    )


# A person is named by what joins their orders here, and only counted.
_PEOPLE = """
WITH about AS (
    SELECT f.off_mills, f.store_says, f.platform_says, f.currency,
           coalesce(s.customer_id::text, s.email, f.store || f.subject) AS person
    FROM finding f LEFT JOIN sale s ON s.connection = f.connection AND s.store = f.store
      AND 'order:' || s.id = f.subject
    WHERE f.connection = %(connection)s AND f.run = %(run)s AND f.kind = 'order' AND f.id <> ''
)
SELECT 'missing' AS what, count(DISTINCT person) AS people, count(*) AS orders
  FROM about WHERE platform_says IS NULL AND store_says IS NOT NULL
UNION ALL
SELECT 'too_much', count(DISTINCT person), count(*) FROM about WHERE off_mills > 0 AND platform_says IS NOT NULL
UNION ALL
SELECT 'too_little', count(DISTINCT person), count(*) FROM about WHERE off_mills < 0 AND platform_says IS NOT NULL
"""


def count_affected_people(tx: Tx, connection: str, number: int) -> dict[str, tuple[int, int]]:
    """How many people and orders each consequence concerns."""
    rows = tx.fetch_all(_PEOPLE, {"connection": connection, "run": number})
    return {row["what"]: (row["people"], row["orders"]) for row in rows}


def count_affected_contacts(tx: Tx, connection: str, number: int, paths: Sequence[str]) -> int:
    """How many contacts differ in one of these fields."""
    return int(
        tx.fetch_value(
            """SELECT count(*) FROM finding f JOIN seen p ON p.connection = f.connection AND p.run = f.run
                 AND p.side = 'platform' AND p.kind = 'contact' AND p.id = f.id
               WHERE f.connection = %s AND f.run = %s AND f.kind = 'contact' AND p.path = ANY(%s)""",
            (connection, number, list(paths)),
        )
        or 0
    )
