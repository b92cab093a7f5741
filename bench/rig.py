"""What every measurement of the pipeline stands on: a durable database of its own, one connection, worker processes."""

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from isthmus.db.embedded import Embedded
from isthmus.db.migrate import migrate
from isthmus.db.pool import Database
from isthmus.flows.context import ConnectionContext, ShopContext, Timings
from isthmus.identity.match import Link
from isthmus.identity.sql import links as identity
from isthmus.inbox.sql import events as inbox
from isthmus.inbox.sql import partitions as days
from isthmus.kit.clock import SystemClock
from isthmus.kit.compression import Packer
from isthmus.mapping.rules import Rules
from isthmus.model.event import Delivery
from isthmus.model.lane import Lane
from isthmus.ometria.client import OmetriaClient

if TYPE_CHECKING:
    from bench.bodies import Bodies

NAME = "acme"
RULES = Rules(
    store="uk",
    namespace="uk:",
    domain="acme-uk.myshopify.com",
    currency="GBP",
    reporting_currency="GBP",
    hash_key=b"k",
    live_since=datetime(2026, 11, 1, tzinfo=UTC),
)
CORES = os.cpu_count() or 1


@contextmanager
def database() -> Iterator[str]:
    """The URL of an embedded server on a disk, with fsync on, migrated and with one connection; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="isthmus-bench-") as folder:
        Path(folder).chmod(0o711)
        server = Embedded(Path(folder) / "data")
        try:
            url = server.start()
            now = datetime.now(UTC)
            with Database(url) as db:
                migrate(db)
                with db.transaction() as tx:
                    days.create_partitions(tx, now)
                    tx.execute(
                        """INSERT INTO connection (connection, config, mode, connected_at, live_since)
                           VALUES (%s, '{}', 'live', %s, %s)""",
                        (NAME, now, RULES.live_since),
                    )
                    tx.execute("INSERT INTO store VALUES (%s, 'uk', %s)", (NAME, RULES.domain))
            yield url
        finally:
            server.erase()


def context(platform: str = "http://127.0.0.1:9", key: str = "none", pace: Timings | None = None) -> ConnectionContext:
    """A context without a store to read: webhooks tell it everything."""
    return ConnectionContext(
        connection=NAME,
        shops={"uk": ShopContext("uk", RULES, None)},  # type: ignore[arg-type]
        platform=OmetriaClient(platform, key),
        collection="shopify",
        clock=SystemClock(),
        hash_key=b"k",
        packer=Packer(),
        is_live=True,
        pace=pace or Timings(enrichment_every=timedelta(0), read_back=0.0),
    )


def fill_inbox(db: Database, bodies: Iterable[tuple[int, bytes]]) -> None:
    """Put order webhooks into the inbox as the webhook endpoint does, five hundred to a commit."""
    batch: list[Delivery] = []
    for n, body in bodies:
        batch.append(Delivery(NAME, "uk", "orders/updated", Lane.REALTIME, f"{n:032x}", body))
        if len(batch) == 500:
            _keep(db, batch)
            batch = []
    if batch:
        _keep(db, batch)


def _keep(db: Database, batch: Sequence[Delivery]) -> None:
    with db.transaction() as tx:
        inbox.insert_deliveries(tx, batch, datetime.now(UTC))


def link_customers(db: Database, bodies: "Bodies") -> None:
    """Let everybody who will order be known already, as in a shop that has run for a while."""
    links = [Link("uk", number, f"uk:{number}", email) for number, email in bodies.customers()]
    for first in range(0, len(links), 10_000):
        with db.transaction() as tx:
            identity.save_links(tx, NAME, links[first : first + 10_000])


# Worker processes ----------------------------------------------------------------------------------------------------


class Crew:
    """As many worker processes as cores, started and warm before the clock starts."""

    def __init__(self, module: str, url: str, *more: str, processes: int = CORES) -> None:
        command = [sys.executable, "-m", module, "--url", url, *more]
        self._workers = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(processes)
        ]
        for worker in self._workers:
            self._hear(worker)

    def work(self) -> list[dict[str, Any]]:
        """Let every worker do its work once; what each says of it."""
        self.go()
        return self.wait()

    def go(self) -> None:
        for worker in self._workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()

    def wait(self) -> list[dict[str, Any]]:
        return [self._hear(worker) for worker in self._workers]

    def end(self) -> None:
        for worker in self._workers:
            assert worker.stdin is not None
            worker.stdin.close()
            worker.wait()

    @staticmethod
    def _hear(worker: "subprocess.Popen[str]") -> dict[str, Any]:
        assert worker.stdout is not None
        line = worker.stdout.readline()
        if not line:
            raise RuntimeError("a worker died")
        told: dict[str, Any] = json.loads(line)
        return told


def shifts() -> Iterator[None]:
    """In a worker: one turn for every time that the crew is sent to work."""
    say({})
    for _ in sys.stdin:
        yield


def say(told: dict[str, Any]) -> None:
    print(json.dumps(told), flush=True)


def settle() -> None:
    """What the program's own processes do once they are up (kit/heap.py, which an earlier version has not): else a
    version is measured by how many modules the benchmark has imported.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


def spent() -> dict[str, float]:
    """What this process has used so far: seconds of CPU, and MB of memory now (its most would count its parent's)."""
    used = psutil.Process()
    times = used.cpu_times()
    return {"cpu": times.user + times.system, "mb": used.memory_info().rss / 2**20}


class Servers:
    """The database's own processes: their CPU seconds and memory."""

    def __init__(self, db: Database) -> None:
        with db.transaction() as tx:
            own = psutil.Process(tx.fetch_value("SELECT pg_backend_pid()"))
        postmaster = own.parent()
        assert postmaster is not None
        self._postmaster = postmaster
        self._seen: dict[int, float] = {}

    def cpu(self) -> float:
        """Seconds so far, those of backends that are gone included as far as they were seen."""
        for one in self._all():
            try:
                times = one.cpu_times()
                self._seen[one.pid] = times.user + times.system
            except psutil.Error:
                continue
        return sum(self._seen.values())

    def memory(self) -> float:
        """MB of all together, shared pages counted once."""
        total = 0.0
        for one in self._all():
            try:
                total += one.memory_full_info().pss / 2**20
            except psutil.Error:
                continue
        return total

    def _all(self) -> list[psutil.Process]:
        return [self._postmaster, *self._postmaster.children(recursive=True)]


def now() -> float:
    return time.perf_counter()
