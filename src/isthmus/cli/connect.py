"""What joins a store: connect and backfill."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.opening import Config, Json, Name, must_be_known, opened

if TYPE_CHECKING:
    from isthmus.flows.backfill import Progress
    from isthmus.flows.connect import Checked


def register(app: typer.Typer) -> None:
    app.command("connect", help=CONNECT)(connect)
    app.command("backfill", help=BACKFILL)(backfill)


CONNECT = """Check a connection file against both neighbours, store it, and subscribe what it leaves to us.

Credentials, scopes, currency, API version and webhook subscriptions of every store, and the platform's key. Storing it
again changes it; every process hears of it within seconds. Exit 1 when something was found that must be mended first:
then nothing is stored.

\b
isthmus connect acme.toml --dry-run     look, and change nothing
isthmus connect acme.toml
"""


def connect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The connection file.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look, and change nothing.")] = False,
    json: Json = False,
    config: Config = None,
) -> None:
    from isthmus.cli import show
    from isthmus.connections import file as files
    from isthmus.runtime import joining, schema

    found = files.read(file)
    with opened(config) as app:
        if not dry_run:
            schema.migrate(app)
        checked, n_changed, is_new = joining.connect(app, found, dry_run=dry_run)
    if json:
        show.document(
            {
                "connection": found.name,
                "mode": found.connection.mode,
                "stored": checked.is_good and not dry_run,
                "new": is_new,
                "subscriptions_changed": n_changed,
                "findings": [
                    {"where": where, "code": f.code, "detail": f.detail, "blocking": f.is_blocking}
                    for where, f in checked.findings
                ]
                + [
                    {"where": where, "code": f.code, "detail": f.detail, "blocking": True}
                    for where, f in checked.failures
                ],
            }
        )
    else:
        _tell(checked, found.name, found.connection.mode, n_changed, dry_run=dry_run)
    if checked.failures:
        raise typer.Exit(3)
    if not checked.is_good:
        raise typer.Exit(1)


def _tell(checked: "Checked", name: str, mode: str, n_changed: int, *, dry_run: bool) -> None:
    from isthmus.cli import show

    for store, seen in checked.stores.items():
        show.lines(f"{store}: {seen.name} ({seen.domain}), {seen.currency}, {seen.timezone}, {len(seen.scopes)} scopes")
    for where, finding in checked.findings:
        show.lines(
            f"{'must be mended' if finding.is_blocking else 'notice'}: {where}: {finding.code}: {finding.detail}"
        )
    for where, failure in checked.failures:
        show.lines(f"could not look: {where}: {failure}")
    if not checked.is_good:
        show.lines("Nothing was stored.")
    elif dry_run:
        show.lines("All is well; nothing was changed.")
    else:
        show.lines(f"{name} is connected, mode {mode}; {n_changed} webhook subscriptions changed.")
        show.lines(f"Next: isthmus backfill {name}, and isthmus status {name}.")


BACKFILL = """Load what the stores already have. Resumable: run it again after a stop and it goes on where it was.

Lists every record and lets the workers read and send them behind everything urgent; nothing from history is ever a
welcome or an automation. Needs `isthmus serve` or `isthmus work` to run beside it.

\b
isthmus backfill acme
isthmus backfill acme --store uk --kind orders --since 2026-01-01
"""


def backfill(
    name: Name,
    store: Annotated[str | None, typer.Option(metavar="STORE", help="Only this store.")] = None,
    kind: Annotated[
        str, typer.Option(metavar="KINDS", help="Only these kinds: customers,products,orders.")
    ] = "products,customers,orders",
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only what was created on this day or later.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Begin anew, also what was loaded before.")] = False,
    json: Json = False,
    config: Config = None,
) -> None:
    from datetime import UTC

    from isthmus.cli import progress, show
    from isthmus.kit.explain import ConfigError
    from isthmus.runtime import joining

    kinds = [one.strip().removesuffix("s") for one in kind.split(",") if one.strip()]
    unknown = [one for one in kinds if one not in ("customer", "product", "order")]
    if unknown:
        raise ConfigError(f"--kind: there is no kind {unknown[0]!r}; there are: customers, products, orders")
    with opened(config) as app:
        must_be_known(app, name)
        stores = sorted(app.road(name).shops)
        if store is not None and store not in stores:
            raise ConfigError(f"--store: there is no store {store!r}; there are: {', '.join(stores)}")
        with progress.listing() as tell:
            seen: dict[tuple[str, str], Progress] = {}

            def note(step: "Progress") -> None:
                seen[step.store, step.kind] = step
                tell(step)

            joining.load(
                app, name, [store] if store else stores, kinds,
                since=since.replace(tzinfo=UTC) if since else None, again=again, tell=note,
            )  # fmt: skip
    if json:
        show.document(
            {
                "connection": name,
                "listed": [
                    {"store": s.store, "kind": f"{s.kind}s", "listed": s.n_listed, "total": s.total, "done": s.is_done}
                    for s in seen.values()
                ],
            }
        )
    else:
        show.lines(f"{sum(step.n_listed for step in seen.values())} records are on the road; isthmus status {name}")
