"""A machine on which faults are played: the shops live, and everything that is promised is measured from outside."""

import contextlib
import resource
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from bench.history import compare_sides
from bench.whole import NAME, Machine, machine, until
from msgspec import Struct

from isthmus.db.pool import Database
from isthmus.kit.clock import SystemClock
from isthmus.ops import status

LIFE = 1.5
"""Things that happen in the shops in a second; each fires several webhooks."""
POLL_EVERY = 8.0
SETTLE_WITHIN = 60.0 + POLL_EVERY
GIVE_UP_AFTER = 420.0
SIZES = ("--customers", "30", "--orders", "40", "--products", "8")
MAX_WAIT = 300.0
MAX_WEB_MB = 200.0

_WAITS = """
SELECT coalesce(max(extract(epoch FROM due_at - clock_timestamp())), 0)::float8 FROM (
    SELECT due_at FROM event WHERE connection = %(name)s AND state = 'waiting' AND attempts > 0
    UNION ALL
    SELECT due_at FROM outbox WHERE connection = %(name)s AND state = 'due' AND attempts > 0
) AS retried
"""
_BURIED = """
SELECT (SELECT count(*) FROM event WHERE connection = %(name)s AND state = 'buried')
     + (SELECT count(*) FROM outbox WHERE connection = %(name)s AND state = 'buried')
"""
_LOST = """
SELECT count(*) FROM unnest(%(ids)s::text[]) AS one (acknowledged)
WHERE NOT EXISTS (SELECT FROM event WHERE connection = %(name)s AND webhook_id = acknowledged)
"""
_POLLED = "SELECT min(at) FROM watermark WHERE connection = %(name)s AND name LIKE 'poll:%%'"
_CODES = "SELECT DISTINCT code FROM cases WHERE connection = %(name)s AND last_at >= %(since)s ORDER BY code"


class Outcome(Struct):
    """What one fault did. `notes` are figures of its own; `broken` names the promises that were not kept."""

    name: str
    seconds: float = 0.0
    lost: int = 0
    failed: int = 0
    longest_wait: float = 0.0
    settled_after: float | None = None
    allowed: float = SETTLE_WITHIN
    web_mb: float = 0.0
    notes: dict[str, Any] = {}
    broken: list[str] = []
    not_run: str | None = None


class Stage:
    """The machine, and what is watched while a fault lasts. `complaints` is what a fault found broken itself."""

    def __init__(self, here: Machine, dsn: str) -> None:
        self.here = here
        self.dsn = dsn
        self.web_mb = 0.0
        self.longest_wait = 0.0
        self.health: dict[str, int] = {}
        self.complaints: list[str] = []
        self._over = threading.Event()
        self._is_watching = False
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()

    def end(self) -> None:
        self._over.set()
        self._watch.join()

    def play(self, name: str, fault: Any) -> Outcome:
        """Live, let the fault come and go, fall silent, come to rest without help; what was seen."""
        made = Outcome(name, notes={}, broken=[])
        since = datetime.now(UTC)
        buried = self._value(_BURIED)
        began = time.monotonic()
        self.web_mb = self.longest_wait = 0.0
        self.health = {}
        self.complaints = []
        self.here.post("life", {"rate": LIFE})
        time.sleep(3.0)
        self._is_watching = True
        made.notes = fault(self) or {}
        wait_due = self._waits() or 0.0
        self._is_watching = False
        self.here.post("life", {"rate": 0.0})
        ended, ended_at = time.monotonic(), datetime.now(UTC)
        made.allowed = SETTLE_WITHIN + max(0.0, wait_due)
        with contextlib.suppress(TimeoutError):
            until(lambda: self._is_at_rest(ended_at), GIVE_UP_AFTER, name, 0.5)
            made.settled_after = round(time.monotonic() - ended, 1)
        made.seconds = round(time.monotonic() - began, 1)
        made.lost = self._value(_LOST, ids=[one["webhook_id"] for one in self.here.get("acknowledged")["items"]])
        made.failed = self._value(_BURIED) - buried
        made.longest_wait = round(self.longest_wait, 1)
        made.web_mb = round(self.web_mb)
        made.notes |= {f"/{path} not answered": n for path, n in self.health.items() if n}
        if codes := [row[0] for row in self._rows(_CODES, since=since)]:
            made.notes["cases"] = ", ".join(codes)
        made.broken += [*broken(made), *self.complaints]
        return made

    def differences(self) -> list[str]:
        """Where both sides do not agree in the end."""
        found = compare_sides(self.here)
        self.here.post("faults", {"shopify.unlimited": False})
        return [f"{one.kind} {one.id} {one.path}: {one.why}" for one in found.differences]

    def hold(self, seconds: float) -> None:
        """Let the fault last."""
        time.sleep(seconds)

    def knobs(self, seconds: float, **knobs: Any) -> dict[str, Any]:
        """Let the simulated APIs misbehave for so long; how often each knob struck."""
        named = {name.replace("__", "."): value for name, value in knobs.items()}
        before = self.here.get("report")["injected"]
        self.here.post("faults", named)
        self.hold(seconds)
        self.here.post("faults", {name: type(value)(0) for name, value in named.items() if ".p_" in name})
        after = self.here.get("report")["injected"]
        return {name.partition(".")[2]: after[name] - before.get(name, 0) for name in named if name in after}

    # Looking ---------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        while not self._over.wait(1.0):
            for process in self.here.role("web"):
                with contextlib.suppress(OSError, ValueError):
                    self.web_mb = max(self.web_mb, _most_memory(process.pid))
            if self._is_watching:
                self.longest_wait = max(self.longest_wait, self._waits() or 0.0)

    def _waits(self) -> float | None:
        try:
            return float(self._value(_WAITS))
        except psycopg.Error:
            return None

    def _is_at_rest(self, since: datetime) -> bool:
        """Whether nothing is on its way, and every poll has looked since."""
        try:
            [(polled,)] = self._rows(_POLLED)
            if polled is None or polled <= since or self.here.get("report")["deliveries"]["pending"]:
                return False
            with Database(self.dsn, pool_size=1) as db:
                return not status.read_status(db, SystemClock().now(), NAME).connections[0].is_waiting
        except psycopg.Error:
            return False

    def _value(self, query: str, **params: Any) -> Any:
        return self._rows(query, **params)[0][0]

    def _rows(self, query: str, **params: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, autocommit=True, connect_timeout=3) as connection:
            return connection.execute(query, {"name": NAME, **params}).fetchall()


def broken(made: Outcome) -> list[str]:
    """The promises that an outcome does not keep."""
    found = []
    if made.lost:
        found.append(f"{made.lost} acknowledged events lost")
    if made.failed:
        found.append(f"{made.failed} healthy events or records failed")
    if made.longest_wait > MAX_WAIT:
        found.append(f"a retry waited {made.longest_wait:.0f} s")
    if made.settled_after is None:
        found.append(f"not settled {GIVE_UP_AFTER:.0f} s after it ended")
    elif made.settled_after > made.allowed:
        found.append(f"settled {made.settled_after:.0f} s after it ended, allowed are {made.allowed:.0f}")
    if made.web_mb >= MAX_WEB_MB:
        found.append(f"the web process took {made.web_mb:.0f} MB")
    return found


@contextlib.contextmanager
def staged(*, url: str | None = None, data_dir: Path | None = None) -> Iterator[Stage]:
    """A machine that serves a connected merchant whose history is loaded; on a database of its own unless told."""
    raise_files()
    with machine(*SIZES) as here:
        here.post("faults", {"shopify.retry_speed": 2000.0})
        consent = '[consent]\nunsubscribes_every = "5s"\nprofiles_every = "10s"\n'
        here.write(
            push_per_second=4, processes=2, enrichment_every="2s",
            lanes=f'poll_every = "{POLL_EVERY:.0f}s"\nabandoned_after = "20s"\n{consent}',
        )  # fmt: skip
        connection = here.home / f"{NAME}.toml"
        connection.write_text(connection.read_text().replace("[[stores]]", 'settle_after = "5s"\n\n[[stores]]', 1))
        settings = here.home / "isthmus.toml"
        text = settings.read_text()
        if url is not None:
            text = text.replace('url = "embedded"', f'url = "{url}"')
        if data_dir is not None:
            text = text.replace('url = "embedded"', f'url = "embedded"\ndata_dir = "{data_dir}"')
        settings.write_text(text)
        here.connect()
        here.run("backfill", NAME)
        made = Stage(here, url or here.database(data_dir))
        try:
            until(lambda: made._is_at_rest(datetime.fromtimestamp(0, UTC)), 180, f"history is in; {here.tail()}", 0.5)
            yield made
        finally:
            made.end()


def raise_files() -> None:
    """As many open files as this process may have: thousands of sockets."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _most_memory(pid: int) -> float:
    """VmHWM in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0
