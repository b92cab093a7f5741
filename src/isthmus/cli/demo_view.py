"""What the demonstration looks like while it runs."""

import contextlib
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from isthmus.cli.demo_texts import describe_fault
from isthmus.flows.backfill.progress import Progress
from isthmus.flows.poll import KINDS
from isthmus.ops.status import StatusReport
from isthmus.runtime.demo import DemoObserver

WIDTH = 78
"""Columns that are drawn, so that a terminal of 80 shows all."""

FIRST = 18
"""Columns of the names at the left."""

ON_PLATFORM = {"customers": "contacts", "custom_events": "events"}
"""What Ometria calls them."""


class _Lines(DemoObserver):
    """For scripts: what is said goes to standard error, and nothing else."""

    def __init__(self) -> None:
        self._phase = ""
        self._began = time.monotonic()

    def say(self, line: str) -> None:
        print(f"isthmus demo: {time.monotonic() - self._began:5.1f} s  {line}", file=sys.stderr)

    def look(self, phase: str, status: StatusReport, sims: Mapping[str, Any], left: float | None) -> None:  # noqa: ARG002
        if phase != self._phase:
            self._phase = phase
            self.say(phase)


class _Terminal(DemoObserver):
    """A table that follows the numbers, and below it what was said last."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._began = time.monotonic()
        self._said: list[Text] = []
        self._loads: dict[tuple[str, str], Progress] = {}
        self._drawn: list[RenderableType] = []

    def say(self, line: str) -> None:
        self._said.append(Text(f"{time.monotonic() - self._began:5.0f} s  {line}", style="dim", no_wrap=True))
        self._draw()

    def loaded(self, step: Progress) -> None:
        before = self._loads.get((step.store, step.kind))
        self._loads[step.store, step.kind] = step
        of_store = [told for (store, _), told in self._loads.items() if store == step.store]
        if before != step and all(told.is_done for told in of_store) and len(of_store) == len(KINDS):
            said = ", ".join(f"{told.n} {told.kind}s" for told in of_store)
            self.say(f"history of {step.store}: {said}")

    def look(self, phase: str, status: StatusReport, sims: Mapping[str, Any], left: float | None) -> None:
        self._drawn = [
            _title(phase, left),
            _records(status, sims),
            self._bar(phase, status, sims),
            Text(),
            _lanes(status),
            Text(),
            _faults(sims),
            Text(),
        ]
        self._draw()

    def _bar(self, phase: str, status: StatusReport, sims: Mapping[str, Any]) -> RenderableType:
        """How far the load is, then how much of what should be there is applied."""
        connection = status.connections[0]
        if phase != "loading":
            applied = connection.share_applied or 0.0
            return _bar("applied", applied, f"{applied:.1%}")
        kinds = connection.accounting
        there = sum(_on_platform(sims, kind) + n.excluded for kind, n in kinds.items())
        of = max(sum(n.known for n in kinds.values()), sum(step.total or step.n for step in self._loads.values()))
        return _bar("loaded", there / of if of else 0.0, f"{there} of {of}")

    def _draw(self) -> None:
        console = self._live.console
        used = sum(len(console.render_lines(part, pad=False)) for part in self._drawn)
        room = max(1, console.height - used - 1)
        self._live.update(Group(*self._drawn, *self._said[-room:]))


@contextlib.contextmanager
def silent_observer() -> Iterator[DemoObserver]:
    yield _Lines()


@contextlib.contextmanager
def terminal_observer() -> Iterator[DemoObserver]:
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield _Lines()
        return
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield _Terminal(live)


def _title(phase: str, left: float | None) -> Text:
    return Text.assemble((phase, "bold"), f", {left:.0f} s to go" if left is not None else "")


def _records(status: StatusReport, sims: Mapping[str, Any]) -> Table:
    table = _table("", "in Shopify", "in Ometria", "applied", "excluded", "waiting", "case")
    for kind, classes in status.connections[0].accounting.items():
        # Ometria counts variants as products, as we do; a moment is made by us from what a shop says.
        there = sum(shop.get(kind, 0) for shop in sims["shopify"].values()) if kind != "custom_events" else ""
        counts = (classes.applied, classes.excluded, classes.waiting, classes.case)
        name = "products, variants" if kind == "products" else kind.replace("_", " ")
        table.add_row(
            name, str(there), str(_on_platform(sims, kind)), *map(str, counts), style="red" if classes.case else None
        )
    return table


def _on_platform(sims: Mapping[str, Any], kind: str) -> int:
    return int(sims["ometria"].get(ON_PLATFORM.get(kind, kind), 0))


def _lanes(status: StatusReport) -> Table:
    table = _table("lane", "depth", "oldest", "p50", "p99")
    for name, lane in status.connections[0].lanes.items():
        spans = (lane.oldest_seconds, lane.p50_seconds, lane.p99_seconds)
        table.add_row(name, str(lane.depth), *(f"{span:.1f} s" if span else "–" for span in spans))
    return table


def _table(first: str, *rest: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column(first, style="cyan", no_wrap=True, min_width=FIRST)
    for name in rest:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _beside() -> Table:
    """A name, and what is to its right begins where the numbers do."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=FIRST, no_wrap=True)
    return grid


def _bar(name: str, share: float, told: str) -> Table:
    line = _beside()
    line.add_row(Text(name, style="cyan"), ProgressBar(total=1.0, completed=share, width=34), told)
    return line


def _faults(sims: Mapping[str, Any]) -> Table:
    told = [f"{n} {describe_fault(name)}" for name, n in sorted(sims["injected"].items()) if n]
    # Wrapped here, since rich would also part a number from what it counts.
    kept = " · ".join(one.replace(" ", "\N{NO-BREAK SPACE}") for one in told) or "nothing yet"
    line = _beside()
    line.add_row(Text("survived", style="cyan"), Text(textwrap.fill(kept, WIDTH - FIRST - 2), style="yellow"))
    return line
