"""Load what the stores already have."""

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.installation import Config, Json, Name, open_app, require_connection

if TYPE_CHECKING:
    from isthmus.flows.backfill.order_history_limit import OrderReach
    from isthmus.flows.backfill.progress import Progress


def register(app: typer.Typer) -> None:
    app.command("backfill", help=BACKFILL)(backfill)


BACKFILL = """Load what the stores already have. Resumable: run it again after a stop and it goes on where it was.

Shopify writes everything into files (bulk operations), which are read here. Nothing from history is ever a welcome or
an automation. Sending it needs `isthmus serve` or `isthmus work`, behind everything urgent; they also read the orders
that have a refund, which no file can tell. Exit 1 when a part could not be loaded.

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
    again: Annotated[bool, typer.Option("--restart", help="Begin again, also what was loaded before.")] = False,
    json: Json = False,
    config: Config = None,
) -> None:
    from datetime import UTC

    from isthmus.cli import progress, show
    from isthmus.commands import backfill as loading
    from isthmus.kit.config_errors import ConfigError

    kinds = [one.strip().removesuffix("s") for one in kind.split(",") if one.strip()]
    unknown = [one for one in kinds if one not in ("customer", "product", "order")]
    if unknown:
        raise ConfigError(f"--kind: there is no kind {unknown[0]!r}; there are: customers, products, orders")
    with open_app(config) as app:
        require_connection(app, name)
        stores = sorted(app.context(name).shops)
        if store is not None and store not in stores:
            raise ConfigError(f"--store: there is no store {store!r}; there are: {', '.join(stores)}")
        wanted = [store] if store else stores
        walls = loading.order_history_limits(app, name, wanted) if "order" in kinds else []
        for wall in walls:
            print(wall.line, file=sys.stderr)
        sending = loading.backlog_estimator(app, name)
        with progress.load_progress(sending) as tell:
            done = loading.run_backfill(
                app,
                name,
                wanted,
                kinds,
                since=since.replace(tzinfo=UTC) if since else None,
                again=again,
                tell=tell,
            )
        to_send = loading.read_backlog_estimate(app, name)
    if json:
        show.print_json(
            {
                "connection": name,
                "orders": [_seen(wall) for wall in walls],
                "loaded": [_told(one) for one in done],
                "mode": "live" if to_send.is_live else "shadow",
                "to_send": to_send.n_due if to_send.is_live else 0,
                "seconds_to_send": round(to_send.takes.total_seconds()) if to_send.is_live else 0,
            }
        )
    else:
        for one in done:
            show.make_lines(_line(one))
        urgent = ", behind everything urgent" if to_send.is_live else ""
        show.make_lines(f"{to_send.line}{urgent}: isthmus status {name}")
    if any(one.is_failed for one in done):
        raise typer.Exit(1)


def _seen(wall: "OrderReach") -> dict[str, Any]:
    return {
        "store": wall.store,
        "visible": wall.n_visible,
        "exist": wall.n_there,
        "sees_all": wall.sees_all,
        "oldest_at": wall.oldest_at,
    }


def _told(one: "Progress") -> dict[str, Any]:
    return {
        "store": one.store,
        "kind": f"{one.kind}s",
        "loaded": one.n,
        "total": one.total,
        "read_one_by_one": one.n_read,
        "started_again": one.n_again,
        "done": one.is_done and not one.is_failed,
    }


def _line(one: "Progress") -> str:
    read = f", {one.n_read} of them are read one by one" if one.n_read else ""
    failed = "; a part could not be loaded: isthmus cases" if one.is_failed else ""
    return f"{one.store}: {one.n} {one.kind}s loaded{read}{failed}"
