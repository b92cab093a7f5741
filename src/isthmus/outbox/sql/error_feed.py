"""Ometria's feed of refused records, and the writes that wait to be settled by it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from isthmus.db.pool import Row, Tx
from isthmus.model.write import RecordKind
from isthmus.outbox.plan import FeedCoverage

_ACCEPTED = "kind, id, state, body, sent, accepted_at, request_id, doubts"


class Accepted(Struct, frozen=True):
    """A record Ometria took, or may have taken, and that is not settled."""

    kind: RecordKind
    id: str
    state: str
    body: bytes
    hash: bytes
    accepted_at: datetime | None
    request_id: str | None
    doubts: int
    """How often a read-back has not found it already."""


def find_refused(tx: Tx, connection: str, ids: Sequence[str]) -> list[Accepted]:
    """Records of these ids, of whatever kind, that Ometria may still be working on or is believed to have."""
    rows = tx.fetch_all(
        f"""SELECT {_ACCEPTED} FROM outbox WHERE connection = %s AND kind = ANY(%s) AND id = ANY(%s)
            AND state IN ('accepted', 'applied')""",  # noqa: S608 - a constant column list
        (connection, [kind.value for kind in RecordKind], list(ids)),
    )
    return [_accepted(row) for row in rows]


def confirmable_by_feed(tx: Tx, connection: str, since: datetime, until: datetime, limit: int) -> list[Accepted]:
    """Accepted within the watched time and long enough ago: nobody named them, so they are there."""
    rows = tx.fetch_all(
        f"""SELECT {_ACCEPTED} FROM outbox WHERE connection = %s AND state = 'accepted'
            AND accepted_at >= %s AND accepted_at <= %s ORDER BY accepted_at LIMIT %s""",  # noqa: S608
        (connection, since, until, limit),
    )
    return [_accepted(row) for row in rows]


def needs_readback(tx: Tx, connection: str, before: datetime, moment_quiet: datetime, limit: int) -> list[Accepted]:
    """What only a read-back can settle: accepted before the feed was watched without a gap, and held moments."""
    rows = tx.fetch_all(
        f"""SELECT {_ACCEPTED} FROM outbox WHERE connection = %(connection)s
            AND ((state = 'accepted' AND accepted_at < %(before)s)
                 OR (state = 'held' AND due_at <= %(quiet)s))
            ORDER BY accepted_at NULLS FIRST LIMIT %(limit)s""",  # noqa: S608
        {"connection": connection, "before": before, "quiet": moment_quiet, "limit": limit},
    )
    return [_accepted(row) for row in rows]


def has_unsettled(tx: Tx, connection: str) -> bool:
    return bool(
        tx.fetch_value(
            "SELECT EXISTS (SELECT FROM outbox WHERE connection = %s AND state IN ('accepted', 'held'))", (connection,)
        )
    )


def load_coverage(tx: Tx, connection: str) -> tuple[FeedCoverage, datetime | None]:
    """What is known of the error feed, and until when settlement waits for Ometria's backlog."""
    row = tx.fetch_one("SELECT * FROM feed WHERE connection = %s FOR UPDATE", (connection,))
    if row is None:
        return FeedCoverage(), None
    return FeedCoverage(row["polled_at"], row["covered_since"], frozenset(map(bytes, row["entries"]))), row[
        "backlog_until"
    ]


def save_coverage(tx: Tx, connection: str, seen: FeedCoverage) -> None:
    tx.execute(
        """INSERT INTO feed (connection, polled_at, covered_since, entries) VALUES (%s, %s, %s, %s)
           ON CONFLICT (connection) DO UPDATE SET polled_at = excluded.polled_at,
               covered_since = excluded.covered_since, entries = excluded.entries""",
        (connection, seen.polled_at, seen.covered_since, list(seen.entries)),
    )


def take_poll_turn(tx: Tx, connection: str, now: datetime, every: timedelta) -> bool:
    """Whether it is time to look at the feed again; of all processes whoever asks first has the turn."""
    return (
        tx.fetch_one(
            """INSERT INTO feed (connection, looked_at) VALUES (%(connection)s, %(now)s)
           ON CONFLICT (connection) DO UPDATE SET looked_at = excluded.looked_at
           WHERE feed.looked_at IS NULL OR feed.looked_at <= %(now)s - %(every)s OR feed.looked_at > %(now)s + %(every)s
           RETURNING connection""",
            {"connection": connection, "now": now, "every": every},
        )
        is not None
    )


def is_poll_due(tx: Tx, connection: str, now: datetime, every: timedelta) -> bool:
    """Whether something awaits settlement and nobody has looked at the feed since."""
    return bool(
        tx.fetch_value(
            """SELECT EXISTS (SELECT FROM outbox WHERE connection = %(connection)s AND state IN ('accepted', 'held'))
                  AND NOT EXISTS (SELECT FROM feed WHERE connection = %(connection)s
                                  AND looked_at > %(now)s - %(every)s AND looked_at <= %(now)s + %(every)s)""",
            {"connection": connection, "now": now, "every": every},
        )
    )


def delay_until(tx: Tx, connection: str, until: datetime) -> None:
    """Ometria itself is behind: settlement waits at least until then."""
    tx.execute(
        """INSERT INTO feed (connection, backlog_until) VALUES (%s, %s)
           ON CONFLICT (connection) DO UPDATE
           SET backlog_until = greatest(feed.backlog_until, excluded.backlog_until)""",
        (connection, until),
    )


def _accepted(row: Row) -> Accepted:
    return Accepted(
        RecordKind(str(row["kind"])),
        row["id"],
        row["state"],
        row["body"],
        row["sent"],
        row["accepted_at"],
        row["request_id"],
        row["doubts"],
    )
