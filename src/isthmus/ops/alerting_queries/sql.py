"""Reads how a connection stands: groups of cases, work that waits, runs, loads, what was looked at and when."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from msgspec import Struct

from isthmus.db.pool import Row, Tx
from isthmus.db.sql import OF_EVERYTHING


class OpenCases(Struct, frozen=True):
    """The open cases of one code in one store; `detail` is the newest one's, and the only one's where n is 1."""

    code: str
    store: str
    cause: str
    owner: str
    severity: str
    n: int
    first_at: datetime
    due_on: date | None
    assigned: list[str]
    detail: str


class FinishedRun(Struct, frozen=True):
    """A run that is over."""

    id: int
    what: str
    asked: dict[str, Any]
    state: str
    started_at: datetime
    ended_at: datetime
    result: dict[str, Any] | None

    @property
    def unseen(self) -> str:
        """The sides that it could not look at, and why; "" where it saw all."""
        told = {(str(one.get("side", "")), str(one.get("why", ""))) for one in (self.result or {}).get("blind") or ()}
        return "; ".join(f"{side}: {why}" for side, why in sorted(told))


def open_cases_by_code(tx: Tx, connection: str) -> list[OpenCases]:
    """Open cases by code and store, by code."""
    return tx.fetch_as(
        OpenCases,
        """SELECT code, store, cause, owner, severity, count(*) AS n, min(first_at) AS first_at, min(due_on) AS due_on,
                  coalesce(array_agg(DISTINCT assigned) FILTER (WHERE assigned IS NOT NULL), '{}') AS assigned,
                  (array_agg(detail ORDER BY last_at DESC, id DESC))[1] AS detail
           FROM cases WHERE connection = %s AND state = 'open'
           GROUP BY code, store, cause, owner, severity ORDER BY code, store""",
        (connection,),
    )


def count_new_cases(tx: Tx, connection: str, since: datetime) -> dict[tuple[str, str], int]:
    """How many open cases were first seen since then, by code and store."""
    rows = tx.fetch_all(
        """SELECT code, store, count(*) AS n FROM cases
           WHERE connection = %s AND state = 'open' AND first_at >= %s GROUP BY code, store""",
        (connection, since),
    )
    return {(row["code"], row["store"]): row["n"] for row in rows}


def connection_switches(tx: Tx, connection: str) -> Row | None:
    """Whether the connection, or which lanes of it, are shut, and since when; None where there is none of it."""
    return tx.fetch_one(
        """SELECT c.mode, c.connected_at, c.blocked_code, c.blocked_at, c.paused_at, c.live_since,
                  array(SELECT p.lane FROM lane_pause p WHERE p.connection = c.connection ORDER BY p.lane)
                      AS paused_lanes
           FROM connection c WHERE c.connection = %s""",
        (connection,),
    )


def oldest_work(tx: Tx, connection: str) -> dict[int, datetime]:
    """Since when the oldest work of each lane waits, by the lane's rank. What a shadow will never push is no work."""
    rows = tx.fetch_all(
        """SELECT lane, min(oldest_at) AS oldest_at FROM (
               SELECT lane, min(received_at) AS oldest_at FROM event
               WHERE connection = %(connection)s AND state = 'waiting' GROUP BY lane
               UNION ALL
               SELECT o.lane, min(o.since) FROM outbox o JOIN connection c USING (connection)
               WHERE o.connection = %(connection)s AND o.state IN ('due', 'leased') AND c.mode = 'live'
               GROUP BY o.lane
           ) AS told GROUP BY lane""",
        {"connection": connection},
    )
    return {row["lane"]: row["oldest_at"] for row in rows}


def runs_ended_since(tx: Tx, connection: str, since: datetime) -> list[FinishedRun]:
    """Runs that ended since then, oldest first."""
    return tx.fetch_as(
        FinishedRun,
        """SELECT id, what, asked, state, started_at, ended_at, result FROM run
           WHERE connection = %s AND ended_at >= %s AND state IN ('done', 'failed') ORDER BY id""",
        (connection, since),
    )


def last_ended_run(tx: Tx, connection: str, what: str, *, of_everything: bool = False) -> FinishedRun | None:
    """The newest run of a sort that ended; with `of_everything` only one over every kind of every store, without a
    window.
    """
    rows = tx.fetch_as(
        FinishedRun,
        f"""SELECT id, what, asked, state, started_at, ended_at, result FROM run
            WHERE connection = %(connection)s AND what = %(what)s AND ended_at IS NOT NULL AND state = 'done'
              AND (NOT %(of_everything)s OR {OF_EVERYTHING})
            ORDER BY id DESC LIMIT 1""",  # noqa: S608 - a constant
        {"connection": connection, "what": what, "of_everything": of_everything},
    )
    return rows[0] if rows else None


def runs_since_full_run(tx: Tx, connection: str) -> list[FinishedRun]:
    """Reconciliations that are done, from the last one without a window on, oldest first; none without such a one."""
    return tx.fetch_as(
        FinishedRun,
        f"""SELECT id, what, asked, state, started_at, ended_at, result FROM run
            WHERE connection = %(connection)s AND what = 'reconcile' AND state = 'done' AND ended_at IS NOT NULL
              AND id >= (SELECT max(id) FROM run
                         WHERE connection = %(connection)s AND what = 'reconcile' AND state = 'done'
                           AND {OF_EVERYTHING})
            ORDER BY id""",  # noqa: S608 - a constant
        {"connection": connection},
    )


def count_still_differing(tx: Tx, connection: str, runs: Sequence[int], last: int) -> int:
    """How many records these runs found something of that the run `last`, which looked at less, did not: without those
    that were settled, or taken in, since they were found. What is found of many together counts as they are.
    """
    return int(
        tx.fetch_value(
            """WITH found AS (
                   SELECT DISTINCT ON (f.kind, f.id, CASE WHEN f.id = '' THEN f.code END) f.kind, f.id, f.store,
                          f.subject, f.code, f.n, f.found_at
                   FROM finding f WHERE f.connection = %(connection)s AND f.run = ANY(%(runs)s)
                   ORDER BY f.kind, f.id, CASE WHEN f.id = '' THEN f.code END, f.found_at DESC)
               SELECT coalesce(sum(CASE WHEN f.id = '' THEN f.n ELSE 1 END), 0) FROM found f
               WHERE NOT EXISTS (SELECT FROM finding g WHERE g.connection = %(connection)s AND g.run = %(last)s
                                 AND g.kind = f.kind AND g.id = f.id AND (f.id <> '' OR g.code = f.code))
                 AND NOT EXISTS (SELECT FROM outbox o WHERE o.connection = %(connection)s AND o.kind = f.kind
                                 AND o.id = f.id AND o.settled_at > f.found_at)
                 AND NOT EXISTS (SELECT FROM record r WHERE r.connection = %(connection)s AND r.store = f.store
                                 AND r.kind = split_part(f.subject, ':', 1) AND r.id = split_part(f.subject, ':', 2)
                                 AND r.said_at > f.found_at)""",
            {"connection": connection, "runs": list(runs), "last": last},
        )
    )


def record_classes(tx: Tx, connection: str, at: datetime | None, moved_after: datetime, slow: int) -> dict[str, int]:
    """How many platform records are applied, changed after `at` (all of them without it), in flight, waiting, buried,
    excluded. In flight is what was desired, or told of by an event that waits, after `moved_after`; of the lane with
    the rank `slow`, all that waits. A delivery that nobody has read yet names no record: it counts as one.
    """
    row = tx.fetch_one(
        """WITH told AS MATERIALIZED (
               SELECT store, subject, min(received_at) AS at, max(lane) AS lane FROM event
               WHERE connection = %(connection)s AND state = 'waiting' AND subject IS NOT NULL GROUP BY store, subject
           ), unread AS (
               SELECT count(*) FILTER (WHERE is_young) AS in_flight, count(*) FILTER (WHERE NOT is_young) AS waiting
               FROM (SELECT received_at >= %(moved_after)s OR lane = %(slow)s AS is_young FROM event
                     WHERE connection = %(connection)s AND state = 'waiting' AND subject IS NULL
                       AND topic !~ '^(checkouts|carts|app|shop|bulk_operations|isthmus)[/_]') AS e)
           SELECT count(*) FILTER (WHERE is_applied) AS applied,
                  count(*) FILTER (WHERE is_applied AND (%(at)s::timestamptz IS NULL OR settled_at > %(at)s))
                      AS changed,
                  count(*) FILTER (WHERE is_moving AND (since >= %(moved_after)s OR lane = %(slow)s))
                      + (SELECT in_flight FROM unread) AS in_flight,
                  count(*) FILTER (WHERE is_moving AND NOT (since >= %(moved_after)s OR lane = %(slow)s))
                      + (SELECT waiting FROM unread) AS waiting,
                  count(*) FILTER (WHERE state = 'buried') AS buried,
                  count(*) FILTER (WHERE state = 'excluded') AS excluded
           FROM (SELECT o.state, o.settled_at, o.state = 'applied' AND t.subject IS NULL AS is_applied,
                        o.state IN ('due', 'leased', 'accepted', 'held')
                            OR (o.state = 'applied' AND t.subject IS NOT NULL) AS is_moving,
                        CASE WHEN o.state = 'applied' THEN t.at ELSE o.since END AS since,
                        CASE WHEN o.state = 'applied' THEN t.lane ELSE o.lane END AS lane
                 FROM outbox o LEFT JOIN told t ON t.store = o.store AND t.subject = o.subject
                 WHERE o.connection = %(connection)s AND o.kind IN ('contact', 'order', 'product')) AS o""",
        {"connection": connection, "at": at, "moved_after": moved_after, "slow": slow},
    )
    return dict(row or {})


def loads_done_since(tx: Tx, connection: str, since: datetime) -> list[Row]:
    """Stores whose load is over since then, with nothing left to load: rows of store, id, n, done_at, n_failed."""
    return tx.fetch_all(
        """SELECT l.store, max(l.id) AS id, coalesce(sum(p.n), 0)::bigint AS n,
                  max(coalesce(l.done_at, l.moved_at)) AS done_at,
                  count(*) FILTER (WHERE l.state = 'failed') AS n_failed
           FROM load l LEFT JOIN (SELECT load, sum(n) AS n FROM load_part WHERE connection = %(connection)s
                                  GROUP BY load) AS p ON p.load = l.id
           WHERE l.connection = %(connection)s GROUP BY l.store
           HAVING bool_and(l.state IN ('done', 'failed', 'split')) AND max(coalesce(l.done_at, l.moved_at)) >= %(since)s
           ORDER BY l.store""",
        {"connection": connection, "since": since},
    )


def missed_changes(tx: Tx, connection: str, since: datetime) -> list[Row]:
    """Changes since then that no webhook told: rows of store, topic, n, the most first."""
    return tx.fetch_all(
        """SELECT store, topic, sum(n_missed)::bigint AS n FROM rhythm
           WHERE connection = %s AND hour >= %s AND n_missed > 0 GROUP BY store, topic ORDER BY n DESC, store, topic""",
        (connection, since),
    )


def last_activity(tx: Tx, connection: str) -> list[Row]:
    """When anything was last heard of each store: rows of store, at."""
    return tx.fetch_all(
        """SELECT s.store, (SELECT max(e.received_at) FROM event e
                            WHERE e.connection = s.connection AND e.store = s.store
                              AND e.topic !~ '^(poll|load|repair|revive|confirm|restore|delivery|isthmus)/') AS at
           FROM store s WHERE s.connection = %s ORDER BY s.store""",
        (connection,),
    )


def poll_positions(tx: Tx, connection: str) -> list[Row]:
    """How far each repeated reading got: rows of store, name, at."""
    return tx.fetch_all(
        "SELECT store, name, at FROM watermark WHERE connection = %s ORDER BY store, name", (connection,)
    )


def settings_snapshots(tx: Tx, connection: str) -> dict[tuple[str, str], Row]:
    """What was last looked at, by store and name: rows of at, body."""
    rows = tx.fetch_all("SELECT store, name, at, body FROM snapshot WHERE connection = %s", (connection,))
    return {(row["store"], row["name"]): row for row in rows}


def oldest_rows(tx: Tx, connection: str) -> dict[str, datetime | None]:
    """The oldest row of each table that the nightly prune keeps small."""
    row = tx.fetch_one(
        """SELECT (SELECT min(received_at) FROM event WHERE connection = %(connection)s AND state <> 'waiting')
                      AS events,
                  (SELECT min(at) FROM attempt WHERE connection = %(connection)s) AS attempts,
                  (SELECT min(closed_at) FROM cases WHERE connection = %(connection)s AND state = 'resolved') AS cases
        """,
        {"connection": connection},
    )
    return dict(row) if row else {}


def database_size(tx: Tx) -> int:
    """Bytes that the whole database takes."""
    return int(tx.fetch_value("SELECT pg_database_size(current_database())"))


def pending_notifications(tx: Tx, connection: str) -> Row | None:
    """What was noted and nobody has yet: a row of n, since."""
    return tx.fetch_one(
        "SELECT count(*) AS n, min(at) AS since FROM notice WHERE connection = %s AND told_at IS NULL", (connection,)
    )


def was_ever_notified(tx: Tx, connection: str, key: str) -> bool:
    """Whether anything was ever noted under a key."""
    return tx.fetch_one("SELECT FROM notice WHERE connection = %s AND key = %s LIMIT 1", (connection, key)) is not None
