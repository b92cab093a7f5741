"""The one file that knows the job engine: ring a bell, keep the timetable, run the work.

Procrastinate (https://procrastinate.readthedocs.io) keeps bells and the timetable in the same database as the truth. A
bell says only that a lane may have work; rows say what it is. So a bell that is lost, doubled or late changes nothing:
a thread looks every second for rows that are due and rings for them (docs/decisions/0007).
"""

import asyncio
import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

import procrastinate
import procrastinate.exceptions
import structlog
from procrastinate import App as Engine
from procrastinate import PsycopgConnector, SyncPsycopgConnector

from isthmus.cases import sql as cases
from isthmus.cases.sql import Touch
from isthmus.cases.triage import judge
from isthmus.consent.writes import sql as writes
from isthmus.db.pool import Database, is_away, is_passing
from isthmus.flows import duplicates, enrich, govern, identifiers, watch
from isthmus.flows.abandon import abandon
from isthmus.flows.consent import audit as consent_audit
from isthmus.flows.consent import importer, profiles, unsubscribes
from isthmus.flows.consent.write_back import write_back
from isthmus.flows.deliver import deliver
from isthmus.flows.hold import release
from isthmus.flows.merges import ask
from isthmus.flows.poll import KINDS, poll, poll_checkouts
from isthmus.flows.process import process
from isthmus.flows.prune import Retention, prune
from isthmus.flows.remap import is_asked, remap
from isthmus.flows.road import Road
from isthmus.flows.settle import settle
from isthmus.identity.merges import sql as merges
from isthmus.inbox import sql as inbox
from isthmus.metrics import sql as sales
from isthmus.metrics.hold import sql as holds
from isthmus.model.failure import Failure
from isthmus.model.lane import Lane
from isthmus.outbox import sql as outbox
from isthmus.runs import sql as runs
from isthmus.runs import window
from isthmus.runs.rounds import sql as rounds
from isthmus.runtime import governing, telling, watching
from isthmus.runtime.app import App
from isthmus.runtime.audit_monthly import Auditor
from isthmus.runtime.reconciling import Reconciler

log = structlog.get_logger(__name__)

SHIFT = 5.0
"""Seconds a bell works before it rings for itself again, so that no connection keeps a thread for ever."""

SWEEP_EVERY = 1.0
SETTLE_EVERY = 2.0
RING_AGAIN_AFTER = 0.05
"""Seconds between two bells of one key from one process: a burst of deliveries needs one."""

TELL_EVERY = timedelta(seconds=15)
"""How often somebody looks for changes of state: an alarm must be out within a minute."""

GOVERN_EVERY = timedelta(days=1)
DUPLICATES_EVERY = timedelta(days=1)
"""How often everybody is compared with everybody who shares something with them."""

GOVERN_AGAIN_AFTER = timedelta(minutes=10)
"""When it did not get to its end."""

SIDE_BY_SIDE = {"process": 2, "push": 3, "settle": 1}
"""Drains of one kind and connection that one process runs at once. Three pushes use every slot while one hangs."""


def _connector(dsn: str) -> SyncPsycopgConnector:
    return SyncPsycopgConnector(conninfo=dsn, min_size=1, max_size=2, kwargs={"application_name": "isthmus bells"})


class Bells:
    """Rings. Safe to share between threads, never blocks the caller's own work for long, and never raises."""

    def __init__(self, dsn: str) -> None:
        self._engine = Engine(connector=_connector(dsn))
        self._rung: dict[str, float] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> "Bells":
        self._engine.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()

    def ring(self, task: str, connection: str, **more: str) -> None:
        """Say that there may be work. One bell per key waits at most, and an already waiting one is fine."""
        key = ":".join((task, connection, *more.values()))
        now = time.monotonic()
        with self._lock:
            if now - self._rung.get(key, float("-inf")) < RING_AGAIN_AFTER:
                return
            self._rung[key] = now
        with contextlib.suppress(procrastinate.exceptions.AlreadyEnqueued, procrastinate.exceptions.ConnectorException):
            self._engine.configure_task(task, queueing_lock=key).defer(connection=connection, **more)


class Worker:
    """One worker process: the engine's worker, the sweep, and what the bells are for."""

    def __init__(self, app: App, *, lanes: tuple[Lane, ...] = tuple(Lane)) -> None:
        self._app = app
        self._lanes = lanes
        self._bells = Bells(app.db.dsn)
        self._reconciler = Reconciler(app)
        self._auditor = Auditor(app)
        self._busy: dict[tuple[str, str], int] = defaultdict(int)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._settled_at: dict[str, float] = {}

    def run(self, threads: int) -> None:
        """Work until told to stop (SIGINT or SIGTERM); what is under way is finished first."""
        engine = Engine(connector=PsycopgConnector(conninfo=self._app.db.dsn, min_size=1, max_size=threads + 3))
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

    # What the bells are for ------------------------------------------------------------------------------------------

    def _register(self, engine: Engine) -> None:
        @engine.task(name="process")
        def _process(connection: str) -> None:
            self._shift(
                "process", connection, lambda lanes: process(self._app.db, self._road(connection), lanes).n_claimed
            )

        @engine.task(name="push")
        def _push(connection: str) -> None:
            def slot(lanes: tuple[Lane, ...]) -> int:
                return deliver(self._app.db, self._road(connection), lanes).n_sent

            if self._road(connection).is_live:
                self._shift("push", connection, slot)

        @engine.task(name="settle")
        def _settle(connection: str) -> None:
            self._shift("settle", connection, lambda _: self._settle(connection))

        @engine.task(name="poll")
        def _poll(connection: str, store: str, kind: str) -> None:
            if kind == "checkout":
                poll_checkouts(self._app.db, self._road(connection), store)
            else:
                poll(self._app.db, self._road(connection), store, kind)

        @engine.task(name="abandon")
        def _abandon(connection: str) -> None:
            self._shift("abandon", connection, lambda _: abandon(self._app.db, self._road(connection)))

        @engine.task(name="release")
        def _release(connection: str) -> None:
            self._shift("release", connection, lambda _: release(self._app.db, self._road(connection)))

        @engine.task(name="remap")
        def _remap(connection: str) -> None:
            self._shift("remap", connection, lambda _: remap(self._app.db, self._road(connection)))

        @engine.task(name="duplicates")
        def _duplicates(connection: str) -> None:
            self._look_after("duplicates", connection, lambda: duplicates.look(self._app.db, self._road(connection)))

        @engine.task(name="merge")
        def _merge(connection: str) -> None:
            self._look_after("merge", connection, lambda: ask.step(self._app.db, self._road(connection)))

        @engine.task(name="identifiers")
        def _identifiers(connection: str) -> None:
            self._look_after(
                "identifiers", connection, lambda: identifiers.look_again(self._app.db, self._road(connection))
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

        @engine.task(name="audit_consent")
        def _audit_consent(connection: str) -> None:
            self._look_after(
                "audit_consent", connection, lambda: consent_audit.audit(self._app.db, self._road(connection))
            )

        @engine.task(name="write_back")
        def _write_back(connection: str) -> None:
            self._shift("write_back", connection, lambda _: write_back(self._app.db, self._road(connection)).n)

        @engine.task(name="tell")
        def _tell(connection: str) -> None:
            self._look_after("tell", connection, lambda: telling.tell(self._app, connection))

        @engine.task(name="watch")
        def _watch(connection: str) -> None:
            self._look_after("watch", connection, lambda: watching.watch(self._app, connection))

        @engine.task(name="govern")
        def _govern(connection: str) -> None:
            self._look_after("govern", connection, lambda: governing.govern(self._app, connection))

        # The timetable. Seconds are the sixth field.
        @engine.periodic(cron="* * * * * */5")
        @engine.task(name="timetable", queueing_lock="timetable")
        def _timetable(timestamp: int) -> None:  # noqa: ARG001 - the engine's own argument
            self._timetable()

        @engine.periodic(cron="17 3 * * *")
        @engine.task(name="prune", queueing_lock="prune")
        def _prune(timestamp: int) -> None:  # noqa: ARG001
            keep = self._app.settings.retention
            retention = Retention(keep.raw, keep.events, keep.keys, keep.attempts, keep.cases)
            prune(self._app.db, self._app.clock.now(), retention)

        @engine.periodic(cron="*/10 * * * *")
        @engine.task(name="forget_the_dead", queueing_lock="forget_the_dead", pass_context=True)
        async def _forget(context: procrastinate.JobContext, timestamp: int) -> None:  # noqa: ARG001
            # Bells that a killed worker was answering; their rows were taken up by the sweep long ago.
            for job in await context.app.job_manager.get_stalled_jobs():
                await context.app.job_manager.finish_job(job, status=procrastinate.jobs.Status.FAILED, delete_job=True)

    def _reconcile(self, connection: str) -> int:
        """A shift of a run that may take the night; how it goes on is written down."""
        return int(self._reconciler.shift(connection, self._goes_on()))

    def _listen(self, connection: str) -> int:
        unsubscribes.hear(self._app.db, self._road(connection))
        return 0  # once a look; the timetable rings again

    def _attend(self, connection: str) -> int:
        """A look at whose profile changed, then at those of whom something was under way."""
        road = self._road(connection)
        if profiles.is_due(self._app.db, road):
            importer.look(self._app.db, road)
            profiles.hear(self._app.db, road, self._goes_on())
        return profiles.look_again(self._app.db, road)

    def _goes_on(self) -> Callable[[], bool]:
        """Whether there is time left in a shift that begins now."""
        until = time.monotonic() + SHIFT
        return lambda: not self._over.is_set() and time.monotonic() < until

    def _enrich(self, connection: str) -> int:
        """One page of what is due, read by those who leave a shop's points to the road."""
        return enrich.step(self._app.db, self._reconciler.road(connection))

    def _settle(self, connection: str) -> int:
        self._settled_at[connection] = time.monotonic()
        settle(self._app.db, self._road(connection))
        return 0  # once a look; the sweep rings again when it is time for the next

    def _road(self, connection: str) -> Road:
        return self._app.road(connection)

    def _shift(self, task: str, connection: str, step: Callable[[tuple[Lane, ...]], int]) -> None:
        """Step until nothing is left or the shift is over; a few at once per process and connection."""
        with self._place(task, connection) as has_place:
            if not has_place:
                return
            until = time.monotonic() + SHIFT
            while not self._over.is_set():
                lanes = self._open_lanes(connection)
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
            return step(lanes)
        except Exception as error:
            if is_away(error) or is_passing(error):
                return 0
            verdict = judge(error, 1)
            log.error("a step failed", task=task, connection=connection, code=verdict.code, detail=verdict.detail)
            with self._app.db.transaction() as tx:
                cases.touch(tx, connection, [Touch(verdict.code, task, "", verdict.detail)], self._app.clock.now())
            return 0

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

    def _open_lanes(self, connection: str) -> tuple[Lane, ...]:
        """Lanes that this worker serves and nobody has paused. A failure's block slows pushes, it does not end them."""
        connected = self._app.connected(connection)
        if connected.paused_at is not None:
            return ()
        return tuple(lane for lane in self._lanes if lane not in connected.paused_lanes)

    # The sweep -------------------------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        """Ring for everything that is due: the guarantee behind the bells, for lost ones and ended leases alike."""
        while not self._over.wait(SWEEP_EVERY):
            try:
                for name in self._app.names():
                    self._look(self._app.db, name)
            except Exception as error:
                if not is_away(error):
                    log.error("sweep failed", error=type(error).__name__)

    def _look(self, db: Database, name: str) -> None:
        lanes = self._open_lanes(name)
        if not lanes:
            return
        try:
            road = self._app.road(name)
        except Exception as error:
            log.warning("connection cannot work", connection=name, why=str(error))
            return
        with db.transaction() as tx:
            now = road.clock.now()
            has_events = any(inbox.is_due(tx, name, lane, road.tick(lane)) for lane in lanes)
            has_events = has_events or (Lane.BACKFILL in lanes and sales.is_due(tx, name, now))
            outbox.reap(tx, name, now)
            has_writes = road.is_live and outbox.due(tx, name, now, lanes)
            is_open = outbox.awaits_settlement(tx, name)
            has_consent = road.is_live and writes.is_due(tx, name, now)
        if has_events:
            self._bells.ring("process", name)
        if has_writes:
            self._bells.ring("push", name)
        if has_consent:
            self._bells.ring("write_back", name)
        if is_open and time.monotonic() - self._settled_at.get(name, 0.0) >= SETTLE_EVERY:
            self._bells.ring("settle", name)

    def _timetable(self) -> None:
        """Ring for what comes round: the polls that are due, baskets gone quiet, holds whose time is up."""
        for name in self._app.names():
            with self._app.db.transaction() as tx:
                marks = runs.marks(tx, name)
                now = self._app.clock.now()
                is_merging = merges.is_due(tx, name, now)
                is_over = holds.is_over(tx, name, now)
                at = rounds.rounds(tx, name)
            self._look_around(name, marks, now)
            if not self._open_lanes(name):
                continue
            try:
                road = self._app.road(name)
            except Failure:
                continue  # the sweep says why; the other connections go on
            mark = marks.get(("", watch.MARK))
            if window.is_due(mark.at if mark else None, now, road.pace.watch_every):
                self._bells.ring("watch", name)
            for store in road.shops:
                for kind in (*KINDS, "checkout"):
                    mark = marks.get((store, f"poll:{kind}"))
                    if window.is_due(mark.at if mark else None, now, road.pace.poll_every):
                        self._bells.ring("poll", name, store=store, kind=kind)
            self._bells.ring("abandon", name)
            self._bells.ring("attend", name)
            mark = marks.get(("", unsubscribes.MARK))
            if window.is_due(mark.at if mark else None, now, road.pace.unsubscribes_every):
                self._bells.ring("listen", name)
            heard, audited = marks.get(("", profiles.MARK)), marks.get(("", consent_audit.MARK))
            since = audited or heard  # the first look at everybody comes first, and is no audit yet
            if road.is_live and since is not None and window.is_due(since.at, now, road.pace.consent_audit_every):
                self._bells.ring("audit_consent", name)
            if is_over:
                self._bells.ring("release", name)
            if Lane.ENRICHMENT in self._open_lanes(name) and enrich.due(road, at, now):
                self._bells.ring("enrich", name)
            if is_asked(marks, now):
                self._bells.ring("remap", name)
            if self._auditor.is_due(name):
                self._auditor.begin(name, lambda: not self._over.is_set())
            if self._reconciler.is_due(name):
                self._bells.ring("reconcile", name)
            mark = marks.get(("", duplicates.MARK))
            if window.is_due(mark.at if mark else None, now, DUPLICATES_EVERY):
                self._bells.ring("duplicates", name)
            mark = marks.get(("", identifiers.MARK))
            if window.is_due(mark.at if mark else None, now, identifiers.EVERY):
                self._bells.ring("identifiers", name)
            if is_merging:
                self._bells.ring("merge", name)

    def _look_around(self, name: str, marks: Mapping[tuple[str, str], runs.Mark], now: datetime) -> None:
        """Ring for what is done of every connection, a shut one among them: somebody must be told of it."""

        def is_due(mark: str, every: timedelta) -> bool:
            last = marks.get(("", mark))
            return window.is_due(last.at if last else None, now, every)

        if telling.is_wanted(self._app) and is_due("tell", TELL_EVERY):
            self._bells.ring("tell", name)
        if is_due(govern.MARK, GOVERN_EVERY) and is_due(govern.TRIED, GOVERN_AGAIN_AFTER):
            self._bells.ring("govern", name)


def is_installed(db: Database) -> bool:
    with db.transaction() as tx:
        return tx.fetch_value("SELECT to_regclass('procrastinate_jobs')") is not None


def install(db: Database) -> bool:
    """Put the engine's own tables into the database, once; whether they were missing."""
    with db.transaction() as tx:
        tx.execute("SELECT pg_advisory_xact_lock(hashtext('isthmus engine'))")
        if tx.fetch_value("SELECT to_regclass('procrastinate_jobs')") is not None:
            return False
        tx.connection.execute(procrastinate.schema.SchemaManager.get_schema())
        return True
