"""What a run found that the one before did not: for exit codes and digests about what is new."""

from msgspec import Struct

from isthmus.db.pool import Database
from isthmus.drift.sql import findings
from isthmus.flows.reconcile.run import WHAT
from isthmus.runs.sql import run_journal as journal


class News(Struct, frozen=True):
    """`n` differences are new since the run `before`; None where there is none to compare with, so that all are."""

    n: int
    before: int | None


def count_new_findings(db: Database, connection: str, run: int) -> News:
    """Hold a run's findings against those of the last run before it that looked at as much."""
    with db.transaction() as tx:
        this = journal.find_run(tx, connection, run)
        before = None if this is None else journal.previous_run(tx, connection, WHAT, run, this.asked)
        return News(
            findings.count_new_findings(tx, connection, run, before.id if before else None),
            before.id if before else None,
        )
