"""Progress of long work: bars on a terminal, lines elsewhere; always on standard error."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isthmus.flows.backfill import Progress as Step


@contextlib.contextmanager
def listing() -> Iterator[Callable[["Step"], None]]:
    """Something to tell each step of a listing to."""
    if not sys.stderr.isatty():
        yield _line
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("{task.description:>18}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bars:
        known = {}

        def tell(step: "Step") -> None:
            key = f"{step.store} {step.kind}s"
            if key not in known:
                known[key] = bars.add_task(key, total=step.total)
            bars.update(known[key], completed=step.n_listed, total=step.n_listed if step.is_done else step.total)

        yield tell


def _line(step: "Step") -> None:
    of = "" if step.total is None else f" of {step.total}"
    print(f"{step.store} {step.kind}s: {step.n_listed}{of} listed", file=sys.stderr)
