"""Everybody's custom fields on a standard plan: what they cost in query points, how often Shopify says no, how long.

`python -m bench enrichment --customers 100000`. Both shops are served by the points of Shopify's smallest plan (2,000,
and 100 more a second), everything is real but the two sides, and the clock runs as clocks do. Things happen in the
shops all the while. Two rounds are measured: the one after a mapping file of ten fields was connected, which reads and
sends all of everybody; and the next, which finds a tenth of the people changed without a webhook or a new updated_at.
"""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from bench.history import come_to_rest, compare_sides
from bench.whole import NAME, Machine, machine, until

from isthmus.db.pool import Database
from isthmus.kit.clock import SystemClock

FIELDS = 10
TYPES = ("single_line_text_field", "number_integer", "boolean", "list.single_line_text_field")
"""Of the seeded fields custom.field_01 …, in turn."""

CHANGED = 0.1
RATE = 2.0
"""Things that happen in a second in the shops while everybody is gone through."""

PUSHES = 8
"""A second, by the newer of two published defaults: enrichment is to be measured, not the account's limit."""

EVERY = "24h"
ENRICHMENT_EVERY = "15s"
LONGEST = 7200.0


def run(customers: int) -> dict[str, Any]:
    """What became of so many customers with ten fields each."""
    sizes = ("--customers", str(customers), "--orders", str(max(50, customers // 20)), "--products", "60")
    with machine(*sizes, "--metafields", str(FIELDS)) as here:
        here.post("switches", {"push_rps": PUSHES})
        here.post("faults", {"shopify.plan": "Standard"})
        _write(here, mapping="")
        here.connect()
        with Database(here.database(), pool_size=2) as db:
            here.run("backfill", NAME)
            come_to_rest(here, db)
            here.most.clear()
            told: dict[str, Any] = {"customers": customers, "fields": FIELDS}
            here.post("life", {"rate": RATE})
            _write(here, mapping="\n".join(_entry(n) for n in range(1, FIELDS + 1)))
            told |= _measured(here, db, "all", lambda: _connect(here))
            changed = 0

            def change() -> None:
                nonlocal changed
                for store in here.sims["stores"]:
                    changed += len(here.post("metafields", {"shop": store["domain"], "share": CHANGED})["ids"])
                _begin_a_round(db)

            told |= _measured(here, db, "changed", change)
            told["changed_without_a_word"] = changed
            here.post("life", {"rate": 0.0})
            come_to_rest(here, db)
        found = compare_sides(here)
        told |= {f"equal_{kind}s": n for kind, n in found.n_equal.items()}
        told["differences_of_properties"] = sum(one.path.startswith("properties") for one in found.differences)
        told["other_differences"] = len(found.differences) - told["differences_of_properties"]
        told |= {f"most_memory_of_{role}_mb": round(most) for role, most in sorted(here.most.items())}
    for one in found.differences[:10]:
        print(f"  {one.kind} {one.id} {one.path}: {one.why}")
    return told


def _connect(here: Machine) -> None:
    """As a person does whose connect met the account's reading limit, which the workers use as well: once more."""
    until(lambda: here.start("connect", f"{NAME}.toml").wait() == 0, 300, f"it is connected; {here.tail()}", 2.0)


def _measured(here: Machine, db: Database, name: str, begin: Callable[[], None]) -> dict[str, Any]:
    """One round, from its beginning until nobody's enrichment waits any more."""
    before, began, at = _spent(here), time.monotonic(), SystemClock().now()
    begin()
    until(lambda: _is_round_over(db), LONGEST, f"everybody was gone through; {here.tail()}", 0.5)
    looked_at = time.monotonic() - began
    rounds = _rounds(db)
    ended = SystemClock().now()
    until(lambda: not _waits(db, ended), LONGEST, f"all of it is sent; {here.tail()}", 1.0)
    seconds, after = time.monotonic() - began, _spent(here)
    spent = {key: after[key] - before[key] for key in before}
    return {
        f"{name}_seconds_to_look": round(looked_at, 1),
        f"{name}_seconds_until_sent": round(seconds, 1),
        f"{name}_records_looked_at": rounds["n"],
        f"{name}_records_changed": rounds["n_changed"],
        f"{name}_records_a_second": round(rounds["n"] / looked_at),
        f"{name}_calls": spent["calls"],
        f"{name}_points": spent["points"],
        f"{name}_points_a_second_and_shop": round(spent["points"] / seconds / len(here.sims["stores"]), 1),
        f"{name}_throttled_percent": round(100 * spent["throttled"] / max(1, spent["calls"]), 3),
        **{f"{name}_realtime_{part}_seconds": told for part, told in _realtime(db, at).items()},
    }


def _spent(here: Machine) -> dict[str, int]:
    """Calls answered by both shops so far, those of them throttled, and the points they cost."""
    shops: Mapping[str, Mapping[str, int]] = here.get("report")["points"]
    return {key: sum(shop.get(key, 0) for shop in shops.values()) for key in ("calls", "throttled", "points")}


def _rounds(db: Database) -> dict[str, int]:
    with db.transaction() as tx:
        row = tx.fetch_one(
            """SELECT coalesce(sum(n), 0)::bigint AS n, coalesce(sum(n_changed), 0)::bigint AS n_changed,
                      count(*) AS rounds, count(*) FILTER (WHERE done_at IS NULL) AS under_way FROM round
               WHERE connection = %s""",
            (NAME,),
        )
    assert row is not None
    return dict(row)


def _realtime(db: Database, since: datetime) -> dict[str, float]:
    """How long orders and moments took meanwhile from receipt to Ometria's answer.

    Contacts are left out: one that waits in the enrichment lane and is wanted in real time keeps the time at which it
    was first wanted.
    """
    with db.transaction() as tx:
        row = tx.fetch_one(
            """SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY waited) AS p50,
                      percentile_cont(0.99) WITHIN GROUP (ORDER BY waited) AS p99
               FROM attempt WHERE connection = %s AND lane = 0 AND outcome = 'accepted' AND at >= %s
                 AND kind IN ('order', 'moment')""",
            (NAME, since),
        )
    return {part: round(value, 2) for part, value in (row or {}).items() if value is not None}


def _is_round_over(db: Database) -> bool:
    found = _rounds(db)
    return found["rounds"] > 0 and found["under_way"] == 0


def _begin_a_round(db: Database) -> None:
    """As if the interval were over: nobody measures a day."""
    with db.transaction() as tx:
        tx.execute("UPDATE round SET done_at = NULL, cursor = '', n = 0, n_changed = 0, began_at = now()")


def _waits(db: Database, before: datetime) -> bool:
    """Whether anything behind realtime that was told before then, or a new mapping, is still on its way."""
    with db.transaction() as tx:
        return bool(
            tx.fetch_value(
                """SELECT EXISTS (SELECT FROM outbox WHERE connection = %(name)s AND lane > 0 AND since <= %(before)s
                                  AND state IN ('due', 'leased', 'accepted', 'held'))
                       OR EXISTS (SELECT FROM event WHERE connection = %(name)s AND lane > 0 AND state = 'waiting'
                                  AND received_at <= %(before)s)
                       OR EXISTS (SELECT FROM watermark WHERE connection = %(name)s AND name LIKE 'remap:%%'
                                  AND done_at IS NULL)""",
                {"name": NAME, "before": before},
            )
        )


def _write(here: Machine, *, mapping: str) -> None:
    here.write(
        push_per_second=PUSHES, processes=2, enrichment_every=ENRICHMENT_EVERY,
        lanes=f'metafields_every = "{EVERY}"', mapping=mapping,
    )  # fmt: skip


def _entry(number: int) -> str:
    return f"""[[metafields]]
owner = "customer"
namespace = "custom"
key = "field_{number:02}"
type = "{TYPES[(number - 1) % len(TYPES)]}"
property = "field_{number:02}"
"""
