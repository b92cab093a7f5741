"""How many signed deliveries one web process makes durable, beside the same endpoint with the insert removed."""

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from urllib.request import urlopen

import psutil
from prometheus_client import CollectorRegistry

from isthmus.db.autocommit_connection import AutocommitConnection
from isthmus.db.embedded import Embedded
from isthmus.db.migrate import migrate
from isthmus.db.pool import Database
from isthmus.flows.ingest import ingest
from isthmus.inbox.sql import partitions as days
from isthmus.kit.compression import Packer
from isthmus.model.event import Delivery
from isthmus.web.listener import make_listener
from isthmus.web.server import Server
from isthmus.web.webhooks.group_commit import GroupCommit
from isthmus.web.webhooks.verify import StoreSecret, WebhookVerifier

SHOP, SECRET = "acme-uk.myshopify.com", "shpss_bench"
CONNECTIONS = 32
ROUNDS = 3


def run(seconds: float = 3.0) -> dict[str, float]:
    """Rates per second, waits in milliseconds, memory in MB; every delivery is about 6 KB and signed."""
    with tempfile.TemporaryDirectory(prefix="isthmus-bench-") as folder:
        Path(folder).chmod(0o711)
        server = Embedded(Path(folder) / "data")
        try:
            url = server.start()
            with Database(url) as db:
                migrate(db)
                with db.transaction() as tx:
                    days.create_partitions(tx, datetime.now(UTC))
            with _web(None) as (bare_port, _), _web(url) as (port, web):
                _load(bare_port, 1.0)
                _load(port, 2.0)
                # In turns, so that whatever else the machine does falls on both alike.
                rounds = [(_load(bare_port, seconds), _load(port, seconds)) for _ in range(ROUNDS)]
                ratio = median(durable["per_second"] / bare["per_second"] for bare, durable in rounds)
                bare, durable = sorted(rounds, key=lambda pair: pair[1]["per_second"])[ROUNDS // 2]
                calm = _load(port, seconds, 0.8 * durable["per_second"])
                memory = web.memory_info().rss / 2**20
            with Database(url) as db, db.transaction() as tx:
                kept = tx.fetch_value("SELECT count(*) FROM event")
                mean = tx.fetch_value("SELECT avg(length(body)) FROM event_body")
        finally:
            server.erase()
    return {
        "no_insert_per_second": round(bare["per_second"]),
        "no_insert_p99_ms": round(bare["p99_ms"], 2),
        "durable_per_second": round(durable["per_second"]),
        "ratio": round(ratio, 3),
        "durable_p50_ms": round(durable["p50_ms"], 2),
        "durable_p99_ms": round(durable["p99_ms"], 2),
        "at_80_percent_p50_ms": round(calm["p50_ms"], 2),
        "at_80_percent_p99_ms": round(calm["p99_ms"], 2),
        "refused": sum(load["refused"] for load in (*(load for pair in rounds for load in pair), calm)),
        "web_process_mb": round(memory, 1),
        "kept": kept,
        "stored_bytes_per_body": round(float(mean)),
    }


def _load(port: int, seconds: float, rate: float | None = None) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.load", "--port", str(port), "--secret", SECRET, "--shop", SHOP]
    command += ["--connections", str(CONNECTIONS), "--seconds", str(seconds)]
    command += [] if rate is None else ["--rate", str(rate)]
    answer: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return answer


@contextmanager
def _web(url: str | None) -> Iterator[tuple[int, psutil.Process]]:
    """One web process, with the database at `url`, or with nothing behind the verification."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "bench.ingest", "--port", str(port)]
    web = subprocess.Popen(command + ([] if url is None else ["--url", url]))
    try:
        for _ in range(200):
            try:
                urlopen(f"http://127.0.0.1:{port}/live").read()
                break
            except OSError:
                time.sleep(0.05)
        yield port, psutil.Process(web.pid)
    finally:
        web.terminate()
        web.wait()


async def _is_ready() -> bool:
    return True


def serve(port: int, url: str | None) -> None:
    """The web process: what `isthmus web` runs, reduced to the webhook endpoint."""
    doors = WebhookVerifier([StoreSecret("acme", "uk", SHOP, SECRET)])
    line = AutocommitConnection(url or "")
    packer = Packer()

    async def keep(deliveries: Sequence[Delivery]) -> list[bool]:
        return await ingest(line, deliveries, datetime.now(UTC), packer)

    if url is None:
        GroupCommit.add = _nothing  # type: ignore[method-assign]
    app = Server(
        doors=lambda: doors,
        keep=keep,
        ring=lambda *_: None,
        is_ready=_is_ready,
        registry=CollectorRegistry(),
        close=line.close,
    )
    make_listener(app, port=port).run()


async def _nothing(self: GroupCommit, deliveries: Sequence[Delivery]) -> None:
    """The insert, removed."""


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int)
    options.add_argument("--url")
    given = options.parse_args()
    if given.port is None:
        print(json.dumps(run(), indent=2))
    else:
        serve(given.port, given.url)
