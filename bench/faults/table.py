"""Play the faults one after another and say what became of each, as a table or as one JSON document."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import msgspec
from bench.faults import kinds, postgres
from bench.faults.kinds import ALONE, TOGETHER, NotRunError
from bench.faults.stage import Outcome, staged

NAMES = (*TOGETHER, *ALONE)
_HEAD = ("fault", "lost", "failed", "longest wait", "settled after", "allowed", "web MB", "")


def main(only: Sequence[str], *, as_json: bool) -> int:
    """Play these, or all; the exit code."""
    if unknown := [name for name in only if name not in NAMES]:
        print(f"there is no fault {unknown[0]}; there are: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    began = time.monotonic()
    if not as_json:
        print("{:16}{:>6}{:>8}{:>14}{:>15}{:>10}{:>8}  {}".format(*_HEAD))
    outcomes = []
    for one in play(only or NAMES):
        outcomes.append(one)
        if not as_json:
            _show(one)
    is_good = all(not one.broken and one.not_run is None for one in outcomes)
    if as_json:
        told = {"seconds": round(time.monotonic() - began), "kept": is_good, "faults": msgspec.to_builtins(outcomes)}
        print(json.dumps(told, indent=2))
    else:
        verdict = "every promise is kept" if is_good else "NOT every promise is kept, or not every fault could be had"
        print(f"{verdict}; {time.monotonic() - began:.0f} s in all")
    return 0 if is_good else 1


def play(names: Sequence[str]) -> Iterator[Outcome]:
    """What became of each fault; after the last of a machine both sides are compared."""
    together = [name for name in names if name in TOGETHER]
    if together:
        yield from _guarded(together, lambda: _together(together))
    if "failover" in names:
        yield from _guarded(["failover"], _failover)
    if "disk-full" in names:
        yield from _guarded(["disk-full"], _disk_full)


def _guarded(names: Sequence[str], stage: Callable[[], Iterator[Outcome]]) -> Iterator[Outcome]:
    """What a stage gives; where it breaks down, that is what became of the faults that were still to come."""
    left = list(names)
    try:
        for one in stage():
            if one.name in left:
                left.remove(one.name)
            yield one
    except NotRunError as error:
        yield from (Outcome(name, notes={}, broken=[], not_run=str(error)) for name in left)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        yield from (Outcome(name, notes={}, broken=[], not_run=why) for name in left or ["(both sides)"])


def _together(names: Sequence[str]) -> Iterator[Outcome]:
    with staged() as stage:
        for name in names:
            yield stage.play(name, TOGETHER[name])
        yield _compared(stage.differences())


def _failover() -> Iterator[Outcome]:
    with postgres.pair() as (primary, standby, url), staged(url=url) as stage:
        made = stage.play("failover", kinds.failover(primary, standby))
        made.broken += stage.differences()[:3]
        yield made


def _disk_full() -> Iterator[Outcome]:
    with kinds.small_disk() as folder, staged(data_dir=folder / "data") as stage:
        made = stage.play("disk-full", kinds.disk_full(folder))
        made.broken += stage.differences()[:3]
        yield made


def _compared(differences: list[str]) -> Outcome:
    """A line of its own: both sides, record by record, after all of that."""
    return Outcome("(both sides)", settled_after=0.0, notes={"differences": len(differences)}, broken=differences[:5])


def _show(one: Outcome) -> None:
    if one.not_run is not None:
        print(f"{one.name:16}not run: {one.not_run}", flush=True)
        return
    settled = "never" if one.settled_after is None else f"{one.settled_after:.1f} s"
    line = f"{one.name:16}{one.lost:>6}{one.failed:>8}{one.longest_wait:>12.1f} s{settled:>15}"
    print(f"{line}{one.allowed:>8.0f} s{one.web_mb:>8.0f}  {'BROKEN' if one.broken else 'kept'}", flush=True)
    for name, value in one.notes.items():
        print(f"{'':16}{name}: {value}")
    for promise in one.broken:
        print(f"{'':16}broken: {promise}", flush=True)
