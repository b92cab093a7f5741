"""isthmus audit: what is to be fixed before launch, on one page."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.installation import Config, Json

if TYPE_CHECKING:
    from isthmus.flows.audit.progress import ReportProgress
    from isthmus.model.audit_finding import AuditResult


def register(app: typer.Typer) -> None:
    app.command("audit", help=AUDIT)(audit_report)


AUDIT = """Pre-launch audit of Shopify and Ometria; writes a report of what to fix. Changes nothing.

Exit 0 ready, and every check looked; 1 something a person must look at, or a check that could not look; 3 an API
could not be reached.

\b
isthmus audit acme --out report.html               a stored connection
isthmus audit acme --since-last                    exit 1 only for what the last monthly audit did not find
isthmus audit --file acme.toml --out report.html   one that is not stored yet
isthmus audit --from-export DIR --out report.html  Shopify's CSV exports alone; no account, no database
"""


def audit_report(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="The connection.", show_default=False)] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="A connection file, stored or not.")
    ] = None,
    from_export: Annotated[
        Path | None, typer.Option("--from-export", metavar="DIR", help="Folder with Shopify's CSV exports.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the page here, as HTML.")] = None,
    sheet: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write the findings here, as CSV.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", help="Stop reading Ometria after so long and say how much was seen."),
    ] = None,
    since_last: Annotated[
        bool, typer.Option("--since-last", help="Exit 1 only for what the last monthly audit of NAME did not find.")
    ] = False,
    json: Json = False,
    config: Config = None,
) -> None:
    from isthmus.cli import show
    from isthmus.cli.options import require_parent_folder
    from isthmus.kit.config_errors import ConfigError
    from isthmus.ops import audit_page

    if sum(one is not None for one in (name, file, from_export)) != 1:
        raise ConfigError("audit: give one of NAME, --file FILE, --from-export DIR")
    if since_last and name is None:
        raise ConfigError("--since-last: goes with NAME, of which audits are kept")
    require_parent_folder(out, sheet)
    with _telling() as tell:
        if from_export is not None:
            done = _of_exports(from_export, tell)
        else:
            done = _of_connection(name, file, config, minutes, tell)
    if out is not None:
        out.write_text(audit_page.audit_report_html(done), encoding="utf-8")
    if sheet is not None:
        sheet.write_text(audit_page.audit_report_csv(done), encoding="utf-8")
    new = _new(name, config, done) if since_last and name is not None else None
    if json:
        show.print_json({**audit_page.audit_report_json(done), "new": new})
    else:
        _show(done, out)
        if new is not None:
            show.make_lines(f"New since the last audit that is kept: {', '.join(new) or 'nothing'}.")
    if done.is_away:
        raise typer.Exit(3)
    if done.verdict.value != "ready" and (new is None or new or done.unseen):
        raise typer.Exit(1)


def _new(name: str, config: Path | None, done: "AuditResult") -> list[str]:
    from isthmus.cli.installation import open_app
    from isthmus.flows.audit import monthly

    with open_app(config) as app:
        return monthly.new_findings(app.db, name, done)


def _of_exports(folder: Path, tell: "ReportProgress") -> "AuditResult":
    from isthmus.commands import audit

    return audit.audit_exports(folder, tell)


def _of_connection(
    name: str | None, file: Path | None, config: Path | None, minutes: float | None, tell: "ReportProgress"
) -> "AuditResult":
    import sys
    from datetime import timedelta

    from isthmus.app.settings import load_settings
    from isthmus.cli.installation import open_app, require_connection
    from isthmus.commands import audit
    from isthmus.connections import file as files
    from isthmus.kit.log import configure_logging

    if file is not None:
        found = files.read_connection_file(file)
    else:
        with open_app(config) as app:
            found = app.connected(require_connection(app, name or "")).config
    settings = load_settings(config)
    configure_logging(settings.log.level, settings.log.format)
    budget = None if minutes is None else timedelta(minutes=minutes)
    return audit.audit_connection(found, settings, tell, lambda line: print(line, file=sys.stderr), budget=budget)


def _show(done: "AuditResult", out: Path | None) -> None:
    from isthmus.cli import show
    from isthmus.ops import audit_page

    table = show.make_table("", "what", "how many", "share", "money", "owner", right=("how many", "share"))
    styles = {"stop": "red", "care": "yellow"}
    for one in done.found:
        show.add_row(
            table,
            (
                one.level.value,
                one.title,
                f"{one.n:,}",
                audit_page.format_share(one.share),
                audit_page.format_money(one.money),
                one.owner.value,
            ),
            styles.get(one.level.value),
        )
    if done.found:
        show.make_lines(table)
    for reason, titles in audit_page.audit_not_checked(done).items():
        show.make_lines(f"could not look ({reason}): {'; '.join(titles)}")
    show.make_lines(f"{done.verdict.value.capitalize()}. {audit_page.audit_reason(done)}")
    if out is not None:
        show.make_lines(f"The page is {out}.")


@contextlib.contextmanager
def _telling() -> Iterator["ReportProgress"]:
    """Something to tell each step to: bars on a terminal, a line per finished reading elsewhere."""
    import sys

    from isthmus.flows.audit.progress import ReadProgress

    if not sys.stderr.isatty():

        def line(step: ReadProgress) -> None:
            if step.is_done:
                print(f"{step.what}: {step.n:,} read", file=sys.stderr)

        yield line
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn("{task.description:>30}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bars:
        known = {}

        def tell(step: ReadProgress) -> None:
            if step.what not in known:
                known[step.what] = bars.add_task(step.what, total=step.total)
            bars.update(known[step.what], completed=step.n, total=step.n if step.is_done else step.total)

        yield tell
