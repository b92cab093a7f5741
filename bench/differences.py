"""All our orders held against all Ometria's, in the database, as the report of a reconciliation does at its end.

Rows are made by the server itself: one order in a thousand differs by a penny, one in five thousand is missing.
Time counts from the question to the last differing row in Python's hands. Beside it, what one page costs to hold
field by field, which the account's own pace (1,000 records a second at four readings) allows for.
"""

import threading
import time
import timeit
from datetime import UTC, datetime
from typing import Any

import msgspec
import psutil
import psycopg
from bench import rig
from bench.bodies import told

from isthmus.db.pool import Database
from isthmus.mapping.order import map_order
from isthmus.model.lane import Lane
from isthmus.ops.report import sql
from isthmus.outbox import plan

_SALES = """
INSERT INTO sale (connection, store, id, name, placed_at, currency, status, is_valid, is_counted, gross_mills,
                  refunded_mills, net_mills, n_units, n_returned, customer_id, is_untold)
SELECT %(connection)s, 'uk', i, '#' || i, %(at)s - i * interval '10 seconds', 'GBP', 'complete', true, true,
       mod(i, 100000) * 10, mod(i, 1000) * 10, (mod(i, 100000) - mod(i, 1000)) * 10, 2, 0, mod(i, 300000), false
FROM generate_series(1, %(n)s) AS i
"""
_SEEN = """
INSERT INTO seen (connection, run, side, kind, id, store, number, at, name, placed_at, currency, status, is_valid,
                  gross_mills, refunded_mills, net_mills)
SELECT connection, 1, 'platform', 'order', 'uk:' || id, store, id, %(at)s, name, placed_at, currency, status, is_valid,
       gross_mills, refunded_mills, net_mills + CASE WHEN mod(id, 1000) = 0 THEN 10 ELSE 0 END
FROM sale WHERE connection = %(connection)s AND mod(id, 5000) <> 1 ORDER BY mod(id, 1009)
"""


def run(n: int = 1_000_000) -> dict[str, Any]:
    """Seconds and the most memory that the comparison of `n` with `n` orders took; rows found beside rows made."""
    at = datetime(2026, 11, 23, tzinfo=UTC)
    with rig.database() as url, Database(url) as db:
        for text in (_SALES, _SEEN):
            with db.transaction() as tx:
                tx.execute("SET LOCAL statement_timeout = 0")
                tx.execute(text, {"connection": rig.NAME, "at": at, "n": n})
        _tidy(url)
        with db.transaction() as tx:
            tx.execute("SET LOCAL statement_timeout = 0")
            pid = int(tx.fetch_value("SELECT pg_backend_pid()") or 0)
            with _Memory(pid) as memory:
                began = time.perf_counter()
                rows = sql.differing_orders(tx, rig.NAME, 1)
                took = time.perf_counter() - began
    return {
        "orders_each_side": n,
        "seconds": round(took, 2),
        "memory_mb": round(memory.peak / 1e6),
        "differing": len(rows),
        "differing_made": n // 1000 + (n + 4999) // 5000,
        "pages_orders_per_second_one_core": round(_page()),
    }


def _page() -> float:
    """Orders of a page that are decoded on both sides and held against each other, in a second on one core."""
    written = [map_order(made, "uk:1", rig.RULES, Lane.REALTIME).body or b"{}" for _, made in told(250)]

    def once() -> None:
        for body in written:
            plan.first_difference(msgspec.json.decode(body), msgspec.json.decode(body))

    return len(written) * 10 / min(timeit.repeat(once, number=10, repeat=5, timer=time.process_time))


def _tidy(url: str) -> None:
    """What autovacuum has done by the time anybody asks."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE) sale")
        connection.execute("VACUUM (ANALYZE) seen")


class _Memory:
    """The most that this process and the server's process for it held of their own, looked at ten times a second."""

    def __init__(self, pid: int) -> None:
        self._processes = [psutil.Process(), psutil.Process(pid)]
        self._over = threading.Event()
        self.peak = 0

    def __enter__(self) -> "_Memory":
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            # Of their own: what they share, the server's cache among it, is there anyway. Parallel workers come and go.
            found = self._processes + self._processes[1].parent().children()
            total = 0
            for process in {p.pid: p for p in found}.values():
                try:
                    total += process.memory_full_info().uss
                except psutil.Error:
                    continue
            self.peak = max(self.peak, total)
            if self._over.wait(0.1):
                return
