"""One version of isthmus that is measured slice by slice, as another process asks: see bench/pairs.py.

A slice is short, and the floor (`json.loads` of the same bodies) is measured in it, so that what else the machine does
falls on all of it. Reads the name of a slice per line from standard input and answers with its figures as JSON.
"""

import json
import sys
import time
import timeit
from collections.abc import Callable
from typing import Any

from bench import mapping, pipeline
from bench.bodies import NEW_ORDER_BYTES, Bodies, told
from bench.rig import Crew, database, fill_inbox, link_customers, say, settle

from isthmus.db.pool import Database

AT_ONCE = 1000
"""Bodies of one slice of mapping, about a tenth of a second."""

ORDERS = 4_000
"""Orders of one slice from inbox to outbox, somewhat more than a second."""


def serve() -> None:
    """Measure whatever slice is asked for, until nothing more is."""
    orders = told()
    bodies = Bodies(ORDERS * 40)
    new = [body for body, _ in orders if len(body) <= NEW_ORDER_BYTES]
    large = [body for body, made in orders if len(made.lines) == mapping.LINES and not made.refunds]
    some = [bodies.body(n) for n in range(AT_ONCE)]
    at = 0
    with database() as url, Database(url) as db:
        link_customers(db, bodies)
        crew = Crew("bench.worker", url)
        settle()
        say({})
        for line in sys.stdin:
            if line.strip() == "mapping":
                say(_mapping("new_order", new) | _mapping("large_order", large))
            else:
                fill_inbox(db, ((n, bodies.body(n)) for n in range(at, at + ORDERS)))
                at += ORDERS
                floor = _rate(json.loads, some)
                rate = pipeline.one(crew, ORDERS)["per_second"]
                floor = max(floor, _rate(json.loads, some))
                say({"pipeline.orders_per_second": rate, "pipeline.orders_per_second_to_json_loads": rate / floor})
        crew.end()


def _mapping(name: str, given: list[bytes]) -> dict[str, float]:
    whole, floor = _rate(mapping.pipeline, given), _rate(json.loads, given)
    figure = f"mapping.{name}_decode_map_encode"
    return {f"{figure}_per_second": whole, f"{figure}_to_json_loads": whole / floor}


def _rate(work: Callable[[bytes], Any], given: list[bytes]) -> float:
    """How many a second of this process's own time, the better of two."""
    some = (given * (AT_ONCE // len(given) + 1))[:AT_ONCE]

    def once() -> None:
        for one in some:
            work(one)

    return AT_ONCE / min(timeit.repeat(once, number=1, repeat=2, timer=time.process_time))


if __name__ == "__main__":
    serve()
