"""isthmus consent: what was said about writing to somebody, what is made of it, and whether both sides agree."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.installation import Config, Json, Name, open_app, require_connection

if TYPE_CHECKING:
    from isthmus.model.consent_comparison import ConsentComparisonResult, ConsentDifference


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Consent: one person's ledger, and both sides compared.", rich_markup_mode=None, no_args_is_help=True
    )
    group.command("show", help=SHOW)(show_consent)
    group.command("audit", help=AUDIT)(audit_command)
    app.add_typer(group, name="consent")


SHOW = """One person's ledger, on every channel: each statement about the address and the numbers of its customers,
and the rule that decided what it changed.

\b
isthmus consent show acme --email ada@example.com
isthmus consent show acme --customer 6001234567890
"""

AUDIT = """Hold both sides against each other: everybody whom one side may write to and the other may not.

Reads both sides: every profile of the account, and every customer of each shop by one bulk operation. What comes to
light is acted on as always, never towards an opt-in. What is younger than reconcile.grace_period is looked at again
before the end. The answer says as of when each side was read, and who was not judged and why.
Exit 0 where all who were compared agree and nobody was left out; 1 where they differ or somebody was not judged (in
flight: more than 1 %); 3 when Ometria or a shop could not be read to its end.

\b
isthmus consent audit acme --out consent.html --csv consent.csv
isthmus consent audit acme --signed-by "A. Lovelace" --out consent.html     a dated, signed-off report
isthmus consent audit acme --latest --json                               the last one, without reading again
isthmus consent audit acme --since-last                                exit 1 only for new differences
isthmus consent audit acme --latest --verbose                               who differs or was not judged, by their ids
"""


def show_consent(
    name: Name,
    email: Annotated[str | None, typer.Option("--email", help="The person's address.")] = None,
    customer: Annotated[str | None, typer.Option("--customer", metavar="ID", help="A Shopify customer id.")] = None,
    json: Json = False,
    config: Config = None,
) -> None:
    from isthmus.cli import show as out
    from isthmus.cli.options import parse_number
    from isthmus.consent.policy import Policy
    from isthmus.kit.config_errors import ConfigError, UnknownError
    from isthmus.kit.email import normalise_email
    from isthmus.ops import consent_history, order_names

    if (email is None) == (customer is None):
        raise ConfigError("say one of --email and --customer")
    address = normalise_email(email)
    if email is not None and address is None:
        raise ConfigError(f"--email: {email!r} is no address")
    with open_app(config) as app:
        require_connection(app, name)
        if address is None:
            known = order_names.emails_of_customer(app.db, name, parse_number(customer or "", "--customer"))
            if not known:
                raise UnknownError(f"Nothing is known of customer {customer}, or they have no address.")
            address = known[0]
        said = app.connected(name).config
        policy = Policy(said.consent.authority, said.consent.scope, said.consent.merge)
        stores = [store.name for store in said.stores]
        found = consent_history.consent_ledger(app.db, name, address, app.hash_key, policy, stores)
    if json:
        out.print_json({"connection": name, "claims": found.claims, "stands": found.stands, "platform": found.platform})
        return
    if not found.claims:
        out.make_lines("Nobody ever stated anything about that address.")
        return
    table = out.make_table("heard (UTC)", "channel", "state", "since", "level", "store", "customer", "by", "rule")
    for c in found.claims:
        out.add_row(
            table,
            (
                out.format_time(c.heard_at),
                c.channel,
                c.state,
                out.format_time(c.claimed_at) or "–",
                c.level or "–",
                c.store or "–",
                c.customer_id or "–",
                f"{c.source} {c.collected_from or ''}".strip(),
                c.rule,
            ),
        )
    out.make_lines(table)
    for stands in found.stands:
        out.make_lines(f"In {stands.store} by {stands.channel} they are {stands.stance}, by the rule {stands.rule}.")
    for told in found.platform:
        out.make_lines(f"{told.contact} is to say {told.stance} by email and {told.sms} by sms; {told.state}")


def audit_command(
    name: Name,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the page here, as HTML.")] = None,
    sheet: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write every difference, as CSV.")] = None,
    sign: Annotated[str, typer.Option("--signed-by", metavar="WHO", help="Who signs the report off.")] = "",
    repair: Annotated[bool, typer.Option("--repair/--no-repair", help="Act on what comes to light.")] = True,
    last: Annotated[bool, typer.Option("--latest", help="Show the last audit instead of making one.")] = False,
    since_last: Annotated[
        bool, typer.Option("--since-last", help="Exit 1 only for differences that the last audit did not find.")
    ] = False,
    long: Annotated[
        bool, typer.Option("--verbose", help="Also name who differs or was not judged, by their ids.")
    ] = False,
    json: Json = False,
    config: Config = None,
) -> None:
    import msgspec

    from isthmus.cli import progress
    from isthmus.cli import show as say
    from isthmus.cli.options import require_parent_folder
    from isthmus.flows.consent import audit as flow
    from isthmus.kit.config_errors import ConfigError
    from isthmus.model.basis import verdict_outcome
    from isthmus.model.consent_comparison import new_differences
    from isthmus.ops import consent_report

    if last and since_last:
        raise ConfigError("--since-last: holds a new audit against the last one; leave --latest away")
    require_parent_folder(out, sheet)
    new: tuple[ConsentDifference, ...] | None = None
    with open_app(config) as app:
        require_connection(app, name)
        if last:
            kept = flow.last_audit(app.db, name)
            if kept is None:
                raise ConfigError(f"{name} has had no consent audit yet; run it without --latest")
            done = kept
        else:
            before = flow.last_audit(app.db, name)
            with progress.run_progress() as tell:
                done = flow.run_consent_audit(app.db, app.context(name), repair=repair, signed_by=sign, tell=tell)
            if since_last:
                new = new_differences(done, before)
    if out is not None:
        out.write_text(consent_report.consent_report_html(done), encoding="utf-8")
    if sheet is not None:
        sheet.write_text(consent_report.consent_report_csv(done), encoding="utf-8")
    if json:
        say.print_json({**consent_report.consent_report_json(done), "n_new": None if new is None else len(new)})
    else:
        _show(done, out, is_long=long)
        if new is not None:
            say.make_lines(f"{len(new):,} of {len(done.found):,} differences are new since the last audit.")
    if not done.is_whole or done.unread:
        raise typer.Exit(3)
    basis = done.basis
    if basis is not None and new is not None:
        # What was known is no reason for 1; who was not judged still is.
        basis = msgspec.structs.replace(basis, n_differ=len({(one.store, one.customer_id) for one in new}))
    if basis is None or not verdict_outcome(basis).is_green:
        raise typer.Exit(1)


def _show(done: "ConsentComparisonResult", out: Path | None, *, is_long: bool = False) -> None:
    from isthmus.cli import show as say
    from isthmus.model.consent_comparison import DifferenceKind
    from isthmus.ops import consent_report

    say.make_lines(consent_report.consent_verdict(done))
    say.make_lines(consent_report.consent_as_of(done))
    table = say.make_table("people", "what")
    say.add_row(table, (done.n_both, "mailable on both sides"))
    say.add_row(table, (done.n_neither, "on neither"))
    for sort in DifferenceKind:
        if n := sum(one.sort is sort for one in done.differs):
            say.add_row(table, (n, consent_report.REASON_TEXTS[sort][0]))
    say.add_row(table, (done.n_unseen, "customers whom Ometria does not know, and who may not be written to"))
    say.make_lines(table)
    if is_long and done.differs:
        named = say.make_table("customer", "channel", "what", "case")
        for one in done.differs:
            say.add_row(named, (f"{one.store} {one.customer_id}", one.channel, one.sort, one.case or "–"))
        say.make_lines(named)
    if is_long and done.unjudged:
        left = say.make_table("customer", "not judged")
        for person in done.unjudged:
            say.add_row(left, (f"{person.store} {person.customer_id}", person.reason))
        say.make_lines(left)
    if out is not None:
        say.make_lines(f"The page is {out}.")
