"""isthmus undo: put back what an unattended run changed."""

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.installation import Config, Json, open_app

if TYPE_CHECKING:
    from isthmus.flows.safety.undo import Undone


def register(app: typer.Typer) -> None:
    app.command("undo", help=UNDO)(undo)


UNDO = """Put back what a reconciliation, or a remap by changed rules, has changed: here and in Ometria.

Each record gets back what it was before the run, as far as Ometria allows. What a contact allows is not put back: it
follows what people have stated. What the shop has stated since is left as it is. A record that did not exist before is
sent as cancelled, inactive or gone, since Ometria deletes nothing. Only merges and custom events that went out are
final. No run changes these records again by itself until the shop states something new of them; `isthmus replay` does.

A worker (isthmus serve) sends what is put back. Exit 1 when anything was left.

\b
isthmus undo 41 --dry-run    how far it would go
isthmus undo 41
"""


def undo(
    run: Annotated[int, typer.Argument(metavar="RUN", help="The number of the run, as `isthmus reconcile` prints it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show how far it would go.")] = False,
    by: Annotated[str | None, typer.Option("--by", help="Whose decision it is; your own name without it.")] = None,
    json: Json = False,
    config: Config = None,
) -> None:
    import msgspec

    from isthmus.cli import show
    from isthmus.flows.safety import undo as undoing
    from isthmus.kit.config_errors import ConfigError

    with open_app(config) as app:
        found = undoing.find_runs(app.db, run)
        if not found:
            raise ConfigError(f"RUN: there is no run {run}; `isthmus plans list --all` names the runs that made plans")
        if found[0]["state"] == "running":
            raise ConfigError(f"RUN: run {run} is still under way; wait until it has ended")
        context = app.context(found[0]["connection"])
        done = undoing.undo_run(app.db, context, run, found[0]["what"], by or getpass.getuser(), is_dry_run=dry_run)
    if json:
        show.print_json(msgspec.to_builtins(done))
    else:
        _show(done)
    if done.n_changed_since or done.final:
        raise typer.Exit(1)


def _show(done: "Undone") -> None:
    from isthmus.cli import show
    from isthmus.safety.final import FINAL

    would = "would be " if done.is_dry_run else ""
    if not done.n_changed and not done.n_dropped:
        show.make_lines(f"Run {done.run} ({done.what}) has changed nothing that is not put back already.")
        return
    show.make_lines(
        f"Run {done.run} ({done.what}) of {done.connection} changed {show.format_count(done.n_changed, 'record')}."
    )
    show.make_lines(f"  {done.n_put_back:,} {would}put back")
    if done.n_withdrawn:
        show.make_lines(
            f"  {done.n_withdrawn:,} {would}sent as cancelled, inactive or gone: they did not exist before",
            "  (a contact among them says nothing about permission then, unless the shop states an opt-out)",
        )
    if done.n_dropped:
        show.make_lines(f"  {done.n_dropped:,} that the run was still going to change {would}left as they are")
    if done.n_changed_since:
        examples = ", ".join(done.left)
        show.make_lines(f"  {done.n_changed_since:,} left, since something newer was said of them: {examples}")
    for what, n in done.final.items():
        show.make_lines(f"  {n:,} final ({what}): {FINAL[what]}")
