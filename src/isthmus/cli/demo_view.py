"""What the demonstration looks like while it runs, and the report at its end."""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from isthmus.flows.backfill import Progress
from isthmus.ops.numbers import Status
from isthmus.runtime.demo import Report, View

SPOKEN = 6
"""Lines of what was said that stay on the screen."""


class _Lines(View):
    """For scripts: what is said goes to standard error, and nothing else."""

    def __init__(self) -> None:
        self._phase = ""

    def say(self, line: str) -> None:
        print(f"isthmus demo: {line}", file=sys.stderr)

    def look(self, phase: str, status: Status, sims: Mapping[str, Any], left: float | None) -> None:  # noqa: ARG002
        if phase != self._phase:
            self._phase = phase
            self.say(phase)


class _Terminal(View):
    """A table that follows the numbers."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._said: list[str] = []
        self._drawn: Group | None = None

    def say(self, line: str) -> None:
        self._said = [*self._said, line][-SPOKEN:]
        self._live.update(Group(*([self._drawn] if self._drawn else []), Text("\n".join(self._said), style="dim")))

    def listed(self, step: Progress) -> None:
        if step.is_done:
            self.say(f"{step.store}: {step.n_listed} {step.kind}s are on the road")

    def look(self, phase: str, status: Status, sims: Mapping[str, Any], left: float | None) -> None:
        self._drawn = Group(_records(phase, status, sims, left), _lanes(status), _faults(sims))
        self._live.update(Group(self._drawn, Text("\n".join(self._said), style="dim")))


@contextlib.contextmanager
def quiet() -> Iterator[View]:
    yield _Lines()


@contextlib.contextmanager
def on_terminal() -> Iterator[View]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines()
        return
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield _Terminal(live)


def _records(phase: str, status: Status, sims: Mapping[str, Any], left: float | None) -> Table:
    connection = status.connections[0]
    agreement = connection.agreement
    title = f"{phase}, {left:.0f} s to go" if left is not None else phase
    table = Table(title=f"{connection.name}: {title}", title_justify="left", title_style="bold", expand=False)
    for name in ("", "in Shopify", "in Ometria", "applied", "excluded", "waiting", "case"):
        table.add_column(name, justify="left" if not name else "right")
    for kind, classes in connection.accounting.items():
        there = sum(shop.get(kind, 0) for shop in sims["shopify"].values()) if kind != "moments" else None
        platform = sims["ometria"].get({"customers": "contacts", "moments": "events"}.get(kind, kind), 0)
        table.add_row(
            kind, "" if there is None else str(there), str(platform), str(classes.applied), str(classes.excluded),
            str(classes.waiting), str(classes.case),
        )  # fmt: skip
    if agreement is not None:
        table.caption = f"agreement {agreement:.1%}"
        table.caption_justify = "left"
    return table


def _lanes(status: Status) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("lane", "depth", "oldest", "p50", "p99"):
        table.add_column(name, justify="left" if name == "lane" else "right", style="cyan" if name == "lane" else "")
    for name, lane in status.connections[0].lanes.items():
        table.add_row(
            name, str(lane.depth), f"{lane.oldest_seconds:.1f} s", f"{lane.p50_seconds:.1f} s",
            f"{lane.p99_seconds:.1f} s",
        )  # fmt: skip
    return table


def _faults(sims: Mapping[str, Any]) -> Text:
    told = [f"{name.split('.')[1].removeprefix('p_')} {n}" for name, n in sorted(sims["injected"].items()) if n]
    return Text("survived so far: " + (", ".join(told) or "nothing yet"), style="yellow")


def tell(report: Report) -> None:
    """The convergence report, for people."""
    console, found = Console(), report.comparison
    injected = {name: n for name, n in sorted(report.injected.items()) if n}
    table = Table(title="what went wrong, and was survived", title_justify="left", title_style="bold")
    table.add_column("fault")
    table.add_column("times", justify="right")
    for name, n in injected.items():
        table.add_row(name, str(n))
    if report.n_kills:
        table.add_row("a process killed with -9", str(report.n_kills))
    console.print(table)
    sides = Table(title="both sides, record by record", title_justify="left", title_style="bold")
    sides.add_column("kind")
    sides.add_column("equal", justify="right")
    sides.add_column("different", justify="right")
    for kind, n in found.n_equal.items():
        sides.add_row(f"{kind}s", str(n), str(sum(d.kind == kind for d in found.differences)))
    console.print(sides)
    for reason, n in found.n_excluded.items():
        console.print(f"  not sent on purpose: {n} ({reason})")
    for group in report.status.connections[0].background.groups:
        console.print(f"  open case: {group.cases} × {group.code} ({group.owner})")
    for difference in found.differences[:20]:
        console.print(
            f"  [red]differs[/]: {difference.kind} {difference.id} at {difference.path or '-'}: {difference.why}"
        )
    if not report.is_at_rest:
        console.print("[red]The two sides did not come to rest in time.[/]")
    verdict = "[bold green]Both sides agree.[/]" if report.is_good else "[bold red]The two sides do not agree.[/]"
    console.print(f"{verdict} {report.seconds:.0f} seconds in all.")
