"""isthmus duplicates and merge: people who may be one, and making one of them in Ometria."""

from pathlib import Path
from typing import Annotated, Any

import typer

from isthmus.cli.installation import Config, Json, Name, open_app, require_connection

SHOWN = 40
"""Candidates on the terminal; the page and --json have all."""


def register(app: typer.Typer) -> None:
    app.command("duplicates", help=DUPLICATES)(duplicates)
    app.command("merge", help=MERGE)(merge)


DUPLICATES = """Likely duplicate customers, best first, with reasons, and what merging them would do.

Compares everybody that isthmus knows; writes to neither Shopify nor Ometria. Names nobody: look the ids up in Shopify's
admin. Exit 1 when there is somebody to judge, or when people of a store are
not loaded and so were not looked at.

\b
isthmus duplicates acme
isthmus duplicates acme --out duplicates.html
isthmus duplicates acme --since-last             exit 1 only for candidates that the look before did not find
"""

MERGE = """Merge the two people of a candidate in Ometria. Nothing there can be undone; the other's contacts are deleted
there and sent again. At most one merge a minute; a worker (or this command, with --wait) makes it when its turn comes.

Refused where it would flip consent, or take along somebody who is neither of the two.

\b
isthmus merge acme 12 --dry-run    what would happen
isthmus merge acme 12 --yes     queue it
isthmus merge acme 12 --not-duplicate   they are different people: never again
"""


def duplicates(
    name: Name,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write one HTML page, to print.")] = None,
    since_last: Annotated[
        bool, typer.Option("--since-last", help="Exit 1 only for candidates that the last look did not find.")
    ] = False,
    json: Json = False,
    config: Config = None,
) -> None:
    from isthmus.cli import show
    from isthmus.commands import merge as merging
    from isthmus.model.basis import verdict_outcome

    with open_app(config) as app:
        require_connection(app, name)
        looked, found = merging.find_duplicates(app, name)
        told = merging.duplicates_document(app, name, looked, found)
    if out is not None:
        from isthmus.ops import duplicates_page

        out.write_text(duplicates_page.duplicates_html(told), encoding="utf-8")
    if json:
        show.print_json(told)
    else:
        _show(told)
        if out is not None:
            show.make_lines(f"The page is {out}.")
        if since_last:
            show.make_lines(f"{told['n_new']:,} of {len(told['candidates']):,} candidates are new since the last look.")
    is_whole = looked is not None and looked.basis is not None and verdict_outcome(looked.basis).is_green
    if (told["n_new"] if since_last else told["candidates"]) or not is_whole:
        raise typer.Exit(1)


def merge(
    name: Name,
    candidate: Annotated[
        int, typer.Argument(metavar="CANDIDATE", help="Its number, as `isthmus duplicates` shows it.")
    ],
    plan: Annotated[bool, typer.Option("--dry-run", help="Only show what would happen.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; there is no way back.")] = False,
    apart: Annotated[
        bool, typer.Option("--not-duplicate", help="They are different people: never merge them.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Make the merge now, and wait for the end of it.")] = False,
    json: Json = False,
    config: Config = None,
) -> None:
    import getpass

    from isthmus.cli import show
    from isthmus.commands import merge as merging
    from isthmus.kit.config_errors import ConfigError

    with open_app(config) as app:
        require_connection(app, name)
        one = merging.review_candidate(app, name, candidate)
        if one is None:
            raise ConfigError(
                f"CANDIDATE: there is no candidate {candidate} of the last look; see `isthmus duplicates {name}`"
            )
        told: dict[str, Any] = {"connection": name, **merging.candidate_document(one)}
        if apart:
            merging.dismiss_candidate(app, name, one, getpass.getuser())
            told["said"] = "apart"
        elif not plan and one.may_be_merged:
            if not yes:
                _plan(told)
                typer.confirm("Merge them? There is no way back", abort=True)
            number = merging.queue_merge(app, name, one, getpass.getuser())
            told["merge"] = number
            told["state"], told["why"] = "wanted", "" if number is not None else "it waits already"
            if wait and number is not None:
                told["state"], told["why"] = _waited(app, name, number)
    if json:
        show.print_json(told)
    else:
        _plan(told)
    if not apart and (not one.may_be_merged or told.get("state") == "refused"):
        raise typer.Exit(1)


def _waited(app: Any, name: str, number: int) -> tuple[str, str]:
    """Step until this merge has ended."""
    from isthmus.commands import merge as merging

    while True:
        merging.run_next_merge(app, name)
        state, why = merging.merge_state(app, name, number)
        if state in ("done", "refused", ""):
            return state, why
        app.clock.wait(merging.WAIT.total_seconds())


def _plan(told: dict[str, Any]) -> None:
    from isthmus.cli import show

    survivor, loser, moves, consent = told["survivor"], told["loser"], told["moves"], told["consent"]
    show.make_lines(f"{loser['contact']} would become {survivor['contact']}: {', '.join(told['reasons'])}.")
    show.make_lines(
        f"{show.format_count(moves['orders'], 'order')} and "
        f"{show.format_count(moves['contacts'], 'contact')} would move. "
        f"Email: {survivor['email']} and {loser['email']}, then {consent['email']}. "
        f"Text messages: {survivor['sms']} and {loser['sms']}, then {consent['sms']}."
    )
    for why in told["against"]:
        show.make_lines(f"Not merged: {why}.")
    if told.get("said") == "apart":
        show.make_lines("Noted: different people.")
    elif "state" in told:
        show.make_lines(f"Merge {told['merge'] or ''} {told['state']}. {told['why']}".rstrip())


def _show(told: dict[str, Any]) -> None:
    from isthmus.cli import show

    found, looked = told["candidates"], told["looked"]
    table = show.make_table(
        "nr", "verdict", "survivor", "other", "why", "orders", "email then", "merge", right=("nr", "orders")
    )
    for one in found[:SHOWN]:
        show.add_row(
            table,
            (
                one["candidate"],
                one["verdict"],
                one["survivor"]["contact"],
                one["loser"]["contact"],
                ", ".join(one["reasons"]),
                one["moves"]["orders"],
                one["consent"]["email"],
                "may be" if one["may_be_merged"] else f"no: {one['against'][0]}",
            ),
        )
    if found:
        show.make_lines(table)
    if len(found) > SHOWN:
        show.make_lines(f"and {len(found) - SHOWN:,} more; --json and --out have all.")
    show.make_lines(
        f"{show.format_count(looked['n_customers'], 'customer')} looked at: "
        f"{show.format_count(len(found), 'candidate')}, "
        f"{show.format_count(looked['n_shared'], 'pair')} of different people "
        f"who share an address, a number or a mailbox."
    )
    for one in (looked["basis"] or {}).get("not_judged", ()):
        show.make_lines(f"not judged: {one['what']}: {one['reason']}")
    if several := told["several_profiles"]:
        show.make_lines(
            f"{show.format_count(len(several), 'address', 'addresses')} with several profiles in Ometria; "
            f"--json names them. "
            "Ask Ometria to merge those."
        )
    waiting = [one for one in told["merges"] if one["state"] in ("wanted", "asked")]
    if waiting:
        show.make_lines(f"{show.format_count(len(waiting), 'merge')} in the queue, one a minute.")
