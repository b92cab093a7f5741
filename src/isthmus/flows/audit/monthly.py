"""The audit that comes round by itself: when it is due, and what is kept of it in the journal of runs.

What it found is for the monthly checklist and for whoever is told of finished runs; the page for people is
`isthmus audit NAME --out`.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from isthmus.db.pool import Database
from isthmus.flows.audit.progress import ReadProgress, ReportProgress
from isthmus.kit.clock import Clock
from isthmus.kit.ids import claim_id
from isthmus.model.audit_finding import AuditResult
from isthmus.model.failure import Failure
from isthmus.runs.sql import bulk_loads as loads
from isthmus.runs.sql import run_journal as journal

WHAT = "audit"
"""What its runs are called in the journal."""

REST = timedelta(hours=1)
"""A load that has not moved for as long is over."""

AGAIN_AFTER = timedelta(minutes=5)
"""How long after one that did not get to its end the next is begun."""


class _StoppedError(Exception):
    """Ends a look that is not to go on."""


def is_monthly_audit_due(db: Database, name: str, connected_at: datetime, every: timedelta, now: datetime) -> bool:
    """Whether the last one, or the day of connecting, is long enough ago, and no history is on its way in."""
    with db.transaction() as tx:
        last = journal.latest_run(tx, name, WHAT)
        if now - (last.started_at if last is not None else connected_at) < every:
            return False
        open_run = journal.latest_run(tx, name, WHAT, state="running")
        is_loading = any(not load.is_over and load.moved_at > now - REST for load in loads.list_loads(tx, name))
    return not is_loading and (open_run is None or open_run.leased_until is None or open_run.leased_until <= now)


def run_monthly_audit(
    db: Database, clock: Clock, name: str, look: Callable[[ReportProgress], AuditResult], goes_on: Callable[[], bool]
) -> bool:
    """One audit, written down; False where another process does it, or it did not get to its end.

    `look` makes it, and tells how far it is, which keeps the run ours; it ends soon after `goes_on` says no.
    """
    claim = claim_id()
    with db.transaction() as tx:
        run = journal.acquire_run(tx, name, WHAT, {}, claim, clock.now())
    if run is None:
        return False

    def tell(step: ReadProgress) -> None:
        with db.transaction() as tx:
            is_ours = journal.heartbeat(tx, name, run.id, claim, clock.now(), step=step.what, cursor=None, n=step.n)
        if not is_ours or not goes_on():
            raise _StoppedError

    done: AuditResult | None = None
    try:
        done = look(tell)
    except (_StoppedError, Failure):
        pass  # a missing secret has a case of its own
    finally:
        now = clock.now()
        with db.transaction() as tx:
            if done is not None and not done.is_away:
                journal.finish_run(tx, name, run.id, claim, now, _result(done))
            else:
                journal.release_run(tx, name, run.id, claim, now, rest_until=now + AGAIN_AFTER)
    return done is not None and not done.is_away


def new_findings(db: Database, name: str, done: AuditResult) -> list[str]:
    """The codes of what an audit found that the last one that is kept did not find, or not of as many records; all of
    them where none is kept.
    """
    with db.transaction() as tx:
        last = journal.latest_run(tx, name, WHAT)
    before: dict[str, int] = (last.result or {}).get("found", {}) if last is not None else {}
    return sorted(code for code, n in _by_code(done).items() if n > before.get(code, 0))


def _result(done: AuditResult) -> dict[str, Any]:
    """What is kept of an audit: counts and codes, and nobody's name."""
    return {
        "verdict": done.verdict.value,
        "found": _by_code(done),
        "unseen": sorted(one.code for one in done.unseen),
        "seconds": round(done.seconds, 1),
    }


def _by_code(done: AuditResult) -> dict[str, int]:
    """How many records each code was found of, over all stores."""
    found: dict[str, int] = {}
    for one in done.found:
        found[one.code] = found.get(one.code, 0) + one.n
    return found
