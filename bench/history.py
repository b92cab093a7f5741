"""A merchant's history loaded while the shop lives, with hard kills: are both sides equal, and was no slot wasted?

`python -m bench history --customers 100000 --orders 300000 --rate 5`. Ometria takes as many pushes a second as
an account may make by default. The backfill command and a worker are killed with -9 when 30 % and when 60 % of the
records are known, and the command is typed again. When all of it is sent, everybody is touched live and the sides are
reconciled: history must be no occasion then either. Equal means: every record of both shops, read and mapped again,
is what Ometria says (isthmus.flows.compare).
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import msgspec
from bench.whole import NAME, Machine, machine, until

from isthmus.app.context import App
from isthmus.app.settings import load_settings
from isthmus.db.pool import Database
from isthmus.flows.compare import Comparison, compare_both_sides
from isthmus.kit.clock import SystemClock
from isthmus.model.lane import RANKS, Lane
from isthmus.model.write import RecordKind
from isthmus.ops import status

PER_SECOND = 4
"""Pushes an account may make by default, 400 records; newer documents say twice that, which two cores that are both
external APIs, the database and five processes of ours at once do not keep up with."""

KILLS_AT = (0.3, 0.6)
PRODUCTS_PER = 50
"""Customers for each product."""

ENRICHMENT_EVERY = "20s"
"""Shorter than by default, so that the end need not be waited for."""

TAG, TOUCHED = "seen", 500
"""What everybody is tagged with in the end, and how many at a time."""

QUIET_FOR = 10.0
"""Seconds in which nothing waits before that is believed."""

LONGEST = 3600.0
KINDS = {RecordKind.CONTACT: "contacts", RecordKind.ORDER: "orders", RecordKind.PRODUCT: "products"}


def run(customers: int, orders: int, rate: float) -> dict[str, Any]:
    """What became of a history of this size with `rate` things happening in the shops per second."""
    products = max(60, customers // PRODUCTS_PER)
    sizes = ("--customers", str(customers), "--orders", str(orders), "--products", str(products))
    began = time.monotonic()
    with machine(*sizes) as here:
        told: dict[str, Any] = {"seconds_to_build_the_shops": round(time.monotonic() - began)}
        here.post("switches", {"event_idempotency": False, "push_rps": PER_SECOND})  # an event sent twice shows
        here.write(push_per_second=PER_SECOND, processes=2, enrichment_every=ENRICHMENT_EVERY)
        here.connect()
        live_since = datetime.now(UTC).replace(microsecond=0)  # what happens is told in whole seconds
        here.post("life", {"rate": rate})
        with Database(here.database(), pool_size=2) as db, _Counter(here) as counter:
            loading = time.monotonic()
            told |= _load(here, db, customers + orders + products)
            loaded_at = time.time()
            told["seconds_to_load"] = round(time.monotonic() - loading, 1)
            until(lambda: not _waits(db, Lane.BACKFILL), LONGEST, f"history is sent; {here.tail()}", 1.0)
            here.post("life", {"rate": 0.0})
            come_to_rest(here, db)
            told["seconds_until_both_sides_rest"] = round(time.monotonic() - loading, 1)
            told |= _slots(db, counter, loaded_at)
            told |= _automations(here, live_since)
            told |= _touched(here, db)
            told |= {f"{name}_after_it": n for name, n in _automations(here, live_since).items()}
        report = here.get("report")
        told["things_that_happened_meanwhile"] = report["life"]["steps"]
        told["refused_by_the_platform"] = report["ometria"]["errors"]
        comparing = time.monotonic()
        found = compare_sides(here)
        told["seconds_to_compare"] = round(time.monotonic() - comparing, 1)
        told |= {f"equal_{kind}s": n for kind, n in found.n_equal.items()}
        told["excluded"] = sum(found.n_excluded.values())
        told["cases"] = found.n_cases
        told["differences"] = len(found.differences)
        told |= {f"most_memory_of_{role}_mb": round(most) for role, most in sorted(here.most.items())}
    for one in found.differences[:10]:
        print(f"  {one.kind} {one.id} {one.path}: {one.why}")
    return told


# The load and its kills ----------------------------------------------------------------------------------------------


def _load(here: Machine, db: Database, expected: int) -> dict[str, Any]:
    """Run the backfill to its end, killed twice on the way and typed again each time."""
    killed = {"backfill": 0, "work": 0}
    every = expected / 200_000  # seconds: counting takes the longer the more there is, and is no part of the load
    program = here.start("backfill", NAME)
    for share in KILLS_AT:
        until(lambda: _known(db) >= share * expected or program.poll() is not None, LONGEST, "loaded so far", every)  # noqa: B023
        if program.poll() is None:
            program.kill()
            program.wait()
            killed["backfill"] += 1
        if workers := here.role("work"):
            here.kill(workers[0])
            killed["work"] += 1
        if program.returncode != 0:
            program = here.start("backfill", NAME)
    if program.wait() != 0:
        raise RuntimeError(f"the backfill ended with {program.returncode}: {here.tail()}")
    return {f"kills_of_{role}": n for role, n in killed.items()}


def _known(db: Database) -> int:
    """How many records we hold."""
    with db.transaction() as tx:
        n: int = tx.fetch_value("SELECT count(*) FROM record WHERE connection = %s", (NAME,))
    return n


def _waits(db: Database, lane: Lane) -> bool:
    with db.transaction() as tx:
        found = tx.fetch_value(
            """SELECT EXISTS (SELECT FROM outbox WHERE connection = %(name)s AND lane = %(lane)s
                              AND state IN ('due', 'leased', 'accepted', 'held'))
                   OR EXISTS (SELECT FROM event WHERE connection = %(name)s AND lane = %(lane)s
                              AND state = 'waiting')""",
            {"name": NAME, "lane": RANKS[lane]},
        )
    return bool(found)


def come_to_rest(here: Machine, db: Database) -> None:
    """Until nothing has waited for a while, with every webhook delivered."""
    quiet_since = time.monotonic()

    def is_at_rest() -> bool:
        nonlocal quiet_since
        told = status.read_status(db, SystemClock().now(), NAME).connections[0]
        if told.is_waiting or here.get("report")["deliveries"]["pending"]:
            quiet_since = time.monotonic()
        return time.monotonic() - quiet_since > QUIET_FOR

    until(is_at_rest, LONGEST, f"nothing waits; {here.tail()}", 1.0)


# Everybody touched ---------------------------------------------------------------------------------------------------


def _touched(here: Machine, db: Database) -> dict[str, Any]:
    """Let the merchant tag everybody, which sends each contact once more, live; then compare the sides and repair.

    The shop's points are no limit here: how fast people are read is no part of this.
    """
    here.post("faults", {"shopify.unlimited": True})
    began, n = time.monotonic(), 0
    for store in here.sims["stores"]:
        first = 0
        while done := here.post("touch", {"shop": store["domain"], "tag": TAG, "first": first, "n": TOUCHED})["n"]:
            first += done
            until(lambda: here.get("report")["deliveries"]["pending"] < TOUCHED, LONGEST, "the tags are told of")
        n += first
    come_to_rest(here, db)
    touched = time.monotonic()
    code = here.start("reconcile", NAME).wait()
    come_to_rest(here, db)
    with db.transaction() as tx:
        found = tx.fetch_all(
            """SELECT code, count(*) AS n FROM finding WHERE connection = %s AND run = (
                   SELECT max(id) FROM run WHERE connection = %s AND what = 'reconcile') GROUP BY code""",
            (NAME, NAME),
        )
    return {
        "customers_touched": n,
        "seconds_to_touch_everybody": round(touched - began, 1),
        "seconds_to_reconcile": round(time.monotonic() - touched, 1),
        "reconcile_ended_with": code,
        "found_by_reconcile": sum(row["n"] for row in found),
        **{f"found_{row['code']}": row["n"] for row in found},
    }


# What became of it ---------------------------------------------------------------------------------------------------


class _Counter:
    """Notes every second how many pushes Ometria has answered."""

    def __init__(self, here: Machine) -> None:
        self._here = here
        self.seen: list[tuple[float, int, int]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._count, daemon=True)

    def __enter__(self) -> "_Counter":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def between(self, first: float, last: float) -> tuple[int, int, float]:
        """Pushes answered, those of them refused for coming too fast, and the seconds that was."""
        within = [one for one in self.seen if first <= one[0] <= last]
        (at, n, fast), (end, m, faster) = within[0], within[-1]
        return m - n, faster - fast, end - at

    def _count(self) -> None:
        while not self._stop.wait(1.0):
            counts = self._here.get("report")["ometria"]["counts"]
            fast = counts.get("push_429", 0)
            self.seen.append((time.time(), counts.get("push_requests", 0) + fast, fast))


def _slots(db: Database, counter: _Counter, loaded_at: float) -> dict[str, Any]:
    """How many of the pushes that were allowed were made between the first and the last of history.

    Once more for the time after the load, when nothing but Ometria's limit holds anybody up.
    """
    with db.transaction() as tx:
        times = [
            row["at"].timestamp()
            for row in tx.fetch_all(
                """SELECT DISTINCT date_trunc('second', at) AS at FROM attempt
                   WHERE connection = %s AND lane = %s ORDER BY at""",
                (NAME, RANKS[Lane.BACKFILL]),
            )
        ]
        sent = tx.fetch_all(
            "SELECT kind, count(*) AS n FROM attempt WHERE connection = %s AND lane = %s GROUP BY kind ORDER BY kind",
            (NAME, RANKS[Lane.BACKFILL]),
        )
    made, too_fast, seconds = counter.between(times[0], times[-1] + 1)
    after, _, seconds_after = counter.between(min(loaded_at, times[-1] - 5), times[-1] + 1)
    return {
        "seconds_of_pushing_history": round(seconds),
        "slots_used_percent": round(100 * made / (PER_SECOND * seconds), 1),
        "slots_used_after_the_load_percent": round(100 * after / (PER_SECOND * seconds_after), 1),
        "answered_too_fast": too_fast,
        "longest_pause_of_history_seconds": round(max(b - a for a, b in pairwise(times))),
        **{f"{row['kind']}s_sent_as_history": row["n"] for row in sent},
    }


def _automations(here: Machine, live_since: datetime) -> dict[str, Any]:
    """What Ometria would have started because of history: nothing, one hopes."""
    old_events = doubled = welcomes = n_events = 0
    seen = set()
    for one in here.lines("platform/events"):
        n_events += 1
        doubled += one["id"] in seen
        seen.add(one["id"])
        old_events += datetime.fromisoformat(one["timestamp"]) < live_since
    for one in here.lines("platform/automations"):
        if one["kind"] == "subscribe":
            welcomes += datetime.fromisoformat(one["timestamp"]) < live_since
    return {
        "custom_events": n_events,
        "custom_events_from_history": old_events,
        "custom_events_sent_twice": doubled,
        "welcomes_from_history": welcomes,
    }


def compare_sides(here: Machine) -> Comparison:
    """Both sides, record by record; the shop's points are no limit for a checker."""
    here.post("faults", {"shopify.unlimited": True})
    os.environ.update(here.environment)  # where the connection's secrets are looked up
    with contextlib.chdir(here.home), App.opened(load_settings(), pool_size=2) as app:
        return compare_both_sides(app.db, app.context(NAME), _lookup(here))


def _lookup(here: Machine) -> Callable[[RecordKind, str], Mapping[str, Any] | None]:
    """Ometria's records, kept as text since there may be many."""
    kept: dict[tuple[RecordKind, str], bytes] = {}
    for kind, name in KINDS.items():
        for item in here.lines(f"platform/{name}"):
            if kind is not RecordKind.CONTACT or item.get("@collection") == "shopify":
                kept[kind, str(item["id"])] = msgspec.json.encode(item)

    def found(kind: RecordKind, name: str) -> Mapping[str, Any] | None:
        text = kept.get((kind, name))
        return None if text is None else msgspec.json.decode(text)

    return found
