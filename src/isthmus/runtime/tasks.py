"""The one file that knows the job engine: ring a bell, keep the scheduler, run the work.

Procrastinate (https://procrastinate.readthedocs.io) keeps wake-ups and schedules in the same database as the data. A
bell says only that a lane may have work; rows say what it is. So a bell that is lost, doubled or late changes nothing:
a thread looks every second for rows that are due and rings for them (docs/decisions/0007).
"""

import asyncio
import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator

import procrastinate
import procrastinate.exceptions
import structlog
from procrastinate import App as Engine
from procrastinate import PsycopgConnector, SyncPsycopgConnector

from isthmus.app.context import App
from isthmus.app.engine import ENQUEUE
from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.cases.triage import decide_retry
from isthmus.commands import check_config_changes, monitor_subscriptions, notify
from isthmus.commands.reconcile import Reconciler
from isthmus.db import session
from isthmus.db.pool import is_retryable, is_unavailable
from isthmus.flows import duplicates, enrich, identifiers
from isthmus.flows.abandoned_checkouts import send_abandoned_checkouts
from isthmus.flows.consent import audit as consent_audit
from isthmus.flows.consent import native_importer, poll_profiles, poll_unsubscribes, recurring_differences
from isthmus.flows.consent.write_back import write_back
from isthmus.flows.context import ConnectionContext
from isthmus.flows.deliver import push_next_batch
from isthmus.flows.good_runs import GoodRuns
from isthmus.flows.merges import execute
from isthmus.flows.poll import poll_checkouts, poll_records
from isthmus.flows.process import process_batch
from isthmus.flows.prune import Retention, prune_all
from isthmus.flows.recheck import close_finished_cases
from isthmus.flows.remap import remap_page
from isthmus.flows.safety import decide
from isthmus.flows.service_hold import release_expired_holds
from isthmus.flows.settle import settle_pushes
from isthmus.model.lane import Lane
from isthmus.outbox.sql import error_feed as feed
from isthmus.runtime.scheduler import SETTLE_EVERY, Scheduler

log = structlog.get_logger(__name__)

TIME_SLICE = 5.0
"""Seconds a bell works before it rings for itself again, so that no connection keeps a thread for ever."""

SWEEP_EVERY = 1.0
WAKE_AGAIN_AFTER = 0.05
"""Seconds between two wake-ups of one key from one process: a burst of deliveries needs one."""

SIDE_BY_SIDE = {"process": 2, "push": 3, "settle": 1}
"""Drains of one kind and connection that one process runs at once. Three pushes use every slot while one hangs."""


def _connector(dsn: str) -> SyncPsycopgConnector:
    return SyncPsycopgConnector(
        conninfo=dsn,
        min_size=1,
        max_size=2,
        kwargs={"application_name": "isthmus wake-ups"},
        reset=session.replace_read_only_session,
    )


class WakeUps:
    """Rings. Safe to share between threads, never blocks the caller's own work for long, and never raises."""

    def __init__(self, dsn: str) -> None:
        self._engine = Engine(connector=_connector(dsn))
        self._rung: dict[str, float] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> "WakeUps":
        self._engine.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()

    def ring(self, task: str, connection: str, **more: str) -> None:
        """Say that there may be work. One bell per key waits at most, and an already waiting one is fine."""
        key = ":".join((task, connection, *more.values()))
        now = time.monotonic()
        with self._lock:
            if now - self._rung.get(key, float("-inf")) < WAKE_AGAIN_AFTER:
                return
            self._rung[key] = now
        with contextlib.suppress(procrastinate.exceptions.ConnectorException):
            args = {"connection": connection, **more}
            self._engine.connector.get_sync_connector().execute_query(ENQUEUE, task=task, key=key, args=args)


class Worker:
    """One worker process: the engine's worker, the sweep, and what the wake-ups are for."""

    def __init__(self, app: App, *, lanes: tuple[Lane, ...] = tuple(Lane)) -> None:
        self._app = app
        self._bells = WakeUps(app.db.dsn)
        self._busy: dict[tuple[str, str], int] = defaultdict(int)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._reconciler = Reconciler(app)
        self._good_runs = GoodRuns()
        self._timetable = Scheduler(
            app, lanes, self._reconciler, self._bells.ring, lambda: not self._over.is_set(), self._good_runs.note
        )

    def run(self, threads: int) -> None:
        """Work until told to stop (SIGINT or SIGTERM); what is under way is finished first."""
        engine = Engine(
            connector=PsycopgConnector(
                conninfo=self._app.db.dsn, min_size=1, max_size=threads + 3, reset=session.renew_async
            )
        )
        self._register(engine)
        sweep = threading.Thread(target=self._sweep, name="sweep", daemon=True)

        async def work() -> None:
            async with engine.open_async():
                await engine.run_worker_async(
                    concurrency=threads,
                    delete_jobs="always",  # a bell that has rung says nothing any more
                    fetch_job_polling_interval=1.0,
                    shutdown_graceful_timeout=8.0,
                )

        with self._bells:
            sweep.start()
            try:
                asyncio.run(work())
            finally:
                self._over.set()
                sweep.join(timeout=3)

    # What the wake-ups are for ------------------------------------------------------------------------------------

    def _register(self, engine: Engine) -> None:
        @engine.task(name="process")
        def _process(connection: str) -> None:
            self._shift(
                "process",
                connection,
                lambda lanes: process_batch(self._app.db, self._road(connection), lanes).n_claimed,
            )

        @engine.task(name="push")
        def _push(connection: str) -> None:
            def slot(lanes: tuple[Lane, ...]) -> int:
                context = self._road(connection)
                return push_next_batch(self._app.db, context, lanes).n_sent if context.is_live else 0

            self._shift("push", connection, slot)

        @engine.task(name="settle")
        def _settle(connection: str) -> None:
            self._shift("settle", connection, lambda _: self._settle(connection))

        @engine.task(name="poll")
        def _poll(connection: str, store: str, kind: str) -> None:
            if kind == "checkout":
                poll_checkouts(self._app.db, self._road(connection), store)
            else:
                poll_records(self._app.db, self._road(connection), store, kind)

        @engine.task(name="abandon")
        def _abandon(connection: str) -> None:
            self._shift("abandon", connection, lambda _: send_abandoned_checkouts(self._app.db, self._road(connection)))

        @engine.task(name="release")
        def _release(connection: str) -> None:
            self._shift("release", connection, lambda _: release_expired_holds(self._app.db, self._road(connection)))

        @engine.task(name="remap")
        def _remap(connection: str) -> None:
            self._shift("remap", connection, lambda _: remap_page(self._app.db, self._road(connection)))

        @engine.task(name="plans")
        def _plans(connection: str) -> None:
            self._look_after("plans", connection, lambda: decide.judge_plans(self._app.db, self._road(connection)))

        @engine.task(name="duplicates")
        def _duplicates(connection: str) -> None:
            self._look_after(
                "duplicates", connection, lambda: duplicates.find_duplicates(self._app.db, self._road(connection))
            )

        @engine.task(name="recheck")
        def _recheck(connection: str) -> None:
            self._look_after("recheck", connection, lambda: self._recheck(connection))

        @engine.task(name="merge")
        def _merge(connection: str) -> None:
            self._look_after("merge", connection, lambda: execute.run_next_merge(self._app.db, self._road(connection)))

        @engine.task(name="identifiers")
        def _identifiers(connection: str) -> None:
            self._look_after(
                "identifiers",
                connection,
                lambda: identifiers.remap_resolved_conflicts(self._app.db, self._road(connection)),
            )

        @engine.task(name="enrich")
        def _enrich(connection: str) -> None:
            self._shift("enrich", connection, lambda lanes: self._enrich(connection) if Lane.ENRICHMENT in lanes else 0)

        @engine.task(name="reconcile")
        def _reconcile(connection: str) -> None:
            self._shift("reconcile", connection, lambda _: self._reconcile(connection))

        @engine.task(name="listen")
        def _listen(connection: str) -> None:
            self._shift("listen", connection, lambda _: self._listen(connection))

        @engine.task(name="attend")
        def _attend(connection: str) -> None:
            self._shift("attend", connection, lambda _: self._attend(connection))

        @engine.task(name="take_back")
        def _take_back(connection: str) -> None:
            self._look_after(
                "take_back", connection, lambda: recurring_differences.run_step(self._app.db, self._road(connection))
            )

        @engine.task(name="audit_consent")
        def _audit_consent(connection: str) -> None:
            self._look_after(
                "audit_consent",
                connection,
                lambda: consent_audit.run_consent_audit(self._app.db, self._road(connection)),
            )

        @engine.task(name="write_back")
        def _write_back(connection: str) -> None:
            self._shift("write_back", connection, lambda _: write_back(self._app.db, self._road(connection)).n)

        @engine.task(name="tell")
        def _tell(connection: str) -> None:
            self._look_after("tell", connection, lambda: notify.notify_connection(self._app, connection))

        @engine.task(name="watch")
        def _watch(connection: str) -> None:
            self._look_after(
                "watch", connection, lambda: monitor_subscriptions.monitor_subscriptions(self._app, connection)
            )

        @engine.task(name="govern")
        def _govern(connection: str) -> None:
            self._look_after(
                "govern", connection, lambda: check_config_changes.check_config_changes(self._app, connection)
            )

        # The scheduler. Seconds are the sixth field.
        # None has a queueing lock: one that still waits would make the next an error in PostgreSQL's log, and what
        # comes late or twice finds little or nothing to do.
        @engine.periodic(cron="* * * * * */5")
        @engine.task(name="timetable")
        def _timetable(timestamp: int) -> None:  # noqa: ARG001 - the engine's own argument
            self._timetable.come_round()

        @engine.periodic(cron="17 3 * * *")
        @engine.task(name="prune")
        def _prune(timestamp: int) -> None:  # noqa: ARG001
            keep = self._app.settings.retention
            retention = Retention(keep.raw, keep.events, keep.keys, keep.attempts, keep.cases)
            prune_all(self._app.db, self._app.clock.now(), retention)

        @engine.periodic(cron="*/10 * * * *")
        @engine.task(name="forget_the_dead", pass_context=True)
        async def _forget(context: procrastinate.JobContext, timestamp: int) -> None:  # noqa: ARG001
            # Wake-ups that a killed worker was answering; their rows were taken up by the sweep long ago.
            for job in await context.app.job_manager.get_stalled_jobs():
                await context.app.job_manager.finish_job(job, status=procrastinate.jobs.Status.FAILED, delete_job=True)

    def _recheck(self, connection: str) -> None:
        close_finished_cases(self._app.db, self._road(connection))
        self._good_runs.close(self._app.db, connection, self._app.clock.now())

    def _reconcile(self, connection: str) -> int:
        """A shift of a run that may take the night; how it goes on is written down."""
        return int(self._reconciler.shift(connection, self._goes_on()))

    def _listen(self, connection: str) -> int:
        poll_unsubscribes.poll_unsubscribes(self._app.db, self._road(connection))
        return 0  # once a look; the scheduler rings again

    def _attend(self, connection: str) -> int:
        """A look at whose profile changed, then at those of whom something was under way."""
        context = self._road(connection)
        if poll_profiles.is_poll_due(self._app.db, context):
            native_importer.check_native_importer(self._app.db, context)
            poll_profiles.poll_profiles(self._app.db, context, self._goes_on())
        return poll_profiles.recheck_profiles(self._app.db, context)

    def _goes_on(self) -> Callable[[], bool]:
        """Whether there is time left in a shift that begins now."""
        until = time.monotonic() + TIME_SLICE
        return lambda: not self._over.is_set() and time.monotonic() < until

    def _enrich(self, connection: str) -> int:
        """One page of what is due, read by those who leave a shop's points to the pipeline."""
        return enrich.scan_next_page(self._app.db, self._reconciler.context(connection))

    def _settle(self, connection: str) -> int:
        with self._app.db.transaction() as tx:
            if not feed.take_poll_turn(tx, connection, self._app.clock.now(), SETTLE_EVERY):
                return 0  # another process has just looked
        settle_pushes(self._app.db, self._road(connection))
        return 0  # once a look; the sweep rings again when it is time for the next

    def _road(self, connection: str) -> ConnectionContext:
        return self._app.context(connection)

    def _shift(self, task: str, connection: str, step: Callable[[tuple[Lane, ...]], int]) -> None:
        """Step until nothing is left or the shift is over; a few at once per process and connection."""
        with self._place(task, connection) as has_place:
            if not has_place or self._app.unusable(connection) is not None:
                return
            until = time.monotonic() + TIME_SLICE
            while not self._over.is_set():
                lanes = self._timetable.open_lanes(connection)
                if not lanes or not self._took(step, lanes, task, connection):
                    return
                if time.monotonic() >= until:
                    self._bells.ring(task, connection)
                    return

    def _look_after(self, task: str, connection: str, look: Callable[[], object]) -> None:
        """Do what is done of a connection whether or not it may work: once, and by one thread of this process."""

        def step(_: tuple[Lane, ...]) -> int:
            look()
            return 0

        with self._place(task, connection) as has_place:
            if has_place:
                self._took(step, (), task, connection)

    def _took(
        self, step: Callable[[tuple[Lane, ...]], int], lanes: tuple[Lane, ...], task: str, connection: str
    ) -> int:
        """Take one step. What nobody foresaw ends the shift and becomes a case; leases end by themselves."""
        try:
            n = step(lanes)
        except Exception as error:
            if is_unavailable(error) or is_retryable(error):
                return 0
            verdict = decide_retry(error, 1)
            log.error("task failed", task=task, connection=connection, code=verdict.code, detail=verdict.detail)
            with self._app.db.transaction() as tx:
                cases.open_or_count(
                    tx, connection, [Touch(verdict.code, task, "", verdict.detail)], self._app.clock.now()
                )
            return 0
        self._good_runs.note(task, connection, self._app.clock.now())
        return n

    def _sweep(self) -> None:
        while not self._over.wait(SWEEP_EVERY):
            self._timetable.sweep()

    @contextlib.contextmanager
    def _place(self, task: str, connection: str) -> Iterator[bool]:
        key = (task, connection)
        with self._lock:
            has_place = self._busy[key] < SIDE_BY_SIDE.get(task, 1)
            if has_place:
                self._busy[key] += 1
        try:
            yield has_place
        finally:
            if has_place:
                with self._lock:
                    self._busy[key] -= 1
