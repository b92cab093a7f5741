"""Keep every growing table within its retention."""

from datetime import datetime, timedelta

from msgspec import Struct

from isthmus.cases import sql as cases
from isthmus.db.pool import Database
from isthmus.drift.found import sql as findings
from isthmus.drift.repaired import sql as repaired
from isthmus.inbox.days import sql as days
from isthmus.inbox.readings import sql as readings
from isthmus.notices import sql as notices
from isthmus.outbox import sql as outbox
from isthmus.records.baskets import sql as baskets
from isthmus.runs import sql as runs
from isthmus.safety.changes import sql as changes

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


def make_days(db: Database, now: datetime) -> None:
    """Make the partitions of today and the coming days, where they are missing."""
    with db.transaction() as tx:
        days.make_days(tx, now)


def prune(db: Database, now: datetime, retention: Retention) -> int:
    """Make the coming days' partitions, drop the days and rows whose time is up; how many rows were deleted.

    Rows go in small transactions, so that nothing waits for a big one; counters are never touched.
    """
    make_days(db, now)
    with db.transaction() as tx:
        days.drop_days(tx, (now - retention.raw).date())
    n = 0
    while True:
        with db.transaction() as tx:
            gone = days.prune(tx, now, retention.events, retention.keys, AT_ONCE)
        n += gone
        if gone < AT_ONCE:
            break
    while True:
        with db.transaction() as tx:
            gone = outbox.prune(tx, now - retention.attempts, AT_ONCE)
        n += gone
        if gone < AT_ONCE:
            break
    while True:
        with db.transaction() as tx:
            gone = findings.prune(tx, now - retention.events, AT_ONCE) + repaired.prune(tx, now - retention.events)
        n += gone
        if gone < AT_ONCE:
            break
    while True:
        with db.transaction() as tx:
            gone = baskets.prune(tx, now - retention.events, AT_ONCE)
        n += gone
        if gone < AT_ONCE:
            break
    while True:
        with db.transaction() as tx:
            gone = readings.prune(tx, now - retention.readings, AT_ONCE)
        n += gone
        if gone < AT_ONCE:
            break
    while True:
        with db.transaction() as tx:
            gone = notices.prune(tx, now - retention.notices, AT_ONCE)
        n += gone
        if gone < AT_ONCE:
            break
    while True:
        with db.transaction() as tx:
            gone = changes.prune(tx, now - retention.events, AT_ONCE)
        n += gone
        if gone < AT_ONCE:
            break
    with db.transaction() as tx:
        n += cases.prune(tx, now - retention.cases)
        runs.tidied(tx, now)
    return n
