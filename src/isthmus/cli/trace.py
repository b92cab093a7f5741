"""isthmus trace: everything that happened to one person or order, in order."""

from typing import Annotated

import typer

from isthmus.cli.installation import Config, Json, Name, open_app, require_connection


def register(app: typer.Typer) -> None:
    app.command("trace", help=HELP)(trace)


HELP = """Everything that happened to one person or one order, in order: what was told, what was decided, what was sent,
what Ometria said.

Addresses are never repeated; people are told of by their numbers.

\b
isthmus trace acme --order 5001234567890
isthmus trace acme --order "#1009"
isthmus trace acme --email ada@example.com
isthmus trace acme --customer 6001234567890 --json
"""


def trace(
    name: Name,
    email: Annotated[str | None, typer.Option("--email", help="A person's address.")] = None,
    customer: Annotated[str | None, typer.Option("--customer", metavar="ID", help="A Shopify customer id.")] = None,
    order: Annotated[
        str | None, typer.Option("--order", metavar="ID", help="A Shopify order id, or an order's name: #1009.")
    ] = None,
    json: Json = False,
    config: Config = None,
) -> None:
    from isthmus.cli import show
    from isthmus.cli.options import parse_number
    from isthmus.cli.options import parse_order as order_of
    from isthmus.kit.config_errors import ConfigError
    from isthmus.ops import trace as ops

    if sum(one is not None for one in (email, customer, order)) != 1:
        raise ConfigError("say one of --email, --customer and --order")
    with open_app(config) as app:
        require_connection(app, name)
        about = ops.About(
            email=email,
            customer=None if customer is None else parse_number(customer, "--customer"),
            order=None if order is None else order_of(app, name, order),
        )
        found = ops.trace_history(app.db, name, about, app.hash_key)
    if json:
        show.print_json(found)
        raise typer.Exit(1 if found.is_nothing else 0)
    if found.is_nothing:
        whom = f"order {order}" if order else f"customer {customer}" if customer else "that address"
        show.make_lines(f"Nothing is known of {whom}.")
        raise typer.Exit(1)
    table = show.make_table("time (UTC)", "what", "about", "store", "lane", "said")
    for e in found.entries:
        about_it = e.id if e.what in ("write", "push") else e.subject
        said = f"{e.said}  [{e.what} {e.id}]" if e.what in ("event", "case") else e.said
        show.add_row(table, (show.format_time(e.at), e.what, about_it, e.store, e.lane, said), _STYLES.get(e.what))
    show.make_lines(table)


_STYLES = {"case": "red", "consent": "yellow", "push": "dim"}
