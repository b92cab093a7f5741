"""How many orders a second go from the lines of a bulk operation to the outbox, beside reading the lines alone.

The floor is `json.loads` of every line; the other is PyPI's tap-shopify, whose own code turns the same lines into
records and does nothing else with them.
"""

import json
import subprocess
import sys
import tempfile
import venv
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench.bulk_file import Forms
from bench.rig import NAME, Crew, Servers, database, now, spent

from isthmus.app.import_workers import count_workers
from isthmus.db.pool import Database
from isthmus.flows.backfill import spool
from isthmus.runs.date_range import DateRange
from isthmus.runs.sql import bulk_loads as loads

ORDERS = 60_000
ROUNDS = 3
PROCESSES = count_workers(2)
"""As the product has on two cores."""

TAP = "tap-shopify==3.13.0"
FLOOR = 20_000
"""Orders that the two readings beside ours are measured on."""


def run(orders: int = ORDERS, rounds: int = ROUNDS, *, with_tap: bool = True) -> dict[str, Any]:
    """Orders per second of everything from the file to the outbox, what it took, and what others take to read alone."""
    with tempfile.TemporaryDirectory(prefix="isthmus-lines-") as folder:
        path = Path(folder) / "result.jsonl"
        forms = Forms()
        n_lines = forms.write(path, orders)
        few = Path(folder) / "few.jsonl"  # in order, which is all that the tap can read
        forms.write(few, min(orders, FLOOR), mixed=1)
        figures = [_round(path, Path(folder) / f"parts-{turn}", orders) for turn in range(rounds)]
        told = sorted(figures, key=lambda figure: figure["orders_per_second"])[rounds // 2]
        told |= {
            "orders": orders,
            "order_bytes": round(path.stat().st_size / orders),
            "lines_per_order": round(n_lines / orders, 1),
            "of_rounds": [figure["orders_per_second"] for figure in figures],
            "json_loads_orders_per_second": _floor(few, min(orders, FLOOR)),
        }
        told["times_json_loads"] = round(told["orders_per_second"] / told["json_loads_orders_per_second"], 2)
        if with_tap:
            told["tap_shopify_orders_per_second"] = _tap(Path(folder), few, min(orders, FLOOR))
    return told


def _round(path: Path, folder: Path, orders: int) -> dict[str, Any]:
    """One load into an empty database: spread the file over parts, in as many processes as the product's."""
    with database() as url, Database(url) as db:
        with db.transaction() as tx:
            at = datetime.now(UTC)
            loads.enqueue_loads(tx, NAME, "uk", "order", [DateRange()], at)
            (load,) = loads.list_loads(tx, NAME)
            loads.mark_running(tx, NAME, load.id, "gid://shopify/BulkOperation/1", at, at)
        folder.mkdir()
        told = [("--folder", str(folder / "all"), "--share", str(n), "--of", str(PROCESSES)) for n in range(PROCESSES)]
        crews = [Crew("bench.load_worker", url, *words, processes=1) for words in told]
        servers, before, began = Servers(db), spent(), now()
        database_before = servers.cpu()
        with path.open("rb", 1 << 18) as file:
            n_parts = max(PROCESSES, spool.count_parts(path.stat().st_size))
            spool.split_result(folder / "all", "order", (line.rstrip(b"\n") for line in file), n_parts)
        spread = now() - began
        for crew in crews:
            crew.go()
        shares = [crew.wait()[0] for crew in crews]
        seconds = now() - began
        after, database_cpu = spent(), servers.cpu() - database_before
        with db.transaction() as tx:
            assert tx.fetch_value("SELECT count(*) FROM outbox WHERE kind = 'order'") == orders
        for crew in crews:
            crew.end()
    own = after["cpu"] - before["cpu"] + sum(share["cpu"] for share in shares)
    return {
        "orders_per_second": round(orders / seconds),
        "spread_seconds": round(spread, 2),
        "own_cpu_ms_per_order": round(1000 * own / orders, 3),
        "database_cpu_ms_per_order": round(1000 * database_cpu / orders, 3),
        "process_mb": round(max(share["mb"] for share in shares), 1),
        "spreading_process_mb": round(after["mb"], 1),
    }


def _floor(path: Path, orders: int) -> int:
    rates = []
    for _ in range(3):
        began = now()
        with path.open("rb") as file:
            for line in file:
                json.loads(line)
        rates.append(orders / (now() - began))
    return round(median(rates))


def _tap(folder: Path, path: Path, orders: int) -> int:
    """The same lines through tap-shopify's own reading of a bulk operation's result, in an environment of its own."""
    home = folder / "tap"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", TAP], check=True, stdout=sys.stderr)
    told = subprocess.run(
        [python, "-c", _READ_WITH_TAP, str(path), str(orders)], check=True, capture_output=True, text=True
    )
    return round(float(told.stdout.splitlines()[-1]))


# Its lines must lie in order; it fetches them itself, here from a server beside it.
_READ_WITH_TAP = """
import functools, http.server, os, sys, threading, time
from tap_shopify.streams.orders import Orders
folder, name = os.path.split(sys.argv[1])
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *told): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
threading.Thread(target=server.serve_forever, daemon=True).start()
stream, n, began = Orders(), 0, time.perf_counter()
for order in stream.parse_bulk_jsonl(f"http://127.0.0.1:{server.server_port}/{name}"):
    stream.transform_object({**order, "lineItems": {"edges": [{"node": line} for line in order["lineItems"]]}})
    n += 1
assert n == int(sys.argv[2]), n
print(n / (time.perf_counter() - began))
"""

if __name__ == "__main__":
    print(json.dumps(run(with_tap="--no-tap" not in sys.argv), indent=2))
