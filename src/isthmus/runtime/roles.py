"""The roles a process may play: the webhook endpoint, a worker, or the keeper of a group of both."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

import structlog
from prometheus_client import CollectorRegistry

from isthmus.app import engine, schema
from isthmus.app.context import App
from isthmus.db.autocommit_connection import AutocommitConnection
from isthmus.db.migrate import SchemaTooNew
from isthmus.db.readiness import prove
from isthmus.flows.ingest import ingest
from isthmus.flows.secret_rotation import report_previous_secret
from isthmus.kit import heap
from isthmus.kit.compression import Packer
from isthmus.model.event import Delivery
from isthmus.model.lane import Lane
from isthmus.ops import metrics
from isthmus.ops.status import read_status
from isthmus.runtime.tasks import WakeUps, Worker
from isthmus.web.dashboard.app import dashboard
from isthmus.web.listener import make_listener
from isthmus.web.server import Server

log = structlog.get_logger(__name__)

SECRETS_EVERY = 2.0
"""Seconds until the webhook endpoint has heard of a new connection or a rotated secret."""

READY_WITHIN = 3.0
"""Seconds that the proof of a write may take; those who ask /ready seldom wait longer than five."""

SCHEMA_EVERY = 5.0
"""Seconds between two looks whether the schema is still one this program works with."""

ROTATION_EVERY = 60.0
"""Seconds between two notes of deliveries that only a previous secret opened."""

RESTART_AFTER = (0.1, 0.5, 2.0, 5.0)
"""Seconds before a role that died is started again; from the last on for a role that keeps dying."""

STOP_WITHIN = 12.0


def run_web(app: App, *, is_silent: bool = False) -> None:
    """Answer HTTP until told to stop. Says where it listens, whatever the log's level; not to whom has a view of it."""
    settings = app.settings
    line, packer = AutocommitConnection(app.db.dsn, application_name="isthmus door"), Packer()

    async def keep(deliveries: Sequence[Delivery]) -> list[bool]:
        return await ingest(line, deliveries, app.clock.now(), packer)

    engine_needs = list(engine.engine_migrations())
    last_reason: list[str | None] = [None]

    async def is_ready() -> bool:
        try:
            async with asyncio.timeout(READY_WITHIN):
                why = await prove(line, "web", app.clock.now(), schema.required_version(), engine_needs)
        except TimeoutError:
            why = "the database does not answer"
        if why != last_reason[0]:
            log.warning("not ready" if why else "ready again", reason=why)
        last_reason[0] = why
        return why is None

    registry = CollectorRegistry()
    metrics.register_status(lambda: read_status(app.db, app.clock.now()), registry)
    held = [app.doors()]
    with WakeUps(app.db.dsn) as bells, _every(SECRETS_EVERY, lambda: held.__setitem__(0, app.doors()), "doors"):
        ringer = _Ringer(bells)
        server = Server(
            doors=lambda: held[0],
            keep=keep,
            ring=ringer.ring,
            is_ready=is_ready,
            registry=registry,
            desk=dashboard(lambda: read_status(app.db, app.clock.now())),
            close=line.close,
        )

        def say(host: str, port: int) -> None:
            log.info("web is up", host=host, port=port)
            if not is_silent:
                at = f"[{host}]" if ":" in host else host
                sys.stderr.write(f"isthmus: listening on http://{at}:{port} (webhooks, health, metrics, dashboard)\n")
                sys.stderr.flush()

        made = make_listener(server, host=settings.web.host, port=settings.web.port, on_up=say)

        def write_down() -> None:
            counts = server.rotation.take()
            try:
                report_previous_secret(app.db, counts, app.clock.now())
            except Exception:
                server.rotation.give_back(counts)
                raise

        with (
            _ends_when_outdated(app),
            _every(ROTATION_EVERY, write_down, "rotation"),
            contextlib.suppress(KeyboardInterrupt),
        ):
            heap.freeze_heap()
            made.run()  # it passes on the signal that it has already obeyed


def run_workers(app: App, lanes: Sequence[Lane] = tuple(Lane)) -> None:
    """Work until told to stop."""
    with _ends_when_outdated(app):
        heap.freeze_heap()
        Worker(app, lanes=tuple(lanes)).run(app.settings.workers.threads)


def _ends_when_outdated(app: App) -> contextlib.AbstractContextManager[None]:
    """A migration that contracts the schema ends programs that do not know it, before they do wrong."""

    def look() -> None:
        try:
            schema.require_compatible_schema(app)
        except SchemaTooNew as error:
            log.error("this program is too old for the database and ends", detail=str(error))
            os.kill(os.getpid(), signal.SIGTERM)

    return _every(SCHEMA_EVERY, look, "schema")


def stop_with_parent(app: App) -> None:
    """Stop when standard input ends: the process that started this one is gone then, however it ended.

    A role that has not ended STOP_WITHIN later is ended, as nobody is left to kill it; the database server it used
    must not outlive it.
    """

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(STOP_WITHIN)
        try:
            app.leave_database()
        finally:
            os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


class _Ringer:
    """Rings from a thread of its own, so that the event loop never waits for a bell."""

    def __init__(self, bells: WakeUps) -> None:
        self._bells = bells
        self._wanted: set[str] = set()
        self._is_wanted = threading.Event()
        threading.Thread(target=self._run, name="wake-ups", daemon=True).start()

    def ring(self, connection: str, _: Lane) -> None:
        self._wanted.add(connection)
        self._is_wanted.set()

    def _run(self) -> None:
        while True:
            self._is_wanted.wait()
            self._is_wanted.clear()
            while self._wanted:
                self._bells.ring("process", self._wanted.pop())


@contextlib.contextmanager
def _every(seconds: float, act: Callable[[], None], name: str) -> Iterator[None]:
    over = threading.Event()

    def run() -> None:
        while not over.wait(seconds):
            with contextlib.suppress(Exception):  # the database may be away; what we know stays good
                act()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()


# A group of roles ----------------------------------------------------------------------------------------------------


class Child:
    """One role in a process of its own, started again whenever it dies."""

    def __init__(self, name: str, arguments: Sequence[str], environment: dict[str, str] | None = None) -> None:
        self.name = name
        self._arguments = list(arguments)
        self._environment = {**os.environ, **(environment or {})}
        self.process: subprocess.Popen[bytes] | None = None
        self.n_deaths = 0
        self._again_at = 0.0

    def look(self) -> None:
        """Start it if it is not there and it is time."""
        now = time.monotonic()
        if self.process is not None and self.process.poll() is not None:
            log.warning("process exited; restarting", role=self.name, exit=self.process.returncode)
            self._again_at = now + RESTART_AFTER[min(self.n_deaths, len(RESTART_AFTER) - 1)]
            self.n_deaths += 1
            self._let_go()
        if self.process is None and now >= self._again_at:
            # In a session of its own, so that Ctrl-C reaches it once, from us. The pipe ends when we do.
            self.process = subprocess.Popen(
                self._arguments, env=self._environment, stdin=subprocess.PIPE, start_new_session=True
            )

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def wait(self, until: float) -> None:
        if self.process is None:
            return
        try:
            self.process.wait(timeout=max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._let_go()

    def _let_go(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
        self.process = None


def supervised_roles(
    config: Path | None, processes: int, *, with_web: bool = True, is_silent: bool = False
) -> list[Child]:
    """The roles of one machine; `is_silent` where somebody else says where they listen."""
    program = [sys.executable, "-m", "isthmus"]
    options = ["--with-parent"] + ([] if config is None else ["--config", str(config)])
    workers = [Child(f"worker {n + 1}", [*program, "work", "--processes", "1", *options]) for n in range(processes)]
    web_options = [*options, "--silent"] if is_silent else options
    return [Child("web", [*program, "web", *web_options]), *workers] if with_web else workers


class Supervisor:
    """Keeps some roles alive until it is stopped."""

    def __init__(self, children: Sequence[Child]) -> None:
        self.children = list(children)
        self._over = threading.Event()

    def run(self) -> None:
        """Until SIGINT or SIGTERM."""

        def stop(_: int, __: FrameType | None) -> None:
            self._over.set()

        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
        try:
            while not self._over.is_set():
                self.look()
                self._over.wait(0.1)
        finally:
            self.stop()

    def look(self) -> None:
        for child in self.children:
            child.look()

    def stop(self) -> None:
        """Ask every role to finish what it has begun, and wait for it."""
        for child in self.children:
            child.stop()
        until = time.monotonic() + STOP_WITHIN
        for child in self.children:
            child.wait(until)
