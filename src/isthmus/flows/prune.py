"""Keep every growing table within its retention."""

from datetime import datetime, timedelta

from msgspec import Struct

from isthmus.cases.sql import cases
from isthmus.db.pool import Database
from isthmus.drift.sql import findings
from isthmus.drift.sql import repairs as repaired
from isthmus.inbox.sql import partitions as days
from isthmus.inbox.sql import shared_reads as readings
from isthmus.notifications import sql as notices
from isthmus.outbox.sql import queue as outbox
from isthmus.records.sql import checkouts as baskets
from isthmus.runs.sql import watermarks as runs
from isthmus.safety.sql import changes

AT_ONCE = 20_000


class Retention(Struct, frozen=True):
    """How long what grows is kept."""

    raw: timedelta = timedelta(days=30)
    events: timedelta = timedelta(days=90)
    keys: timedelta = timedelta(days=7)
    attempts: timedelta = timedelta(days=30)
    cases: timedelta = timedelta(days=400)
    notices: timedelta = timedelta(days=90)
    readings: timedelta = timedelta(minutes=10)


def create_partitions(db: Database, now: datetime) -> None:
    """Make the partitions of today and the coming days, where they are missing."""
    with db.transaction() as tx:
        days.create_partitions(tx, now)


def prune_all(db: Database, now: datetime, retention: Retention) -> int:
    """Make the coming days' partitions, drop the days and rows whose time is up; how many rows were deleted.

    Rows go in small transactions, so that nothing waits for a big one; counters are never touched.
    """
    create_partitions(db, now)
    with db.transaction() as tx:
        days.drop_partitions(tx, (now - retention.raw).date())
    n = 0
    while True:
        with db.transaction() as tx:
            gone = days.prune_events(tx, now, retention.events, retention.keys, AT_ONCE)
        n += gone
        if gone < AT_ONCE:
            break
    while True:
        with db.transaction() as tx:
            gone = outbox.prune_attempts(tx, now - retention.attempts, AT_ONCE)
        n += gone
        if gone < AT_ONCE:
            break
    while True:
        with db.transaction() as tx:
            gone = findings.prune_findings(tx, now - retention.events, AT_ONCE) + repaired.prune_repairs(
                tx, now - retention.events
            )
        n += gone
        if gone < AT_ONCE:
            break
    while True:
        with db.transaction() as tx:
            gone = baskets.prune_checkout_names(tx, now - retention.events, AT_ONCE)
        n += gone
        if gone < AT_ONCE:
            break
    while True:
        with db.transaction() as tx:
            gone = readings.prune_reads(tx, now - retention.readings, AT_ONCE)
        n += gone
        if gone < AT_ONCE:
            break
    while True:
        with db.transaction() as tx:
            gone = notices.prune_notifications(tx, now - retention.notices, AT_ONCE)
        n += gone
        if gone < AT_ONCE:
            break
    while True:
        with db.transaction() as tx:
            gone = changes.prune_changes(tx, now - retention.events, AT_ONCE)
        n += gone
        if gone < AT_ONCE:
            break
    with db.transaction() as tx:
        n += cases.prune_resolved(tx, now - retention.cases)
        runs.record_prune(tx, now)
    return n
