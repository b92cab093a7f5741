"""Reads what the books, the rows and the cases say, all within one snapshot of the database."""

from datetime import datetime, timedelta

from isthmus.cases.catalogue import WARNINGS
from isthmus.db.pool import Row, Tx

BESIDE = ("privacy.%", *(code.replace("_", "\\_") for code in WARNINGS))
"""Cases about a record that do not keep it from being right in Ometria: duties, and warnings."""

_EXISTS = "SELECT to_regclass('connection') IS NOT NULL"


def begin_snapshot(tx: Tx) -> None:
    """Make everything that this transaction reads be of one moment, and let it write nothing.

    Must be the first statement of its transaction.
    """
    tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


def has_tables(tx: Tx) -> bool:
    """Whether there are any tables to look at."""
    return bool(tx.fetch_value(_EXISTS))


def list_connections(tx: Tx) -> list[Row]:
    """Every connection with its switches, by name. What the configuration says is not looked at."""
    return tx.fetch_all(
        """SELECT c.connection, c.mode, c.connected_at, c.live_since, c.blocked_code, c.blocked_at, c.paused_at,
                  array(SELECT p.lane FROM lane_pause p WHERE p.connection = c.connection ORDER BY p.lane)
                      AS paused_lanes,
                  array(SELECT s.store FROM store s WHERE s.connection = c.connection ORDER BY s.store) AS stores
           FROM connection c ORDER BY c.connection"""
    )


# Accounting ----------------------------------------------------------------------------------------------------------

# Cases name a record either as Ometria knows it (order:uk:1) or as the store does (order:1 in store uk).
# A record without a row in the outbox is a customer who is still to be read, or one of which only a case tells.
_ACCOUNTING = """
WITH blocking AS MATERIALIZED (
    SELECT DISTINCT store, subject FROM cases
    WHERE connection = %(connection)s AND state = 'open' AND subject <> '' AND NOT code LIKE ANY(%(beside)s)
), blocked AS (
    SELECT o.kind, o.id FROM blocking b JOIN outbox o
      ON o.connection = %(connection)s AND o.kind = split_part(b.subject, ':', 1)
     AND o.id = substr(b.subject, strpos(b.subject, ':') + 1)
    UNION
    -- What a plan holds waits for a person, or for the plan to be judged.
    SELECT o.kind, o.id FROM plan_item i JOIN outbox o
      ON o.connection = %(connection)s AND o.store = i.store AND o.subject = i.subject AND o.kind <> 'moment'
    WHERE i.connection = %(connection)s AND i.state = 'held'
    UNION
    SELECT o.kind, o.id FROM blocking b JOIN outbox o
      ON o.connection = %(connection)s AND o.store = b.store AND o.subject = b.subject AND o.kind <> 'moment'
), written AS (
    SELECT kind, CASE state WHEN 'excluded' THEN 'excluded' WHEN 'buried' THEN 'case' WHEN 'applied' THEN 'applied'
                 ELSE 'waiting' END AS class, count(*) AS n
    FROM outbox WHERE connection = %(connection)s GROUP BY 1, 2
), moved AS (
    -- What the states alone would call waiting or applied, and an open case takes away from there.
    SELECT o.kind, CASE o.state WHEN 'applied' THEN 'applied' ELSE 'waiting' END AS class, count(*) AS n
    FROM blocked JOIN outbox o ON o.connection = %(connection)s AND o.kind = blocked.kind AND o.id = blocked.id
    WHERE o.state NOT IN ('excluded', 'buried') GROUP BY 1, 2
), unread AS (
    SELECT store, 'customer:' || id AS subject FROM record r
    WHERE connection = %(connection)s AND kind = 'customer' AND deleted_at IS NULL
      AND NOT EXISTS (SELECT FROM outbox o WHERE o.connection = r.connection AND o.store = r.store
                      AND o.subject = 'customer:' || r.id AND o.kind = 'contact')
), untold AS (
    -- Only a case tells of these: nothing could be made of what was said about them.
    SELECT b.store, b.subject FROM blocking b
    WHERE b.store <> '' AND split_part(b.subject, ':', 1) IN ('customer', 'order', 'product')
      AND NOT EXISTS (SELECT FROM outbox o WHERE o.connection = %(connection)s AND o.store = b.store
                      AND o.subject = b.subject)
), unwritten AS (
    SELECT CASE split_part(coalesce(u.subject, t.subject), ':', 1) WHEN 'customer' THEN 'contact'
           ELSE split_part(coalesce(u.subject, t.subject), ':', 1) END AS kind,
           CASE WHEN t.subject IS NULL THEN 'waiting' ELSE 'case' END AS class, count(*) AS n
    FROM unread u FULL JOIN untold t ON u.store = t.store AND u.subject = t.subject GROUP BY 1, 2
)
SELECT kind, class, sum(n)::bigint AS n FROM (
    SELECT kind, class, n FROM written
    UNION ALL SELECT kind, class, -n FROM moved
    UNION ALL SELECT kind, 'case', n FROM moved
    UNION ALL SELECT kind, class, n FROM unwritten
) AS told GROUP BY 1, 2
"""


def count_by_class(tx: Tx, connection: str) -> list[Row]:
    """How many records of each kind are excluded, case, waiting or applied: rows of kind, class, n."""
    return tx.fetch_all(_ACCOUNTING, {"connection": connection, "beside": list(BESIDE)})


def count_exclusions(tx: Tx, connection: str) -> list[Row]:
    """Why records are on purpose not sent: rows of kind, reason, n, the most frequent first."""
    return tx.fetch_all(
        """SELECT kind, excluded AS reason, count(*) AS n FROM outbox
           WHERE connection = %s AND state = 'excluded' GROUP BY 1, 2 ORDER BY n DESC, 1, 2""",
        (connection,),
    )


def count_truncated(tx: Tx, connection: str) -> list[Row]:
    """What was left out for lack of room: rows of kind, how many records, how many values."""
    return tx.fetch_all(
        """SELECT kind, count(*) AS n, sum(n_cut)::bigint AS n_values FROM outbox
           WHERE connection = %s AND n_cut > 0 GROUP BY kind ORDER BY kind""",
        (connection,),
    )


def metafield_scans(tx: Tx, connection: str) -> list[Row]:
    """Where the rounds through everybody's custom fields stand."""
    return tx.fetch_all(
        """SELECT store, name, began_at, done_at, n, n_changed FROM round WHERE connection = %s
           ORDER BY store, name""",
        (connection,),
    )


# Flow ----------------------------------------------------------------------------------------------------------------


def lane_depth(tx: Tx, connection: str) -> list[Row]:
    """What waits on each lane, and since when the longest: rows of lane, n, oldest_at."""
    return tx.fetch_all(
        """SELECT lane, sum(n)::bigint AS n, min(oldest_at) AS oldest_at FROM (
               SELECT lane, count(*) AS n, min(received_at) AS oldest_at FROM event
               WHERE connection = %(connection)s AND state = 'waiting' GROUP BY lane
               UNION ALL
               SELECT lane, count(*), min(since) FROM outbox
               WHERE connection = %(connection)s AND state IN ('due', 'leased') GROUP BY lane
           ) AS told GROUP BY lane""",
        {"connection": connection},
    )


def lane_latency(tx: Tx, connection: str, since: datetime) -> list[Row]:
    """Seconds from receipt to Ometria's yes, of what it took since then: rows of lane, p50, p99."""
    return tx.fetch_all(
        """SELECT lane, percentile_disc(0.5) WITHIN GROUP (ORDER BY waited)::float8 AS p50,
                  percentile_disc(0.99) WITHIN GROUP (ORDER BY waited)::float8 AS p99
           FROM attempt WHERE connection = %s AND at >= %s AND outcome = 'accepted' GROUP BY lane""",
        (connection, since),
    )


def read_counters(tx: Tx, connection: str) -> dict[str, int]:
    """Every durable counter, and the events that wait, counted where they are."""
    rows = tx.fetch_all(
        """SELECT name, sum(n)::bigint AS n FROM tally WHERE connection = %(connection)s GROUP BY name
           UNION ALL
           SELECT 'event.waiting', count(*) FROM event WHERE connection = %(connection)s AND state = 'waiting'""",
        {"connection": connection},
    )
    return {row["name"]: row["n"] for row in rows}


def last_push_at(tx: Tx, connection: str) -> datetime | None:
    """When Ometria last took anything."""
    found: datetime | None = tx.fetch_value(
        """SELECT at FROM attempt WHERE connection = %s AND outcome = 'accepted' ORDER BY at DESC LIMIT 1""",
        (connection,),
    )
    return found


RECENT = timedelta(minutes=10)
"""What percentiles are of: long enough for a quiet shop to have any, short enough to show trouble soon."""


# One person, one order -----------------------------------------------------------------------------------------------


def links_of(tx: Tx, connection: str, emails: list[str], numbers: list[int]) -> list[Row]:
    """The store customers that answer to these addresses or numbers: rows of store, customer_id, contact, email."""
    return tx.fetch_all(
        """SELECT store, customer_id, contact, email FROM link
           WHERE connection = %(connection)s AND (email = ANY(%(emails)s) OR customer_id = ANY(%(numbers)s))""",
        {"connection": connection, "emails": emails, "numbers": numbers},
    )


def records_of(
    tx: Tx, connection: str, emails: list[str], numbers: list[int], keys: list[tuple[str, str]]
) -> list[Row]:
    """Records that belong to these people, and the named ones: rows of kind, store, id and their times, no bodies.

    `keys` are (kind, id), of whatever store.
    """
    return tx.fetch_all(
        """SELECT kind, store, id, updated_at, changed_at, placed_at, deleted_at FROM record
           WHERE connection = %(connection)s
             AND ((kind <> 'product' AND email = ANY(%(emails)s))
                  OR (kind <> 'product' AND customer_id = ANY(%(numbers)s))
                  OR (kind, id) IN (SELECT * FROM unnest(%(kinds)s::text[], %(ids)s::text[])))
           ORDER BY changed_at, kind, id""",
        {
            "connection": connection,
            "emails": emails,
            "numbers": numbers,
            "kinds": [kind for kind, _ in keys],
            "ids": [own for _, own in keys],
        },
    )


def events_of(tx: Tx, connection: str, subjects: list[str], people: list[bytes], limit: int) -> list[Row]:
    """Events about these subjects or known to name these people, the newest `limit`, oldest first."""
    return tx.fetch_all(
        """SELECT * FROM (
               SELECT id, store, topic, lane, state, subject, reason, attempts, received_at, triggered_at, due_at,
                      settled_at, replay_of, replayed_at
               FROM event WHERE connection = %(connection)s
                 AND (subject = ANY(%(subjects)s) OR id IN (
                     SELECT event_id FROM event_person
                     WHERE connection = %(connection)s AND person = ANY(%(people)b)))
               ORDER BY received_at DESC, id DESC LIMIT %(limit)s) AS newest
           ORDER BY received_at, id""",
        {"connection": connection, "subjects": subjects, "people": people, "limit": limit},
    )


def outbox_rows_of(tx: Tx, connection: str, subjects: list[tuple[str, str]]) -> list[Row]:
    """The Ometria records behind these (store, subject): rows of the outbox without what they say."""
    return tx.fetch_all(
        """SELECT o.kind, o.id, o.store, o.subject, o.lane, o.state, o.due_at, o.since, o.excluded, o.case_code,
                  o.opts_in, o.waits_for, o.is_known, o.accepted_at, o.settled_at, o.attempts, o.doubts,
                  (SELECT mode FROM connection c WHERE c.connection = o.connection) AS mode
           FROM outbox o JOIN unnest(%(stores)s::text[], %(subjects)s::text[]) AS s (store, subject)
             ON o.store = s.store AND o.subject = s.subject
           WHERE o.connection = %(connection)s ORDER BY o.since, o.kind, o.id""",
        {
            "connection": connection,
            "stores": [store for store, _ in subjects],
            "subjects": [subject for _, subject in subjects],
        },
    )


def contacts_by_id(tx: Tx, connection: str, ids: list[str]) -> list[Row]:
    """These contacts as the outbox has them: rows of id, state, body."""
    return tx.fetch_all(
        """SELECT id, state, body FROM outbox
           WHERE connection = %s AND kind = 'contact' AND id = ANY(%s) ORDER BY id""",
        (connection, ids),
    )


def push_attempts(tx: Tx, connection: str, records: list[tuple[str, str]], limit: int) -> list[Row]:
    """Pushes that carried these platform records (kind, id), the newest `limit`, oldest first."""
    return tx.fetch_all(
        """SELECT * FROM (
               SELECT a.id, a.kind, a.record_id, a.lane, a.at, a.outcome, a.waited::float8 AS waited, a.request_id
               FROM attempt a JOIN unnest(%(kinds)s::text[], %(ids)s::text[]) AS r (kind, id)
                 ON a.kind = r.kind AND a.record_id = r.id
               WHERE a.connection = %(connection)s ORDER BY a.at DESC, a.id DESC LIMIT %(limit)s) AS newest
           ORDER BY at, id""",
        {
            "connection": connection,
            "kinds": [kind for kind, _ in records],
            "ids": [own for _, own in records],
            "limit": limit,
        },
    )


def cases_of(tx: Tx, connection: str, subjects: list[str]) -> list[Row]:
    """Cases about these subjects, in whatever state, oldest first."""
    return tx.fetch_all(
        """SELECT id, code, store, subject, state, cause, owner, severity, n, first_at, last_at, closed_at, closed_by
           FROM cases WHERE connection = %s AND subject = ANY(%s) AND subject <> '' ORDER BY first_at, id""",
        (connection, subjects),
    )


def merge_log_of(tx: Tx, connection: str, contacts: list[str]) -> list[Row]:
    """What the book of merges says of these contacts."""
    return tx.fetch_all(
        """SELECT at, survivor, loser, merge, what, by, detail FROM merge_said
           WHERE connection = %(connection)s AND (survivor = ANY(%(ids)s) OR loser = ANY(%(ids)s)) ORDER BY id""",
        {"connection": connection, "ids": contacts},
    )
