"""When there may be work: what is looked for every second, and what comes round by itself.

Nothing is done here: whoever finds something to do rings for it, and rows say what it is.
"""

import contextlib
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from isthmus.app.context import App
from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.cases.triage import decide_retry
from isthmus.commands import notify
from isthmus.commands.audit_monthly import Auditor
from isthmus.commands.reconcile import Reconciler
from isthmus.consent.sql import store_updates as writes
from isthmus.customer_metrics.sql import order_totals as sales
from isthmus.customer_metrics.sql import service_hold as holds
from isthmus.db.pool import is_retryable, is_unavailable
from isthmus.flows import config_changes, duplicates, enrich, identifiers, recheck, subscription_monitor
from isthmus.flows.consent import audit as consent_audit
from isthmus.flows.consent import poll_profiles, poll_unsubscribes, recurring_differences
from isthmus.flows.context import ConnectionContext
from isthmus.flows.poll import KINDS
from isthmus.flows.remap import is_remap_requested
from isthmus.flows.safety import decide
from isthmus.identity.sql import merges
from isthmus.inbox.sql import events as inbox
from isthmus.model.failure import BlockedError, Failure
from isthmus.model.lane import Lane
from isthmus.outbox.sql import error_feed as feed
from isthmus.outbox.sql import queue as outbox
from isthmus.runs import window
from isthmus.runs.sql import scan_cursors as rounds
from isthmus.runs.sql import watermarks as runs

log = structlog.get_logger(__name__)

SETTLE_EVERY = timedelta(seconds=2)

AT_LEAST_APART = 3.0
"""Seconds between two rounds of the scheduler in one process."""

SHOWN_EVERY = 60.0
"""Seconds between two counts of one bug that is met at every look."""

HALF_A_SWEEP = timedelta(seconds=0.5)
"""Added to what is looked at once a sweep, so that its interval is on average the one that was asked for."""

NOTIFY_EVERY = timedelta(seconds=15)
"""How often somebody looks for changes of state: an alarm must be out within a minute."""

DUPLICATES_EVERY = timedelta(days=1)
"""How often everybody is compared with everybody who shares something with them."""

GOVERN_EVERY = timedelta(days=1)
GOVERN_AGAIN_AFTER = timedelta(minutes=5)
"""When it did not get to its end."""

Marks = Mapping[tuple[str, str], runs.Mark]


class Enqueue(Protocol):
    """Says that there may be work of a kind for a connection."""

    def __call__(self, task: str, connection: str, **more: str) -> None: ...


class Notes(Protocol):
    """Notes that a task of a connection went well."""

    def __call__(self, task: str, connection: str, now: datetime) -> None: ...


class Scheduler:
    """What one worker process looks for, in the lanes that it serves."""

    def __init__(
        self,
        app: App,
        lanes: tuple[Lane, ...],
        reconciler: Reconciler,
        ring: Enqueue,
        goes_on: Callable[[], bool],
        went_well: Notes = lambda _, __, ___: None,
    ) -> None:
        self._app = app
        self._lanes = lanes
        self._reconciler = reconciler
        self._ring = ring
        self._goes_on = goes_on
        self._went_well = went_well
        self._auditor = Auditor(app)
        self._shown_at: dict[tuple[str, str], float] = {}
        self._came_round_at = float("-inf")

    def open_lanes(self, connection: str) -> tuple[Lane, ...]:
        """Lanes that this worker serves and nobody has paused. A failure's block slows pushes, it does not end them."""
        connected = self._app.connected(connection)
        if connected.paused_at is not None:
            return ()
        return tuple(lane for lane in self._lanes if lane not in connected.paused_lanes)

    def sweep(self) -> None:
        """Ring for everything that is due: the guarantee behind the wake-ups, for lost ones and ended leases alike."""
        try:
            names = self._app.names()
        except Exception as error:
            if not is_unavailable(error):
                log.error("sweep failed", error=type(error).__name__)
            return
        for name in names:
            self._alone("sweep", name, self._look)

    def _alone(self, what: str, name: str, look: Callable[[str], None]) -> None:
        """Look at one connection. What nobody foresaw there is a case of that connection and stops no other."""
        try:
            if (failure := self._app.unusable(name)) is not None:
                self._out_of_work(name, failure)
            else:
                look(name)
        except Exception as error:
            if is_unavailable(error) or is_retryable(error):
                return
            if time.monotonic() - self._shown_at.get((what, name), float("-inf")) < SHOWN_EVERY:
                return
            self._shown_at[what, name] = time.monotonic()
            verdict = decide_retry(error, 1)
            log.error("a look failed", what=what, connection=name, code=verdict.code, detail=verdict.detail)
            with contextlib.suppress(Exception), self._app.db.transaction() as tx:
                cases.open_or_count(tx, name, [Touch(verdict.code, what, "", verdict.detail)], self._app.clock.now())
        else:
            self._went_well(what, name, self._app.clock.now())

    def _out_of_work(self, name: str, failure: BlockedError) -> None:
        """A connection that another version stored, and that this one cannot use."""
        if time.monotonic() - self._shown_at.get((failure.code, name), float("-inf")) < SHOWN_EVERY:
            return
        self._shown_at[failure.code, name] = time.monotonic()
        log.error("a connection cannot be used", connection=name, why=failure.detail)
        now = self._app.clock.now()
        with self._app.db.transaction() as tx:
            cases.open_or_count(tx, name, [Touch(failure.code, "", "", failure.detail)], now)
            marks = runs.load_watermarks(tx, name)
        if notify.is_notification_configured(self._app) and _is_due(marks, "tell", NOTIFY_EVERY, now):
            self._ring("tell", name)

    def come_round(self) -> None:
        """Ring for what comes round: the polls that are due, baskets gone quiet, holds whose time is up."""
        if time.monotonic() - self._came_round_at < AT_LEAST_APART:
            return  # several have waited for a free thread
        self._came_round_at = time.monotonic()
        for name in self._app.names():
            self._alone("timetable", name, self._come_round)

    def _come_round(self, name: str) -> None:
        with self._app.db.transaction() as tx:
            marks = runs.load_watermarks(tx, name)
            now = self._app.clock.now()
            is_merging = merges.is_merge_due(tx, name, now)
            is_over = holds.has_expired_holds(tx, name, now)
            at = rounds.list_scans(tx, name)
        self._look_around(name, marks, now)
        lanes = self.open_lanes(name)
        if not lanes:
            return
        try:
            context = self._app.context(name)
        except Failure:
            return  # the sweep says why; the other connections go on
        self._listen(name, context, marks, now)
        if recurring_differences.returning_stores(marks):
            self._ring("take_back", name)
        if _is_due(marks, subscription_monitor.MARK, context.pace.watch_every, now):
            self._ring("watch", name)
        for store in context.shops:
            for kind in (*KINDS, "checkout"):
                if _is_due(marks, f"poll:{kind}", context.pace.poll_every, now, store):
                    self._ring("poll", name, store=store, kind=kind)
        self._ring("abandon", name)
        if is_over:
            self._ring("release", name)
        if Lane.ENRICHMENT in lanes and enrich.due_scans(context, at, now):
            self._ring("enrich", name)
        with self._app.db.transaction() as tx:
            has_plans = decide.is_plan_due(tx, context, now)
        if has_plans:
            self._ring("plans", name)
        if is_remap_requested(marks, now):
            self._ring("remap", name)
        if self._auditor.is_due(name):
            self._auditor.begin(name, self._goes_on)
        if self._reconciler.is_due(name):
            self._ring("reconcile", name)
        if _is_due(marks, duplicates.MARK, DUPLICATES_EVERY, now):
            self._ring("duplicates", name)
        if _is_due(marks, identifiers.MARK, identifiers.EVERY, now):
            self._ring("identifiers", name)
        if _is_due(marks, recheck.MARK, recheck.EVERY, now):
            self._ring("recheck", name)
        if is_merging:
            self._ring("merge", name)

    def _look(self, name: str) -> None:
        lanes = self.open_lanes(name)
        if not lanes:
            return
        try:
            context = self._app.context(name)
        except Exception as error:
            log.warning("connection misconfigured", connection=name, why=str(error))
            return
        with self._app.db.transaction() as tx:
            now = context.clock.now()
            has_events = any(inbox.is_lane_due(tx, name, lane, context.tick(lane)) for lane in lanes)
            has_events = has_events or (Lane.BACKFILL in lanes and sales.is_remap_due(tx, name, now))
            outbox.release_expired_leases(tx, name, now)
            has_writes = context.is_live and outbox.is_push_due(tx, name, now, lanes)
            is_open = feed.is_poll_due(tx, name, now, SETTLE_EVERY)
            has_consent = context.is_live and writes.is_update_due(tx, name, now)
            heard_at = runs.last_turn(tx, name, poll_unsubscribes.MARK)
        if window.is_window_due(heard_at, now + HALF_A_SWEEP, context.pace.unsubscribes_every):
            self._ring("listen", name)
        if has_events:
            self._ring("process", name)
        if has_writes:
            self._ring("push", name)
        if has_consent:
            self._ring("write_back", name)
        if is_open:
            self._ring("settle", name)

    def _listen(self, name: str, context: ConnectionContext, marks: Marks, now: datetime) -> None:
        """Ring for what Ometria is asked about consent."""
        self._ring("attend", name)
        heard, audited = marks.get(("", poll_profiles.MARK)), marks.get(("", consent_audit.MARK))
        since = audited or heard  # the first look at everybody comes first, and is no audit yet
        if (
            context.is_live
            and since is not None
            and window.is_window_due(since.at, now, context.pace.consent_audit_every)
        ):
            self._ring("audit_consent", name)

    def _look_around(self, name: str, marks: Marks, now: datetime) -> None:
        """Ring for what is done of every connection, a shut one among them: somebody must be told of it."""
        if notify.is_notification_configured(self._app) and _is_due(marks, "tell", NOTIFY_EVERY, now):
            self._ring("tell", name)
        if _is_due(marks, config_changes.MARK, GOVERN_EVERY, now) and _is_due(
            marks, config_changes.TRIED, GOVERN_AGAIN_AFTER, now
        ):
            self._ring("govern", name)


def _is_due(marks: Marks, mark: str, every: timedelta, now: datetime, store: str = "") -> bool:
    last = marks.get((store, mark))
    return window.is_window_due(last.at if last else None, now, every)
