"""What joins a store: connect."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.installation import Config, Json, open_app

if TYPE_CHECKING:
    from isthmus.flows.connect import ConnectionCheck


def register(app: typer.Typer) -> None:
    app.command("connect", help=CONNECT)(connect)


CONNECT = """Check a connection file against Shopify and Ometria, store it, and subscribe what it leaves to us.

Credentials, scopes, currency, API version and webhook subscriptions of every store, Ometria's key, and whether
another writer has filled the account: then going live needs connection.takeover. Storing it
again changes it; every process hears of it within seconds. Exit 1 when something was found that must be fixed first:
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
    import msgspec

    from isthmus.app import schema
    from isthmus.cli import show
    from isthmus.commands import connect as joining
    from isthmus.connections import file as files

    found = files.read_connection_file(file)
    with open_app(config, makes=True, is_dry_run=dry_run) as app:
        if not dry_run:
            schema.migrate_database(app)
        checked, n_changed, is_new = joining.connect_connection(app, found, dry_run=dry_run)
    if json:
        show.print_json(
            {
                "connection": found.name,
                "mode": found.connection.mode,
                "stored": checked.is_good and not dry_run,
                "new": is_new,
                "subscriptions_changed": n_changed,
                "orders_visible_since": {store: seen.visible_since for store, seen in checked.stores.items()},
                "takeover": found.connection.takeover,
                "other_writers": msgspec.to_builtins(checked.sampled),
                "notices": list(checked.notices),
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


def _tell(checked: "ConnectionCheck", name: str, mode: str, n_changed: int, *, dry_run: bool) -> None:
    from isthmus.cli import show

    for store, seen in checked.stores.items():
        show.make_lines(
            f"{store}: {seen.name} ({seen.domain}), {seen.currency}, {seen.timezone}, {len(seen.scopes)} scopes, "
            f"sees orders {f'from {seen.visible_since} on' if seen.visible_since else 'of any age'}"
        )
    for where, finding in checked.findings:
        show.make_lines(
            f"{'must be fixed' if finding.is_blocking else 'notice'}: {where}: {finding.code}: {finding.detail}"
        )
    for notice in checked.notices:
        show.make_lines(f"notice: {notice}")
    for where, failure in checked.failures:
        show.make_lines(f"could not look: {where}: {failure}")
    if not checked.is_good:
        show.make_lines("Nothing was stored.")
    elif dry_run:
        show.make_lines("All is well; nothing was changed.")
    else:
        show.make_lines(f"{name} is connected, mode {mode}; {n_changed} webhook subscriptions changed.")
        show.make_lines(f"Next: isthmus backfill {name}, and isthmus status {name}.")
