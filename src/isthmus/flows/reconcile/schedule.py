"""When a run is due: a light one every so often over what changed, a whole one every night."""

from datetime import datetime, time, timedelta

import msgspec

from isthmus.db.pool import Database
from isthmus.flows.context import ConnectionContext
from isthmus.flows.reconcile.run import WHAT
from isthmus.flows.reconcile.run_context import ReconcileRequest
from isthmus.runs.sql import run_journal as journal
from isthmus.runs.sql.run_journal import Run

OVERLAP = timedelta(minutes=5)
"""How far a light run reaches back behind the beginning of the one before: search lags, and clocks differ."""


def due_request(
    db: Database, context: ConnectionContext, incremental_every: timedelta, full_at: time
) -> ReconcileRequest | None:
    """What is to be looked at now: what was left when a run stopped, else what is due by the clock (UTC); or nothing.

    None also while somebody holds a run. A run over some kinds or stores alone puts off neither.
    """
    now = context.clock.now()
    with db.transaction() as tx:
        under_way = journal.latest_run(tx, context.connection, WHAT, state="running")
        whole = journal.latest_run(tx, context.connection, WHAT, is_full=True, is_of_every_kind=True)
        last = journal.latest_run(tx, context.connection, WHAT, is_of_every_kind=True)
    if under_way is not None:
        is_held = under_way.leased_until is not None and under_way.leased_until > now
        return None if is_held else msgspec.convert(under_way.asked, ReconcileRequest)
    if is_full_run_done(whole, now, full_at):
        return ReconcileRequest()
    # What was too young to be judged the last time is looked at once more.
    return incremental_request(
        last, now, incremental_every, OVERLAP + context.pace.drift_grace + context.pace.enrichment_every
    )


def is_full_run_done(whole: Run | None, now: datetime, full_at: time) -> bool:
    """Whether the last whole run began before the night's hour came round."""
    tonight = datetime.combine(now.date(), full_at, now.tzinfo)
    due = tonight if tonight <= now else tonight - timedelta(days=1)
    # Before the first night there is none to catch up: whoever has just begun is still loading.
    return whole.started_at < due if whole is not None else now - due < timedelta(hours=1)


def incremental_request(
    last: Run | None, now: datetime, every: timedelta, behind: timedelta = OVERLAP
) -> ReconcileRequest | None:
    """The window since the last run and some time behind it, when that is long enough ago."""
    since = last.started_at if last is not None else now - every
    return ReconcileRequest(since=since - behind) if now - since >= every else None
