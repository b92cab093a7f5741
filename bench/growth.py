"""How the rate and memory of the pipeline change while what is known grows from ten thousand orders to 300,000."""

import argparse
import json
from datetime import UTC, datetime
from typing import Any

from bench.bodies import Bodies
from bench.pipeline import one
from bench.rig import NAME, Crew, Servers, database, fill_inbox, link_customers, now

from isthmus.db.pool import Database
from isthmus.ops.status import read_status

SLICE = 10_000
"""Orders of one measurement: the last before each of the sizes below."""

SIZES = (10_000, 30_000, 100_000, 300_000)
LOOKS = 3


def run(sizes: tuple[int, ...] = SIZES) -> list[dict[str, Any]]:
    """One row for each size: orders per second of the last slice, memory, and how long a look at the status takes.

    Everything goes through the pipeline: inbox, records, people and outbox are all as full as the size says.
    """
    bodies = Bodies(sizes[-1])
    rows = []
    with database() as url, Database(url) as db:
        link_customers(db, bodies)
        crew, servers = Crew("bench.worker", url), Servers(db)
        for done in range(0, sizes[-1], SLICE):
            fill_inbox(db, ((n, bodies.body(n)) for n in range(done, done + SLICE)))
            told = one(crew, SLICE)
            if done + SLICE in sizes:
                with db.transaction() as tx:
                    size = tx.fetch_value("SELECT pg_database_size(current_database())")
                rows.append(
                    {
                        "orders": done + SLICE,
                        "orders_per_second": round(told["per_second"]),
                        "worker_cpu_ms_per_order": round(1000 * told["worker_cpu"] / SLICE, 3),
                        "worker_mb": round(max(told["mb"]), 1),
                        "database_mb": round(servers.memory(), 1),
                        "disk_kb_per_order": round(size / (done + SLICE) / 1024, 2),
                        "status_ms": round(1000 * _look(db), 1),
                    }
                )
        crew.end()
    return rows


def _look(db: Database) -> float:
    """Seconds of a status, the best of a few."""
    times = []
    for _ in range(LOOKS):
        began = now()
        assert read_status(db, datetime.now(UTC), NAME).connections
        times.append(now() - began)
    return min(times)


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    print(json.dumps(run(tuple(options.parse_args().sizes)), indent=2))
