"""isthmus takeover: rehearse and carry out living in an account that another writer has filled."""

from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.opening import Config, Json, Name, must_be_known, opened

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
    from isthmus.runtime import taking_over

    with opened(config) as app:
        must_be_known(app, name)
        decided = app.connected(name).config.connection.takeover
        with progress.steps() as tell:
            told = taking_over.take_over(app, name, dry_run=dry_run, tell=tell)
    if json:
        show.document(_document(name, decided, told))
    else:
        _show(name, decided, told)
    if told.n_withheld or not told.is_listed:
        raise typer.Exit(1)


def _document(name: str, decided: str | None, told: "Forecast") -> dict[str, object]:
    import msgspec

    from isthmus.flows.reconcile import worth
    from isthmus.identity.foreign.sql import Sum

    def said(one: Sum) -> dict[str, object]:
        """Sums as decimal texts: `off_mills` is told as `off`."""
        return {
            key.removesuffix("_mills"): worth.text(value) if key.endswith("_mills") else value
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
    from isthmus.flows.reconcile import worth

    if not told.is_listed:
        show.lines(
            f"Ometria was never listed to its end, so nothing is known of what another writer has put there: run "
            f"isthmus takeover {name} without --dry-run first; it reads Ometria and writes to neither side."
        )
        return
    columns = ("month", "", "orders now", "revenue now", "orders then", "revenue then", "adopted", "off by", "new")
    made = show.table(*columns, title=f"Ometria, before and after {name} is live", right=columns[2:])
    for one in (*told.months, *told.totals()):
        cells = (
            one.month or "in all",
            one.currency,
            f"{one.n_before:,}",
            worth.text(one.before_mills),
            f"{one.n_after:,}",
            worth.text(one.after_mills),
            f"{one.n_adopted:,}",
            worth.text(one.off_mills),
            f"{one.n_added:,}",
        )
        show.row(made, cells)
    show.lines(made)
    listed = f" (as listed {show.at(told.listed_at)})" if told.listed_at else ""
    show.lines(
        f"takeover: {decided or 'not decided'}; {told.n_orders_there:,} orders there are not ours by id{listed}."
    )
    for one in told.totals():
        if one.off_mills:
            show.lines(
                f"{one.n_differing:,} adopted orders say {worth.text(one.off_mills)} {one.currency} more than theirs"
                " did: refunds, edits and cancellations that the other writer never told."
            )
    if told.n_before_us:
        show.lines(f"{told.n_before_us:,} orders were placed before start_at and stay theirs.")
    if told.n_withheld:
        show.lines(f"{told.n_withheld:,} orders are held back, each with a case: platform.takeover_conflict.")
