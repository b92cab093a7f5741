"""How many orders a second go from inbox to outbox, with as many workers as cores and nothing lost on a crash."""

import json
import timeit
from statistics import median
from typing import Any

from bench.bodies import Bodies
from bench.rig import CORES, Crew, Servers, database, fill_inbox, link_customers, now

from isthmus.db.pool import Database

ORDERS = 10_000
ROUNDS = 3


def run(orders: int = ORDERS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Orders per second, where the CPU went, and memory; each round is of orders that were never seen before."""
    bodies = Bodies(orders * rounds)
    figures = []
    with database() as url, Database(url) as db:
        link_customers(db, bodies)
        crew, servers = Crew("bench.worker", url), Servers(db)
        for turn in range(rounds):
            fill_inbox(db, ((n, bodies.body(n)) for n in range(turn * orders, (turn + 1) * orders)))
            before = servers.cpu()
            figures.append(one(crew, orders) | {"database_cpu": servers.cpu() - before})
        memory = servers.memory()
        with db.transaction() as tx:
            assert tx.fetch_value("SELECT count(*) FROM outbox WHERE kind = 'order'") == orders * rounds
        crew.end()
    told = sorted(figures, key=lambda figure: figure["per_second"])[rounds // 2]
    return {
        "orders": orders,
        "body_bytes": round(sum(len(bodies.body(n)) for n in range(100)) / 100),
        "workers": CORES,
        "orders_per_second": round(told["per_second"]),
        "orders_per_second_to_json_loads": round(told["per_second"] / _json_loads_per_second(bodies), 4),
        "of_rounds": [round(figure["per_second"]) for figure in figures],
        "worker_cpu_ms_per_order": round(1000 * told["worker_cpu"] / orders, 3),
        "database_cpu_ms_per_order": round(1000 * told["database_cpu"] / orders, 3),
        "worker_mb": round(median(told["mb"]), 1),
        "database_mb": round(memory, 1),
    }


def one(crew: Crew, orders: int) -> dict[str, Any]:
    """Let the crew empty the inbox, which holds so many orders."""
    began = now()
    shares = crew.work()
    seconds = now() - began
    assert sum(share["n"] for share in shares) == orders
    return {
        "per_second": orders / seconds,
        "worker_cpu": sum(share["cpu"] for share in shares),
        "mb": [share["mb"] for share in shares],
    }


def _json_loads_per_second(bodies: Bodies) -> float:
    """The floor: how fast one process decodes the same bodies and does nothing else with them."""
    some = [bodies.body(n) for n in range(2000)]
    best = min(timeit.repeat(lambda: [json.loads(body) for body in some], number=1, repeat=5))
    return len(some) / best


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
