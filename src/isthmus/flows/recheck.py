"""Look over the open cases, and close those whose matter is over; the case then says by which way."""

from datetime import timedelta

from isthmus.cases.sql import cases
from isthmus.cases.sql import recheck as recheck_sql
from isthmus.connections import stored
from isthmus.db.pool import Database
from isthmus.flows.context import ConnectionContext
from isthmus.runs.sql import watermarks as runs

MARK = "recheck"
"""The watermark that says when the cases were last looked over."""

EVERY = timedelta(minutes=1)

UNUSED = timedelta(minutes=5)
"""So long no process may have found the stored connection unusable before that counts as over."""

QUIET = timedelta(days=1)
"""So long nothing of an unknown topic may have come before it counts as no longer subscribed."""


def close_finished_cases(db: Database, context: ConnectionContext) -> int:
    """Close what is over by what the rows say now; how many cases that were. Reads neither Shopify nor Ometria."""
    now = context.clock.now()
    with db.transaction() as tx:
        runs.advance_watermark(tx, context.connection, "", MARK, now, 0)
        if not recheck_sql.has_open_cases(tx, context.connection):
            return 0
        # Whoever has a context can use what is stored; another version, which cannot, says so every minute.
        used = cases.resolve_by_code(
            tx,
            context.connection,
            stored.CODE,
            now,
            "recheck",
            quiet_since=now - UNUSED,
            note="the connection is at work",
        )
        return len(used) + sum(
            (
                recheck_sql.close_cases_of_removed_stores(tx, context.connection, list(context.shops), now),
                recheck_sql.close_cases_of_processed_events(tx, context.connection, now),
                recheck_sql.close_cases_of_stored_records(tx, context.connection, now),
                recheck_sql.close_cases_of_applied_writes(tx, context.connection, now),
                recheck_sql.close_cases_of_read_stores(tx, context.connection, now),
                recheck_sql.close_cases_of_unreadable_bodies(tx, context.connection, now),
                recheck_sql.close_cases_of_understood_calls(tx, context.connection, now),
                recheck_sql.close_cases_of_unnamed_opt_outs(tx, context.connection, now),
                recheck_sql.close_cases_of_quiet_topics(tx, context.connection, now, now - QUIET),
                recheck_sql.close_cases_of_failed_merges(tx, context.connection, now),
            )
        )
