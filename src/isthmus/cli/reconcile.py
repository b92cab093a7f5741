"""isthmus reconcile: hold the store, isthmus and the platform against each other."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.opening import Config, Json, Name, must_be_known, opened

if TYPE_CHECKING:
    from isthmus.flows.reconcile.run import Reconciled


def register(app: typer.Typer) -> None:
    app.command("reconcile", help=RECONCILE)(reconcile)


RECONCILE = """Compare the store, isthmus and the platform, name the layer at fault, and put right what may be.

Everything, or with --since what changed on any side. Repairs travel behind everything else and set off nothing; a
worker (isthmus serve) carries them out. Interrupted, the same command goes on where it was. Exit 0 when all sides
agree, 1 when anything was found.

\b
isthmus reconcile acme                           everything
isthmus reconcile acme --since 2h --kind orders  what changed lately
isthmus reconcile acme --no-repair --out report  look only, and write the report
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
    again: Annotated[bool, typer.Option("--again", help="Begin anew instead of going on with what stopped.")] = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write page and sheets here.")] = None,
    json: Json = False,
    config: Config = None,
) -> None:
    import msgspec

    from isthmus.cli import asked, progress, show
    from isthmus.flows.reconcile.held import Asked
    from isthmus.kit.explain import ConfigError
    from isthmus.ops.report.gather import report
    from isthmus.ops.report.save import save
    from isthmus.runtime.reconciling import Reconciler

    kinds = tuple(one.strip().removesuffix("s") for one in kind.split(",") if one.strip())
    unknown = [one for one in kinds if one not in ("customer", "product", "order")]
    if unknown or not kinds:
        raise ConfigError(
            f"--kind: there is no kind {(unknown or [kind])[0]!r}; there are: customers, products, orders"
        )
    with opened(config) as app:
        must_be_known(app, name)
        stores = sorted(app.road(name).shops)
        if store is not None and store not in stores:
            raise ConfigError(f"--store: there is no store {store!r}; there are: {', '.join(stores)}")
        wanted = Asked(
            since=asked.since(since, app.clock.now()) if since else None,
            kinds=kinds,
            stores=(store,) if store else (),
            repair=repair,
        )
        with progress.steps() as tell:
            done = Reconciler(app).run(name, wanted, tell=tell, anew=again)
        if done is None:
            raise ConfigError(f"NAME: a reconciliation of {name} is under way in another process; try again later")
        told = report(app.db, name, done.run) if out is not None else None
        files = save(told, out) if told is not None and out is not None else []
    if json:
        show.document({"connection": name, **msgspec.to_builtins(done), "files": [str(path) for path in files]})
    else:
        _show(done, files)
    if done.n_findings or any(one.n and not one.is_accepted for one in done.out_of_sight):
        raise typer.Exit(1)


def _show(done: "Reconciled", files: list[Path]) -> None:
    from isthmus.cases import catalogue
    from isthmus.cli import show
    from isthmus.flows.reconcile import worth

    n_read = sum(n for step, n in done.n_read.items() if step.startswith(("store ", "platform ")))
    for blind in done.blind:
        where = f"{blind.side} {blind.store}".strip()
        show.lines(f"could not look: {where}, {blind.kind}s: {blind.why}")
    for unseen in done.out_of_sight:
        why = "as orders.horizon accepts" if unseen.is_accepted else "the scope read_all_orders is missing"
        since = f"the app sees orders from {unseen.visible_since:%Y-%m-%d} on"
        show.lines(f"{unseen.store}: {show.count(unseen.n, 'order')} out of sight, not judged: {since}, {why}")
    if not done.n_findings:
        show.lines(f"All sides agree; {n_read:,} records were read (run {done.run}).")
    else:
        columns = ("found", "what", "layer", "repairs begun", "revenue off by")
        made = show.table(*columns, title=f"Run {done.run}", right=("found", "repairs begun", "revenue off by"))
        for one in done.sums:
            off = "" if not one.off_mills else f"{worth.text(one.off_mills)} {one.currency or ''}"
            title = catalogue.row(one.code).title
            show.row(made, (f"{one.n:,}", f"{one.code}: {title}", one.cause, f"{one.n_repaired or 0:,}", off))
        show.lines(made)
    if done.n_closed:
        show.lines(f"{show.count(done.n_closed, 'case')} of earlier runs closed: their records agree again.")
    for path in files:
        show.lines(str(path))
