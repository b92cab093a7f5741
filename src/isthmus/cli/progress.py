"""Progress of long work: bars on a terminal, lines elsewhere; always on standard error."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isthmus.flows.backfill.eta import Ahead
    from isthmus.flows.backfill.progress import Progress as Step
    from isthmus.flows.reconcile.run_context import RunProgress as Walked


@contextlib.contextmanager
def load_progress(sending: Callable[[], "Ahead"]) -> Iterator[Callable[["Step"], None]]:
    """Something to tell each step of a load to: rows, rate, and below it what is still to be sent."""
    if not sys.stderr.isatty():
        yield _Lines(sending).tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("{task.description:>18}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bars:
        known = {}

        def tell(step: "Step") -> None:
            key = f"{step.store} {step.kind}s"
            if key not in known:
                known[key] = bars.add_task(key, total=step.total, rate="")
            task = known[key]
            speed = bars.tasks[task].speed
            rate = f"{speed:,.0f}/s" if speed and not step.is_done else "" if step.n else f"{step.n_found:,} found"
            bars.update(task, completed=step.n, total=step.n if step.is_done else step.total, rate=rate)
            line = sending().line
            if line != said[0]:
                said[0] = line
                bars.console.print(line)

        said = [""]
        yield tell


class _Lines:
    """One line whenever something has changed."""

    def __init__(self, sending: "Callable[[], Ahead]") -> None:
        self._sending = sending
        self._said: dict[tuple[str, str], Step] = {}

    def tell(self, step: "Step") -> None:
        key = (step.store, step.kind)
        if self._said.get(key) == step:
            return
        self._said[key] = step
        of = "" if step.total is None else f" of {step.total:,}"
        found = f", {step.n_found:,} found" if not step.n else ""
        print(f"{step.store} {step.kind}s: {step.n:,}{of} loaded{found}; {self._sending().line}", file=sys.stderr)


@contextlib.contextmanager
def run_progress() -> Iterator[Callable[["Walked"], None]]:
    """Something to tell the steps of a run to: rows, rate, and how long the rest of a step takes at that rate."""
    if not sys.stderr.isatty():
        yield lambda step: print(
            f"{step.name}: {step.n:,}" + (f" of {step.total:,}" if step.total else ""), file=sys.stderr
        )
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    with Progress(
        SpinnerColumn(finished_text=" "),
        TextColumn("{task.description:>24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bars:
        known = {}

        def tell(step: "Walked") -> None:
            if step.name not in known:
                known[step.name] = bars.add_task(step.name, total=step.total, rate="")
            task = known[step.name]
            total = step.n if step.is_done else step.total
            speed = bars.tasks[task].speed
            bars.update(task, completed=step.n, total=total, rate=f"{speed:,.0f}/s" if speed else "")

        yield tell
