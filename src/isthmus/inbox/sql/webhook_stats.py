"""What the shop's own deliveries tell of themselves: how many came when, about which records, what is unread yet."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from isthmus.db.pool import Tx
from isthmus.model.lane import Lane

TRIED_FOR = timedelta(hours=1)
"""An event that was put off for longer than this is no longer waited for: nobody knows when it can be read."""

_LANES = [Lane.REALTIME.rank, Lane.ENRICHMENT.rank]
"""Where deliveries wait; a load of the whole history on another lane need not be looked through."""


class Arrivals(Struct, frozen=True):
    """How many deliveries of a topic came in one hour of the clock, and when the last of them did."""

    store: str
    topic: str
    hour: datetime
    n: int
    last_at: datetime


def count_arrivals(tx: Tx, connection: str, since: datetime, until: datetime) -> list[Arrivals]:
    """What arrived at or after `since` and before `until`, by store, topic and hour."""
    return tx.fetch_as(
        Arrivals,
        """SELECT store, topic, date_trunc('hour', received_at, 'UTC') AS hour, count(*) AS n,
                  max(received_at) AS last_at
           FROM event
           WHERE connection = %(connection)s AND webhook_id IS NOT NULL AND store <> ''
             AND received_at >= %(since)s AND received_at < %(until)s
           GROUP BY 1, 2, 3 ORDER BY 1, 2, 3""",
        {"connection": connection, "since": since, "until": until},
    )


class SubjectWindow(Struct, frozen=True):
    """From when until when something about a subject is looked for."""

    subject: str
    since: datetime
    until: datetime | None = None


def had_webhook(tx: Tx, connection: str, store: str, spans: Sequence[SubjectWindow]) -> list[bool]:
    """For each span whether a delivery came that was triggered within it, however late it came."""
    rows = tx.fetch_all(
        """SELECT EXISTS (SELECT FROM event e
                          WHERE e.connection = %(connection)s AND e.subject = t.subject AND e.store = %(store)s
                            AND e.webhook_id IS NOT NULL AND coalesce(e.triggered_at, e.received_at) >= t.since
                            AND (t.until IS NULL OR coalesce(e.triggered_at, e.received_at) <= t.until)) AS is_told
           FROM unnest(%(subjects)s::text[], %(sinces)s::timestamptz[], %(untils)s::timestamptz[])
                WITH ORDINALITY AS t (subject, since, until, n) ORDER BY n""",
        {"connection": connection, "store": store, **_columns(spans)},
    )
    return [row["is_told"] for row in rows]


def oldest_unparsed(tx: Tx, connection: str, store: str, topics: Sequence[str], now: datetime) -> datetime | None:
    """When the oldest delivery came of which nobody knows yet what it is about; None where there is none."""
    at: datetime | None = tx.fetch_value(
        """SELECT min(received_at) FROM event
           WHERE connection = %(connection)s AND state = 'waiting' AND lane = ANY(%(lanes)s) AND webhook_id IS NOT NULL
             AND store = %(store)s AND topic = ANY(%(topics)s)
             AND (attempts = 0 OR received_at >= %(tried_since)s)""",
        {
            "connection": connection,
            "store": store,
            "topics": list(topics),
            "lanes": _LANES,
            "tried_since": now - TRIED_FOR,
        },
    )
    return at


def annotate_refetches(tx: Tx, connection: str, store: str, spans: Sequence[SubjectWindow], reason: str) -> int:
    """Note on readings of our own, received within these spans, what they were good for; how many they were."""
    return tx.execute(
        """UPDATE event e SET reason = %(reason)s
           FROM unnest(%(subjects)s::text[], %(sinces)s::timestamptz[], %(untils)s::timestamptz[])
                AS t (subject, since, until)
           WHERE e.connection = %(connection)s AND e.subject = t.subject AND e.store = %(store)s
             AND e.topic LIKE 'poll/%%' AND e.received_at >= t.since
             AND (t.until IS NULL OR e.received_at <= t.until) AND e.state = 'applied' AND e.reason IS NULL""",
        {"connection": connection, "store": store, "reason": reason, **_columns(spans)},
    )


def _columns(spans: Sequence[SubjectWindow]) -> dict[str, Any]:
    return {
        "subjects": [span.subject for span in spans],
        "sinces": [span.since for span in spans],
        "untils": [span.until for span in spans],
    }
