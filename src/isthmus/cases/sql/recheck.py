"""Find open cases whose matter is over, by what the rows say now, and close each with the way in which it ended.

Only rows that are newer than the last sign of trouble count: what nobody looked at again stays open.
"""

from collections.abc import Sequence
from datetime import datetime

from isthmus.cases.catalogue import CATALOGUE
from isthmus.db.pool import Tx

BY = "recheck"

OF_RECORD = sorted(code for code, kind in CATALOGUE.items() if kind.follows_record)
"""Over once the record, or the event, that they name was taken in after the last sign of trouble."""

OF_WRITE = (
    "platform.refused",
    "platform.refused_batch",
    "platform.not_applied",
    "platform.differs",
    "platform.overwritten",
    "platform.unanswered",
    "platform.ambiguous_moment",
    "platform.too_large",
)
"""Over once the Ometria record that they name is no longer sent, or is applied again."""

OF_POLLS = (
    "storefront.access_denied",
    "storefront.unavailable",
    "storefront.unexplained",
    "storefront.throttled",
    "storefront.token_refused",
    "storefront.shop_closed",
    "storefront.app_uninstalled",
    "integration.query_refused",
    "integration.query_too_expensive",
)
"""About a store as a whole: over once every listing of it was answered and nothing waits because of it."""

POLLS = ("poll:product", "poll:customer", "poll:order", "poll:checkout")

CALLS = "ometria/hook"
AUDIT = "audit:consent"


def has_open_cases(tx: Tx, connection: str) -> bool:
    """Whether there is anything to look at."""
    return bool(
        tx.fetch_value("SELECT EXISTS (SELECT FROM cases WHERE connection = %s AND state = 'open')", (connection,))
    )


def close_cases_of_processed_events(tx: Tx, connection: str, now: datetime) -> int:
    """Cases of an event that was processed since."""
    return _close(
        tx,
        connection,
        now,
        OF_RECORD,
        """SELECT c.id, 'event ' || e.id || ' was processed at ' || to_char(e.settled_at AT TIME ZONE 'UTC', %(at)s)
                  AS note
           FROM cases c JOIN event e ON e.connection = c.connection
             AND e.id = CASE WHEN c.subject ~ '^event:[0-9]+$' THEN substr(c.subject, 7)::bigint END
           WHERE e.state IN ('applied', 'stale', 'skipped') AND e.settled_at >= c.last_at""",
    )


def close_cases_of_stored_records(tx: Tx, connection: str, now: datetime) -> int:
    """Cases of a store's record that was taken in since, by a reading or a webhook, and of which nothing is stuck."""
    return _close(
        tx,
        connection,
        now,
        OF_RECORD,
        """SELECT c.id, CASE WHEN r.deleted_at IS NULL THEN 'the record was taken in as of '
                             ELSE 'the shop no longer has the record, as of ' END
                  || to_char(coalesce(r.said_at, r.changed_at) AT TIME ZONE 'UTC', %(at)s) AS note
           FROM cases c JOIN record r ON r.connection = c.connection AND r.store = c.store
             AND r.kind = split_part(c.subject, ':', 1) AND r.id = split_part(c.subject, ':', 2)
           WHERE c.store <> ''
             AND (coalesce(r.said_at, r.changed_at) > c.last_at
                  OR (coalesce(r.said_at, r.changed_at) >= c.replayed_at
                      AND coalesce(r.said_at, r.changed_at) >= c.last_at))
             AND NOT EXISTS (SELECT FROM outbox o WHERE o.connection = c.connection AND o.store = c.store
                             AND o.subject = c.subject AND o.kind <> 'moment'
                             AND o.state NOT IN ('applied', 'excluded'))
             AND NOT EXISTS (SELECT FROM event e WHERE e.connection = c.connection AND e.store = c.store
                             AND e.subject = c.subject AND e.state = 'waiting')""",
    )


def close_cases_of_applied_writes(tx: Tx, connection: str, now: datetime) -> int:
    """Cases of a platform record that is applied since, or that is no longer sent."""
    return _close(
        tx,
        connection,
        now,
        [*OF_WRITE, *OF_RECORD],
        """SELECT c.id, CASE WHEN o.state = 'excluded' THEN 'no longer sent: ' || o.excluded
                             ELSE 'applied at ' || to_char(o.settled_at AT TIME ZONE 'UTC', %(at)s) END AS note
           FROM cases c JOIN outbox o ON o.connection = c.connection
             AND o.kind = split_part(c.subject, ':', 1) AND o.id = substr(c.subject, strpos(c.subject, ':') + 1)
           WHERE c.store = '' AND (o.state = 'excluded' OR (o.state = 'applied' AND o.settled_at > c.last_at))""",
    )


def close_cases_of_read_stores(tx: Tx, connection: str, now: datetime) -> int:
    """Cases of a store as a whole, of which every listing was answered since."""
    return _close(
        tx,
        connection,
        now,
        OF_POLLS,
        """SELECT c.id, 'the store answers: everything was listed at '
                  || to_char(w.at AT TIME ZONE 'UTC', %(at)s) AS note
           FROM cases c JOIN LATERAL (
               SELECT min(m.at) AS at, count(*) AS n FROM watermark m
               WHERE m.connection = c.connection AND m.store = c.store AND m.name = ANY(%(polls)s)) AS w ON true
           WHERE c.store <> '' AND (c.subject = '' OR c.code = 'storefront.app_uninstalled')
             AND w.n = cardinality(%(polls)s::text[]) AND w.at > c.last_at
             AND NOT EXISTS (SELECT FROM event e WHERE e.connection = c.connection AND e.store = c.store
                             AND e.state = 'waiting' AND e.reason = c.code)""",
        polls=list(POLLS),
    )


def close_cases_of_understood_calls(tx: Tx, connection: str, now: datetime) -> int:
    """A call that could not be understood: once a later one was, and an audit compared everybody since."""
    return _close(
        tx,
        connection,
        now,
        ["consent.unreadable_call"],
        """SELECT c.id, 'a later call was understood, and a consent audit compared everybody at '
                  || to_char(w.at AT TIME ZONE 'UTC', %(at)s) AS note
           FROM cases c JOIN watermark w ON w.connection = c.connection AND w.name = %(audit)s AND w.at > c.last_at
           WHERE EXISTS (SELECT FROM event e WHERE e.connection = c.connection AND e.topic = %(calls)s
                         AND e.state = 'applied' AND e.received_at > c.last_at)""",
        audit=AUDIT,
        calls=CALLS,
    )


def close_cases_of_unreadable_bodies(tx: Tx, connection: str, now: datetime) -> int:
    """A body that names no record: once everything that changed in its store was listed. Not of what no list shows."""
    return _close(
        tx,
        connection,
        now,
        ["storefront.unreadable_body"],
        """SELECT c.id, 'the body names no record; everything that changed was listed at '
                  || to_char(w.at AT TIME ZONE 'UTC', %(at)s) AS note
           FROM cases c JOIN event e ON e.connection = c.connection
             AND e.id = CASE WHEN c.subject ~ '^event:[0-9]+$' THEN substr(c.subject, 7)::bigint END
           JOIN LATERAL (
               SELECT min(m.at) AS at, count(*) AS n FROM watermark m
               WHERE m.connection = c.connection AND m.store = c.store AND m.name = ANY(%(polls)s)) AS w ON true
           WHERE w.n = cardinality(%(polls)s::text[]) AND w.at > c.last_at AND e.state = 'buried'
             AND e.topic ~ '^(orders|customers|products|checkouts|carts)/'
             AND e.topic !~ '(delete|merge|redact|request)$'
        """,
        polls=list(POLLS),
    )


def close_cases_of_unnamed_opt_outs(tx: Tx, connection: str, now: datetime) -> int:
    """An opt-out that names nobody: once a consent audit compared everybody on both sides."""
    return _close(
        tx,
        connection,
        now,
        ["consent.unnamed_opt_out"],
        """SELECT c.id, 'a consent audit compared everybody at ' || to_char(w.at AT TIME ZONE 'UTC', %(at)s) AS note
           FROM cases c JOIN watermark w ON w.connection = c.connection AND w.name = %(audit)s AND w.at > c.last_at
           WHERE c.subject = 'profile:unnamed'""",
        audit=AUDIT,
    )


def close_cases_of_quiet_topics(tx: Tx, connection: str, now: datetime, quiet_since: datetime) -> int:
    """A topic that isthmus does not know, or that came with another's body: once nothing of it has come for a while, or
    nothing of it is parked."""
    return _close(
        tx,
        connection,
        now,
        ["integration.unknown_topic", "storefront.body_of_another_topic"],
        """SELECT c.id, CASE WHEN c.last_at < %(quiet)s THEN 'nothing of this topic has come for a day'
                             ELSE 'every delivery of it was processed' END AS note
           FROM cases c
           WHERE NOT EXISTS (SELECT FROM event e WHERE e.connection = c.connection AND e.store = c.store
                             AND e.topic = c.subject AND e.state = 'waiting')
             AND (c.last_at < %(quiet)s
                  OR NOT EXISTS (SELECT FROM event e WHERE e.connection = c.connection AND e.store = c.store
                                 AND e.topic = c.subject AND e.state = 'parked'))""",
        quiet=quiet_since,
    )


def close_cases_of_failed_merges(tx: Tx, connection: str, now: datetime) -> int:
    """A merge that failed in the shop: once the customer it names is gone."""
    return _close(
        tx,
        connection,
        now,
        ["storefront.merge_failed"],
        """SELECT c.id, 'the customer is gone from the shop' AS note
           FROM cases c JOIN record r ON r.connection = c.connection AND r.store = c.store AND r.kind = 'customer'
             AND 'customer:' || r.id = c.subject AND r.deleted_at IS NOT NULL""",
    )


def close_cases_of_removed_stores(tx: Tx, connection: str, stores: Sequence[str], now: datetime) -> int:
    """Cases of a store that is no longer part of the connection; duties that a law dates stay."""
    legal = [code for code, kind in CATALOGUE.items() if kind.due_days is not None]
    return _close(
        tx,
        connection,
        now,
        [code for code in CATALOGUE if code not in legal],
        """SELECT c.id, 'the store ' || coalesce(nullif(c.store, ''), o.store) || ' left the connection' AS note
           FROM cases c LEFT JOIN outbox o ON c.store = '' AND o.connection = c.connection
             AND o.kind = split_part(c.subject, ':', 1) AND o.id = substr(c.subject, strpos(c.subject, ':') + 1)
           WHERE coalesce(nullif(c.store, ''), o.store) <> ALL(%(stores)s)""",
        stores=list(stores),
    )


def _close(tx: Tx, connection: str, now: datetime, codes: Sequence[str], found: str, **more: object) -> int:
    """Close the open cases of these codes that a query over `cases c` finds, with its note."""
    return tx.execute(
        f"""WITH found AS (
                SELECT f.id, f.note FROM ({found} AND c.connection = %(connection)s AND c.state = 'open'
                                          AND c.code = ANY(%(codes)s)) AS f
            ), held AS (
                SELECT c.id FROM cases c JOIN found f ON f.id = c.id WHERE c.connection = %(connection)s
                ORDER BY c.code, c.store, c.subject FOR UPDATE OF c
            )
            UPDATE cases c SET state = 'resolved', closed_at = %(now)s, closed_by = %(by)s,
                note = concat_ws('; ', 'replayed by ' || c.replayed_by, f.note)
            FROM held h JOIN found f ON f.id = h.id
            WHERE c.connection = %(connection)s AND c.id = h.id AND c.state = 'open'""",  # noqa: S608 - constants
        {
            "connection": connection,
            "now": now,
            "by": BY,
            "codes": list(codes),
            "at": "YYYY-MM-DD HH24:MI:SS",
            **more,
        },
    )
