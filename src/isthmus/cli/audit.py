"""isthmus audit: what is to be mended before launch, on one page."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.opening import Config, Json

if TYPE_CHECKING:
    from isthmus.flows.audit.telling import Tell
    from isthmus.model.finding import Audit


def register(app: typer.Typer) -> None:
    app.command("audit", help=AUDIT)(audit)


AUDIT = """Look at both neighbours before launch, and say on one page what is to be mended. Changes nothing.

Exit 0 ready, and every check looked; 1 something a person must look at, or a check that could not look; 3 a neighbour
could not be reached.

\b
isthmus audit acme --out report.html               a stored connection
isthmus audit acme --since-last                    exit 1 only for what the last monthly audit did not find
isthmus audit --file acme.toml --out report.html   one that is not stored yet
isthmus audit --from-export DIR --out report.html  Shopify's CSV exports alone; no account, no database
"""


def audit(
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
        typer.Option("--minutes", help="Stop reading the platform after so long and say how much was seen."),
    ] = None,
    since_last: Annotated[
        bool, typer.Option("--since-last", help="Exit 1 only for what the last monthly audit of NAME did not find.")
    ] = False,
    json: Json = False,
    config: Config = None,
) -> None:
    from isthmus.cli import show
    from isthmus.cli.asked import must_have_a_folder
    from isthmus.kit.explain import ConfigError
    from isthmus.ops import audit_page

    if sum(one is not None for one in (name, file, from_export)) != 1:
        raise ConfigError("audit: give one of NAME, --file FILE, --from-export DIR")
    if since_last and name is None:
        raise ConfigError("--since-last: goes with NAME, of which audits are kept")
    must_have_a_folder(out, sheet)
    with _telling() as tell:
        if from_export is not None:
            done = _of_exports(from_export, tell)
        else:
            done = _of_connection(name, file, config, minutes, tell)
    if out is not None:
        out.write_text(audit_page.page(done), encoding="utf-8")
    if sheet is not None:
        sheet.write_text(audit_page.sheet(done), encoding="utf-8")
    new = _new(name, config, done) if since_last and name is not None else None
    if json:
        show.document({**audit_page.document(done), "new": new})
    else:
        _show(done, out)
        if new is not None:
            show.lines(f"New since the last audit that is kept: {', '.join(new) or 'nothing'}.")
    if done.is_away:
        raise typer.Exit(3)
    if done.verdict.value != "ready" and (new is None or new or done.unseen):
        raise typer.Exit(1)


def _new(name: str, config: Path | None, done: "Audit") -> list[str]:
    from isthmus.cli.opening import opened
    from isthmus.flows.audit import monthly

    with opened(config) as app:
        return monthly.new_since(app.db, name, done)


def _of_exports(folder: Path, tell: "Tell") -> "Audit":
    from isthmus.runtime import auditing

    return auditing.of_exports(folder, tell)


def _of_connection(
    name: str | None, file: Path | None, config: Path | None, minutes: float | None, tell: "Tell"
) -> "Audit":
    import sys
    from datetime import timedelta

    from isthmus.cli.opening import must_be_known, opened
    from isthmus.connections import file as files
    from isthmus.kit.log import configure
    from isthmus.runtime import auditing
    from isthmus.runtime.settings import load

    if file is not None:
        found = files.read(file)
    else:
        with opened(config) as app:
            found = app.connected(must_be_known(app, name or "")).config
    settings = load(config)
    configure(settings.log.level, settings.log.format)
    budget = None if minutes is None else timedelta(minutes=minutes)
    return auditing.of_connection(found, settings, tell, lambda line: print(line, file=sys.stderr), budget=budget)


def _show(done: "Audit", out: Path | None) -> None:
    from isthmus.cli import show
    from isthmus.ops import audit_page

    table = show.table("", "what", "how many", "share", "money", "owner", right=("how many", "share"))
    styles = {"stop": "red", "care": "yellow"}
    for one in done.found:
        show.row(
            table,
            (
                one.level.value,
                one.title,
                f"{one.n:,}",
                audit_page.share(one.share),
                audit_page.money(one.money),
                one.owner.value,
            ),
            styles.get(one.level.value),
        )
    if done.found:
        show.lines(table)
    for reason, titles in audit_page.unseen(done).items():
        show.lines(f"could not look ({reason}): {'; '.join(titles)}")
    show.lines(f"{done.verdict.value.capitalize()}. {audit_page.why(done)}")
    if out is not None:
        show.lines(f"The page is {out}.")


@contextlib.contextmanager
def _telling() -> Iterator["Tell"]:
    """Something to tell each step to: bars on a terminal, a line per finished reading elsewhere."""
    import sys

    from isthmus.flows.audit.telling import Step

    if not sys.stderr.isatty():

        def line(step: Step) -> None:
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

        def tell(step: Step) -> None:
            if step.what not in known:
                known[step.what] = bars.add_task(step.what, total=step.total)
            bars.update(known[step.what], completed=step.n, total=step.n if step.is_done else step.total)

        yield tell
