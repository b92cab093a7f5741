"""Five minutes at 70 % of an account's limit, over ten minutes of work that waits already: slots, full pushes, lag.

Everything is real but the two sides: worker processes as `isthmus work` starts them, their wake-ups and sweep, HTTP,
a durable database. Orders come as webhooks through the inbox; contacts, products and moments are put where the pipeline
puts them, since their events would need a shop to read.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any
from urllib.request import urlopen

from bench.bodies import PEOPLE, Bodies
from bench.far_away import KEY
from bench.rig import NAME, RULES, database
from bench.writes import Writes, contact

from isthmus.app import engine
from isthmus.connections import file
from isthmus.connections import sql as connections
from isthmus.db.pool import Database
from isthmus.inbox.sql import events as inbox
from isthmus.kit.compression import Packer
from isthmus.model.event import Delivery
from isthmus.model.lane import Lane
from isthmus.model.write import RecordKind, Write
from isthmus.outbox.sql import queue as outbox
from isthmus.outbox.sql.queue import DesiredWrite
from isthmus.runs.sql import watermarks as runs
from isthmus.runtime import tasks

PER_SECOND = 4
"""Pushes an account may make (docs.ometria.com/docs/ometria-data-api-introduction), 400 records."""

MIX = {RecordKind.ORDER: 126, RecordKind.CONTACT: 84, RecordKind.MOMENT: 42, RecordKind.PRODUCT: 28}
"""Realtime records a second: 280, which is 70 %. Two in three orders are of a contact that is as new as they are."""

PRELOADED = {
    (RecordKind.CONTACT, Lane.ENRICHMENT): 100_000,
    (RecordKind.PRODUCT, Lane.ENRICHMENT): 20_000,
    (RecordKind.ORDER, Lane.BACKFILL): 60_000,
    (RecordKind.CONTACT, Lane.BACKFILL): 40_000,
    (RecordKind.PRODUCT, Lane.BACKFILL): 20_000,
}
"""2,400 full pushes: ten minutes."""

FAULTS = {"ometria.p429": 0.01, "ometria.p502": 0.005, "ometria.p_timeout_after_accept": 0.002}
WORKERS = 2
TICK = 0.1
WARM_UP = 5.0


def run(seconds: int = 300, *, with_faults: bool = False) -> dict[str, Any]:
    """What became of the slots of so many seconds, and of the realtime records that arrived in them."""
    bodies = Bodies(300 * 1_000)
    writes = Writes(bodies)
    with database() as url, _platform(FAULTS if with_faults else {}) as address, Database(url) as db:
        _connect(db, address)
        _preload(db, writes)
        with _workers(url):
            time.sleep(WARM_UP)
            began = time.time()
            n = _arrive(db, url, bodies, writes, seconds)
            ended = time.time()
            time.sleep(6.0)  # whoever arrived last has its five seconds too
            pushes = _pushes(address)
            told = _told(db, datetime.fromtimestamp(began, UTC), datetime.fromtimestamp(ended, UTC))
    within = [push for push in pushes if began <= push["at"] < ended]
    taken = [push["n"] for push in within if push["status"] == 200]
    return {
        "seconds": seconds,
        "slots_used_percent": round(100 * len(within) / (PER_SECOND * (ended - began)), 1),
        "records_per_push": round(mean(taken), 1),
        "answers": {
            str(code): sum(push["status"] == code for push in within) for code in {p["status"] for p in within}
        },
        "longest_pause_seconds": round(max(b - a for a, b in pairwise(sorted(push["at"] for push in within))), 2),
        "realtime_arrived_per_second": round(n / (ended - began)),
        **told,
    }


# Arrivals ------------------------------------------------------------------------------------------------------------


def _arrive(db: Database, url: str, bodies: Bodies, writes: Writes, seconds: int) -> int:
    """Let realtime come in, ten times a second and as much as is due; how many records that asks for."""
    packer, done = Packer(), dict.fromkeys(RecordKind, 0)
    began = time.monotonic()
    with tasks.WakeUps(url) as bells:
        while (passed := time.monotonic() - began) < seconds:
            now = datetime.now(UTC)
            due = {kind: range(done[kind], int(rate * passed)) for kind, rate in MIX.items()}
            told = [
                Delivery(NAME, "uk", "orders/create", Lane.REALTIME, f"{n:032x}", bodies.body(n))
                for n in due[RecordKind.ORDER]
            ]
            wanted: list[Write] = [
                # Of whom two in three of the orders of this moment are.
                contact(f"uk:{PEOPLE + person}", f"ann{person:08}@example.com", Lane.REALTIME)
                for n in due[RecordKind.CONTACT]
                for person in [bodies.customer(n * MIX[RecordKind.ORDER] // MIX[RecordKind.CONTACT])]
            ]
            wanted += [
                writes.write(kind, Lane.REALTIME, n)
                for kind in (RecordKind.MOMENT, RecordKind.PRODUCT)
                for n in due[kind]
            ]
            with db.transaction() as tx:
                _desire(tx, wanted, now, packer)
                if told:
                    inbox.insert_deliveries(tx, told, now)
            bells.ring("process", NAME)
            done = {kind: numbers.stop for kind, numbers in due.items()}
            time.sleep(max(0.0, TICK - (time.monotonic() - began - passed)))
    return sum(done.values())


def _preload(db: Database, writes: Writes) -> None:
    packer = Packer()
    for (kind, lane), n in PRELOADED.items():
        for first in range(0, n, 2_000):
            with db.transaction() as tx:
                _desire(tx, [writes.write(kind, lane, first + one) for one in range(2_000)], datetime.now(UTC), packer)


def _desire(tx: Any, wanted: list[Write], now: datetime, packer: Packer) -> None:
    outbox.upsert_desired(
        tx, NAME, [DesiredWrite("uk", write, now) for write in wanted], now=now, coalesce=timedelta(seconds=1),
        contact_head_start=timedelta(seconds=3), packer=packer,
    )  # fmt: skip


# What became of it ---------------------------------------------------------------------------------------------------


def _told(db: Database, began: datetime, ended: datetime) -> dict[str, Any]:
    with db.transaction() as tx:
        waits = [
            row["waited"]
            for row in tx.fetch_all(
                """SELECT waited FROM attempt WHERE connection = %s AND lane = 0 AND outcome = 'accepted'
                   AND at - waited * interval '1 second' BETWEEN %s AND %s ORDER BY waited""",
                (NAME, began, ended),
            )
        ]
        late = tx.fetch_value(
            """SELECT count(*) FROM outbox WHERE connection = %s AND lane = 0 AND state IN ('due', 'leased')
               AND since BETWEEN %s AND %s""",
            (NAME, began, ended),
        )
        by_kind = tx.fetch_all(
            """SELECT kind, percentile_disc(0.99) WITHIN GROUP (ORDER BY waited) AS p99 FROM attempt
               WHERE connection = %s AND lane = 0 AND outcome = 'accepted' GROUP BY kind""",
            (NAME,),
        )
        moved = tx.fetch_all(
            """SELECT lane, count(*) AS n FROM attempt WHERE connection = %s AND outcome = 'accepted'
               AND at BETWEEN %s AND %s GROUP BY lane ORDER BY lane""",
            (NAME, began, ended),
        )
    lanes = tuple(Lane)
    return {
        "realtime_accepted": len(waits),
        "realtime_still_waiting": late,
        "realtime_p50_seconds": round(waits[len(waits) // 2], 2),
        "realtime_p99_seconds": round(waits[len(waits) * 99 // 100], 2),
        "realtime_slowest_seconds": round(waits[-1], 2),
        "realtime_p99_by_kind": {row["kind"]: round(row["p99"], 2) for row in by_kind},
        "moved_by_lane": {lanes[row["lane"]].value: row["n"] for row in moved},
    }


# The processes -------------------------------------------------------------------------------------------------------


@contextmanager
def _platform(faults: dict[str, float]) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "bench.far_away", "--port", str(port), "--per-second", str(PER_SECOND)]
    process = subprocess.Popen([*command, "--faults", json.dumps(faults)], stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                _pushes(address)
                break
            except OSError:
                time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait()


def _pushes(address: str) -> list[dict[str, Any]]:
    """Every push that Ometria has seen."""
    told: list[dict[str, Any]] = json.loads(urlopen(f"{address}/_bench/pushes").read())  # noqa: S310 - our own
    return told


def _connect(db: Database, platform: str) -> None:
    """Store the connection without asking the external APIs, and let every poll be far away."""
    config = file.parse_connection(
        {
            "connection": {"name": NAME, "mode": "live"},
            "ometria": {
                "base_url": f"{platform}/v2",
                "api_key": "env:BENCH_KEY",
                "push_per_second": PER_SECOND,
                "read_per_second": 4,
                "reporting_currency": "GBP",
            },
            "stores": [
                {
                    "name": "uk",
                    "domain": RULES.domain,
                    "admin_url": "http://127.0.0.1:9",
                    "client_id": "none",
                    "client_secret": "env:BENCH_KEY",
                    "namespace": "uk:",
                    "currency": "GBP",
                }
            ],
            "lanes": {"poll_every": "1d"},
        },
        "bench",
    )
    now = datetime.now(UTC)
    with db.transaction() as tx:
        connections.save_connection(tx, config, now)
        runs.create_watermarks(
            tx, NAME, "uk", [f"poll:{kind}" for kind in ("product", "customer", "order", "checkout")], now
        )
    engine.migrate_engine(db, now)


@contextmanager
def _workers(url: str) -> Iterator[None]:
    environment = {**os.environ, "ISTHMUS_DATABASE_URL": url, "BENCH_KEY": KEY, "ISTHMUS_LOG_LEVEL": "warning"}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "isthmus", "work", "--processes", "1"]
        workers = [subprocess.Popen(command, env=environment, cwd=Path(folder)) for _ in range(WORKERS)]
        try:
            yield
        finally:
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.wait()


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=int, default=300)
    options.add_argument("--with-faults", action="store_true", help="some 429, 502 and timeouts after acceptance")
    given = options.parse_args()
    print(json.dumps(run(given.seconds, with_faults=given.with_faults), indent=2))
