"""isthmus takeover: rehearse and carry out living in an account that another writer has filled."""

from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.installation import Config, Json, Name, open_app, require_connection

if TYPE_CHECKING:
    from isthmus.flows.takeover.forecast import Forecast


def register(app: typer.Typer) -> None:
    app.command("takeover", help=TAKEOVER)(takeover)


TAKEOVER = """List what another writer has put into the account, match it with ours, and tell what going live will do.

Reads Ometria and writes to neither side: orders and revenue there now, and once all that waits is sent, month by month.
What connection.takeover says is carried out on what we have: with "adopt_ids" records get the ids that they have there.
Interrupted, the same command goes on where it was. Exit 1 when orders are held back and somebody must look, or
when the account was never listed to its end: then nothing is known of it.

\b
isthmus takeover acme             list, match and tell
isthmus takeover acme --dry-run   only tell, by what was listed before
"""


def takeover(
    name: Name,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell, by what was listed before.")] = False,
    json: Json = False,
    config: Config = None,
) -> None:
    from isthmus.cli import progress, show
    from isthmus.commands import takeover as taking_over

    with open_app(config) as app:
        require_connection(app, name)
        decided = app.connected(name).config.connection.takeover
        with progress.run_progress() as tell:
            told = taking_over.take_over(app, name, dry_run=dry_run, tell=tell)
    if json:
        show.print_json(_document(name, decided, told))
    else:
        _show(name, decided, told)
    if told.n_withheld or not told.is_listed:
        raise typer.Exit(1)


def _document(name: str, decided: str | None, told: "Forecast") -> dict[str, object]:
    import msgspec

    from isthmus.flows.reconcile import order_totals
    from isthmus.identity.sql.foreign import MonthlyRevenue

    def said(one: MonthlyRevenue) -> dict[str, object]:
        """Sums as decimal texts: `off_mills` is told as `off`."""
        return {
            key.removesuffix("_mills"): order_totals.mills_as_text(value) if key.endswith("_mills") else value
            for key, value in msgspec.structs.asdict(one).items()
        }

    return {
        "connection": name,
        "takeover": decided,
        "is_listed": told.is_listed,
        "listed_at": told.listed_at,
        "orders_there": told.n_orders_there,
        "products_there": told.n_products_there,
        "before_start_at": told.n_before_us,
        "held_back": told.n_withheld,
        "months": [said(one) for one in told.months] if told.is_listed else None,
        "totals": [said(one) for one in told.totals()] if told.is_listed else None,
    }


def _show(name: str, decided: str | None, told: "Forecast") -> None:
    from isthmus.cli import show
    from isthmus.flows.reconcile import order_totals

    if not told.is_listed:
        show.make_lines(
            f"Ometria was never listed to its end, so nothing is known of what another writer has put there: run "
            f"isthmus takeover {name} without --dry-run first; it reads Ometria and writes to neither side."
        )
        return
    columns = ("month", "", "orders now", "revenue now", "orders then", "revenue then", "adopted", "off by", "new")
    made = show.make_table(*columns, title=f"Ometria, before and after {name} is live", right=columns[2:])
    for one in (*told.months, *told.totals()):
        cells = (
            one.month or "in all",
            one.currency,
            f"{one.n_before:,}",
            order_totals.mills_as_text(one.before_mills),
            f"{one.n_after:,}",
            order_totals.mills_as_text(one.after_mills),
            f"{one.n_adopted:,}",
            order_totals.mills_as_text(one.off_mills),
            f"{one.n_added:,}",
        )
        show.add_row(made, cells)
    show.make_lines(made)
    listed = f" (as listed {show.format_time(told.listed_at)})" if told.listed_at else ""
    show.make_lines(
        f"takeover: {decided or 'not decided'}; {told.n_orders_there:,} orders there are not ours by id{listed}."
    )
    for one in told.totals():
        if one.off_mills:
            show.make_lines(
                f"{one.n_differing:,} adopted orders say {order_totals.mills_as_text(one.off_mills)} "
                f"{one.currency} more than theirs"
                " did: refunds, edits and cancellations that the other writer never told."
            )
    if told.n_before_us:
        show.make_lines(f"{told.n_before_us:,} orders were placed before start_at and stay theirs.")
    if told.n_withheld:
        show.make_lines(f"{told.n_withheld:,} orders are held back, each with a case: platform.takeover_conflict.")
