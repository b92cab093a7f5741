"""isthmus consent: what was said about writing to somebody, and what is made of it."""

from typing import Annotated

import typer

from isthmus.cli.opening import Config, Json, Name, must_be_known, opened


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Consent: one person's ledger.", rich_markup_mode=None, no_args_is_help=True)
    group.callback()(_without_command)
    group.command("show", help=SHOW)(show)
    app.add_typer(group, name="consent")


def _without_command() -> None:
    """A group keeps its name also while it has a single command."""


SHOW = """One person's ledger: every statement about their addresses, and the rule that decided what it changed.

\b
isthmus consent show acme --email ada@example.com
"""


def show(
    name: Name,
    email: Annotated[str, typer.Option("--email", help="The person's address.")],
    json: Json = False,
    config: Config = None,
) -> None:
    from isthmus.cli import show as out
    from isthmus.kit.email import normalise
    from isthmus.kit.explain import ConfigError
    from isthmus.ops import evidence

    address = normalise(email)
    if address is None:
        raise ConfigError(f"--email: {email!r} is no address")
    with opened(config) as app:
        must_be_known(app, name)
        found = evidence.ledger(app.db, name, address, app.hash_key)
    if json:
        out.document({"connection": name, "claims": found.claims, "platform": found.platform})
        return
    if not found.claims:
        out.lines("Nobody ever stated anything about that address.")
        return
    table = out.table("heard (UTC)", "channel", "state", "since", "level", "store", "customer", "by", "rule")
    for c in found.claims:
        out.row(
            table,
            (out.at(c.heard_at), c.channel, c.state, out.at(c.claimed_at) or "–", c.level or "–", c.store,
             c.customer_id or "–", f"{c.source} {c.collected_from or ''}".strip(), c.rule),
        )  # fmt: skip
    out.lines(table)
    for told in found.platform:
        out.lines(f"{told.contact} is desired as {told.stance}; {told.state}")
