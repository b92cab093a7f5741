"""isthmus reconcile: hold the store, isthmus and Ometria against each other."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.installation import Config, Json, Name, open_app, require_connection

if TYPE_CHECKING:
    from isthmus.flows.reconcile.news import News
    from isthmus.flows.reconcile.run import Reconciled


def register(app: typer.Typer) -> None:
    app.command("reconcile", help=RECONCILE)(reconcile)


RECONCILE = """Compare the store, isthmus and Ometria, name the layer at fault, and put right what may be.

Everything, or with --since what changed on any side. Repairs travel behind everything else and set off nothing; a
worker (isthmus serve) carries them out. Interrupted, the same command goes on where it was. What is in flight is looked
at again after reconcile.grace_period, before the command ends.

Exit 0 when all that was compared agrees; 1 when anything differs, when something was not judged for another reason than
excluded, an accepted horizon or in flight, or when more than 1 % is in flight. --since-last exits 1 only for what the
run before did not find.

\b
isthmus reconcile acme                           everything
isthmus reconcile acme --since 2h --kind orders  what changed lately
isthmus reconcile acme --no-repair --out report  look only, and write the report
isthmus reconcile acme --since-last              exit 1 only for new differences
"""


def reconcile(
    name: Name,
    since: Annotated[
        str | None, typer.Option(metavar="T", help='Only what changed since then: "2h", "2026-11-23", a time.')
    ] = None,
    kind: Annotated[
        str, typer.Option(metavar="KINDS", help="Only these kinds: customers,products,orders.")
    ] = "products,customers,orders",
    store: Annotated[str | None, typer.Option(metavar="STORE", help="Only this store.")] = None,
    repair: Annotated[bool, typer.Option("--repair/--no-repair", help="Put right what may be put right.")] = True,
    again: Annotated[
        bool, typer.Option("--restart", help="Begin again instead of going on with what stopped.")
    ] = False,
    since_last: Annotated[
        bool, typer.Option("--since-last", help="Exit 1 only for differences that the last such run did not find.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 for every record that was not judged, also if excluded.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write page and sheets here.")] = None,
    json: Json = False,
    config: Config = None,
) -> None:
    import msgspec

    from isthmus.cli import options, progress, show
    from isthmus.commands.reconcile import Reconciler
    from isthmus.flows.reconcile import news
    from isthmus.flows.reconcile.run_context import ReconcileRequest
    from isthmus.kit.config_errors import ConfigError
    from isthmus.model.basis import basis_document
    from isthmus.ops.report.gather import load_report
    from isthmus.ops.report.save import save_report

    kinds = tuple(one.strip().removesuffix("s") for one in kind.split(",") if one.strip())
    unknown = [one for one in kinds if one not in ("customer", "product", "order")]
    if unknown or not kinds:
        raise ConfigError(
            f"--kind: there is no kind {(unknown or [kind])[0]!r}; there are: customers, products, orders"
        )
    with open_app(config) as app:
        require_connection(app, name)
        stores = sorted(app.context(name).shops)
        if store is not None and store not in stores:
            raise ConfigError(f"--store: there is no store {store!r}; there are: {', '.join(stores)}")
        wanted = ReconcileRequest(
            since=options.parse_since(since, app.clock.now()) if since else None,
            kinds=kinds,
            stores=(store,) if store else (),
            repair=repair,
        )
        with progress.run_progress() as tell:
            done = Reconciler(app).run(name, wanted, tell=tell, anew=again)
        if done is None:
            raise ConfigError(f"NAME: a reconciliation of {name} is under way in another process; try again later")
        new = news.count_new_findings(app.db, name, done.run) if since_last and done.is_done else None
        told = load_report(app.db, name, done.run) if out is not None else None
        files = save_report(told, out) if told is not None and out is not None else []
    if json:
        basis = basis_document(done.basis, strict=strict) if done.basis else None
        told_of = {"n_new": None if new is None else new.n, "files": [str(path) for path in files]}
        show.print_json({"connection": name, **msgspec.to_builtins(done), "basis": basis, **told_of})
    else:
        _show(done, files, new)
    raise typer.Exit(_exit_code(done, new, strict=strict))


def _exit_code(done: "Reconciled", new: "News | None", *, strict: bool) -> int:
    """With `new` differences that were known before are no reason for 1; what was not judged still is."""
    import msgspec

    from isthmus.model.basis import verdict_outcome

    if done.basis is None:
        return 1  # stopped: nothing is known yet
    if new is None:
        return verdict_outcome(done.basis, strict=strict).exit_code
    return verdict_outcome(msgspec.structs.replace(done.basis, n_differ=new.n), strict=strict).exit_code


def _show(done: "Reconciled", files: list[Path], new: "News | None") -> None:
    from isthmus.cases import catalogue
    from isthmus.cli import show
    from isthmus.flows.reconcile import order_totals
    from isthmus.model.basis import as_of_times, verdict_outcome, verdict_sentence

    n_read = sum(n for step, n in done.n_read.items() if step.startswith(("store ", "platform ")))
    if done.basis is None:
        show.make_lines(f"Run {done.run} was stopped; the same command goes on where it was.")
        return
    for unseen in done.out_of_sight:
        why = "as orders.horizon accepts" if unseen.is_accepted else "the scope read_all_orders is missing"
        since = f"the app sees orders from {unseen.visible_since:%Y-%m-%d} on"
        show.make_lines(
            f"{unseen.store}: {show.format_count(unseen.n, 'order')} out of sight, not judged: {since}, {why}"
        )
    if done.n_findings:
        columns = ("found", "what", "layer", "repairs begun", "revenue off by")
        made = show.make_table(*columns, title=f"Run {done.run}", right=("found", "repairs begun", "revenue off by"))
        for one in done.sums:
            off = "" if not one.off_mills else f"{order_totals.mills_as_text(one.off_mills)} {one.currency or ''}"
            title = catalogue.row_of(one.code).title
            show.add_row(made, (f"{one.n:,}", f"{one.code}: {title}", one.cause, f"{one.n_repaired or 0:,}", off))
        show.make_lines(made)
    show.make_lines(
        f"{verdict_sentence(done.basis)}. {n_read:,} records were read (run {done.run}).", f"{as_of_times(done.basis)}."
    )
    if (why := verdict_outcome(done.basis).why) and not done.n_findings:
        show.make_lines(f"Not clean: {why}.")
    if new is not None:
        since = f"since run {new.before}" if new.before else "no run to compare with: all count as new"
        show.make_lines(f"{new.n:,} of {done.n_findings:,} differences are new ({since}).")
    if done.n_found_right:
        show.make_lines(f"{show.format_count(done.n_found_right, 'repair')} of earlier runs found right.")
    if done.n_closed:
        show.make_lines(
            f"{show.format_count(done.n_closed, 'case')} of earlier runs closed: their records agree again."
        )
    if done.is_stopped:
        show.make_lines(
            f"Repairs stopped: they would change more records than may change without a person. `isthmus plans list`"
            f" shows plan {done.plan}; `isthmus plans confirm {done.plan}` or `isthmus plans refuse {done.plan}`."
        )
    for path in files:
        show.make_lines(str(path))
