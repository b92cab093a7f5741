"""`python -m bench [names…] [--json]`: every figure the documents quote, beside its target."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import (
    audit,
    consent,
    differences,
    duplicates,
    enrichment,
    growth,
    history,
    ingest,
    load_lines,
    mapping,
    pace,
    pairs,
    pipeline,
    sim_reads,
)
from bench.faults import table
from msgspec import Struct


class Figure(Struct, frozen=True):
    """One measured number and what is promised of it. `is_at_most` where less is better."""

    name: str
    value: float
    target: float | None = None
    is_at_most: bool = False

    @property
    def ratio(self) -> float | None:
        """How many times better than promised; below 1 the promise is not kept."""
        if self.target is None or not self.value:
            return None
        return self.target / self.value if self.is_at_most else self.value / self.target


def _mapping(_: argparse.Namespace) -> list[Figure]:
    told = mapping.run()
    targets = {"new_order_decode_map_encode_per_second": 30_000}
    return [Figure(name, value, targets.get(name)) for name, value in told.items()]


def _ingest(_: argparse.Namespace) -> list[Figure]:
    told = ingest.run()
    targets = {"ratio": 0.35, "at_80_percent_p99_ms": 100}
    return [Figure(name, value, targets.get(name), name.endswith("_ms")) for name, value in told.items()]


def _pipeline(_: argparse.Namespace) -> list[Figure]:
    return [
        Figure(name, value, {"orders_per_second": 2_000}.get(name))
        for name, value in pipeline.run().items()
        if not isinstance(value, list)
    ]


def _pace(given: argparse.Namespace) -> list[Figure]:
    told = pace.run(given.seconds)
    targets = {"slots_used_percent": 95, "records_per_push": 90, "realtime_p99_seconds": 5}
    return [
        Figure(name, value, targets.get(name), name.endswith("p99_seconds"))
        for name, value in _flat(told)
        if isinstance(value, (int, float))
    ]


def _growth(_: argparse.Namespace) -> list[Figure]:
    rows = growth.run()
    figures = [Figure(f"{name} at {row['orders']:,}", value) for row in rows for name, value in row.items()]
    kept = rows[-1]["orders_per_second"] / rows[0]["orders_per_second"]
    return [*figures, Figure("rate kept from the first size to the last", round(kept, 2))]


def _differences(given: argparse.Namespace) -> list[Figure]:
    orders = given.orders or 1_000_000
    told = differences.run(orders)
    targets = {"seconds": 10, "memory_mb": 500} if orders <= 1_000_000 else {"seconds": 60, "memory_mb": 1500}
    return [Figure(name, value, targets.get(name), name in targets) for name, value in told.items()]


def _flat(told: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in told.items():
        found += _flat(value, f"{before}{name}.") if isinstance(value, dict) else [(f"{before}{name}", value)]
    return found


def _audit(given: argparse.Namespace) -> list[Figure]:
    told = audit.run(given.customers, given.customers)
    targets = {"seconds": 60, "from_export_seconds": 60}
    return [Figure(name, value, targets.get(name), is_at_most=True) for name, value in told.items()]


def _history(given: argparse.Namespace) -> list[Figure]:
    told = history.run(given.customers, given.orders or 3 * given.customers, given.rate)
    targets = {"slots_used_percent": 95, "differences": 0} | {
        f"{name}_from_history{when}": 0 for name in ("custom_events", "welcomes") for when in ("", "_after_it")
    }
    most = {name: 300 for name in told if name.startswith("most_memory_of") and not name.endswith("sims_mb")}
    return [
        Figure(name, value, {**targets, **most}.get(name), name != "slots_used_percent") for name, value in told.items()
    ]


def _load_lines(given: argparse.Namespace) -> list[Figure]:
    told = load_lines.run(given.lines, with_tap=not given.no_tap)
    targets = {"orders_per_second": 6_000, "process_mb": 300}
    return [
        Figure(name, value, targets.get(name), name.endswith("_mb"))
        for name, value in told.items()
        if not isinstance(value, list)
    ]


def _duplicates(given: argparse.Namespace) -> list[Figure]:
    told = duplicates.run(given.customers)
    least = {"recall": 1.0, "sure_precision": 1.0}
    most = {"different_people_merged_by_rule": 0, "missed_pairs": 0, "seconds": 10, "mb": 300}
    return [Figure(name, value, {**least, **most}.get(name), name in most) for name, value in told.items()]


def _enrichment(given: argparse.Namespace) -> list[Figure]:
    told = enrichment.run(given.customers)
    most = {
        "all_throttled_percent": 1.0, "changed_throttled_percent": 1.0, "all_points_a_second_and_shop": 100,
        "changed_points_a_second_and_shop": 100, "differences_of_properties": 0,
    }  # fmt: skip
    return [Figure(name, value, most.get(name), name in most) for name, value in told.items()]


def _consent(given: argparse.Namespace) -> list[Figure]:
    told = consent.run(given.customers)
    most = {
        "to_shop_p99_seconds": 60, "to_shop_unlisted_most_seconds": 600, "to_platform_p99_seconds": 5,
        "opted_in_against_it": 0,
    }  # fmt: skip
    return [Figure(name, value, most.get(name), name in most) for name, value in told.items()]


def _sim_reads(_: argparse.Namespace) -> list[Figure]:
    return [Figure(name, value, {"fifty_orders_ms": 100}.get(name), True) for name, value in sim_reads.run().items()]


def _pairs(given: argparse.Namespace) -> list[Figure]:
    return [Figure(name, value, 0.98) for name, value in pairs.run(given.against, given.pairs).items()]


ALL: dict[str, Callable[[argparse.Namespace], list[Figure]]] = {
    "mapping": _mapping,
    "ingest": _ingest,
    "pipeline": _pipeline,
    "pace": _pace,
    "growth": _growth,
    "audit": _audit,
    "load_lines": _load_lines,
    "history": _history,
    "differences": _differences,
    "duplicates": _duplicates,
    "enrichment": _enrichment,
    "consent": _consent,
    "sim_reads": _sim_reads,
}


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}"


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    options.add_argument("names", nargs="*", metavar="name", help=f"only these of {', '.join(ALL)}; or faults alone")
    options.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    options.add_argument("--seconds", type=int, default=300, help="of realtime arrivals in pace")
    options.add_argument(
        "--orders", type=int, help="on each side of differences (a million), of the shops in history (three a customer)"
    )
    options.add_argument(
        "--customers",
        type=int,
        default=2_000,
        help="in history, duplicates, enrichment, and in audit with as many orders",
    )
    options.add_argument("--rate", type=float, default=3.0, help="of things that happen in a second in history")
    options.add_argument("--lines", type=int, default=60_000, help="orders in load_lines")
    options.add_argument("--no-tap", action="store_true", help="leave tap-shopify out of load_lines")
    options.add_argument("--only", action="append", default=[], metavar="NAME", help="only this fault, of faults")
    options.add_argument("--against", type=Path, help="in pairs: the Python of the checkout to compare with")
    options.add_argument("--pairs", type=int, default=10, help="in pairs: how many times both are measured")
    given = options.parse_args()
    if given.against:
        ALL["pairs"] = _pairs
    if given.names == ["faults"]:
        sys.exit(table.main(given.only, as_json=given.json))
    if unknown := sorted(set(given.names) - set(ALL)):
        options.error(f"there is no {unknown[0]}; there are: {', '.join(ALL)}")
    told: dict[str, Any] = {"machine": machine(), "measured_on": f"{datetime.now(UTC):%Y-%m-%d}"}
    if not given.json:
        print(f"{told['machine']}, load {os.getloadavg()[0]:.1f}")
    for name in given.names or ALL:
        figures = ALL[name](given)
        told[name] = {figure.name: figure.value for figure in figures}
        if not given.json:
            _show(name, figures)
    if given.json:
        json.dump(told, sys.stdout, indent=2)
        print()


def _show(name: str, figures: list[Figure]) -> None:
    print(f"\n{name}")
    for figure in figures:
        line = f"  {figure.name:46} {figure.value:>12,}"
        if figure.target is not None:
            bound = "at most" if figure.is_at_most else "at least"
            line += f"   {bound:8} {figure.target:>8,}   {figure.ratio or 0:.2f} times"
        print(line, flush=True)


if __name__ == "__main__":
    main()
