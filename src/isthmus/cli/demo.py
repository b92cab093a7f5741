"""The demonstration, on a terminal or as one JSON document."""

import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.installation import Json

if TYPE_CHECKING:
    from isthmus.runtime.demo import DemoReport


def register(app: typer.Typer) -> None:
    app.command("demo", help=DEMO)(demo)


DEMO = """Show it all on this machine: two simulated APIs, a load, live traffic with faults, and the dashboard.

Runs until Ctrl-C, or for --seconds of live traffic and the time to settle. Then both sides are compared record by
record. Exit 0 only if they agree. It runs in a folder of its own, reads no ISTHMUS_* variable, and touches no
installation.

\b
isthmus demo
isthmus demo --seconds 60 --json
"""


def demo(
    seconds: Annotated[
        float | None, typer.Option(metavar="N", min=1, help="Stop after N seconds of live traffic and compare.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Which merchant, and which misfortunes.")] = 1,
    port: Annotated[
        int | None,
        typer.Option(metavar="P", min=1, max=65535, help="Port of webhooks and desk; 8080, or a free one, without it."),
    ] = None,
    json: Json = False,
) -> None:
    from isthmus.cli import demo_texts, demo_view, show
    from isthmus.kit.log import configure_logging
    from isthmus.runtime import demo as stage

    configure_logging("error", "auto")
    # Asked to end by whatever means, also by closing its terminal, it must end what it has started.
    for how in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(how, signal.default_int_handler)
    view = demo_view.silent_observer() if json else demo_view.terminal_observer()
    report = None
    try:
        with view as watching, stage.start_demo(watching, seed=seed, port=port) as running:
            report = running.run(seconds)
    except KeyboardInterrupt:
        if seconds is not None:
            raise
        return
    if json:
        show.print_json(report_as_json(report))
    else:
        demo_texts.describe_report(report)
    if not report.is_good:
        raise typer.Exit(1)


def report_as_json(report: "DemoReport") -> Mapping[str, Any]:
    """The convergence report."""
    from isthmus.ops import status

    found, connection = report.comparison, report.status.connections[0]
    return {
        "agrees": report.is_good,
        "at_rest": report.is_at_rest,
        "seconds": round(report.seconds, 1),
        "differences": [{"kind": d.kind.value, "id": d.id, "path": d.path, "why": d.why} for d in found.differences],
        "compared": found.n_equal,
        "consent": {
            "mailable_on_both": report.accord.n_both,
            "on_neither": report.accord.n_neither,
            "explained_by_a_case": len(report.accord.differs) - len(report.accord.unexplained),
            "unexplained": len(report.accord.unexplained),
        },
        "excluded": found.n_excluded,
        "cases": [
            {"code": g.code, "cases": g.cases, "owner": g.owner, "cause": g.cause} for g in connection.background.groups
        ],
        "records_with_a_case": found.n_cases,
        "injected": report.injected,
        "deliveries": report.deliveries,
        "processes_killed": report.n_kills,
        "status": status.status_as_json(report.status),
    }
