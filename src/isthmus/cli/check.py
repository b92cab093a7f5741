"""isthmus check: the operating checklist, evaluated, and whether anybody would hear an alarm."""

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.installation import Config, Json, Name, open_app, require_connection

if TYPE_CHECKING:
    from isthmus.commands.checklist import Checklist

HELP = """The operating checklist, evaluated, with who owns what.

Exit code 1 when something needs a person or a line could not look, 3 when a store could not be reached.

\b
isthmus check daily acme
isthmus check monthly acme --json
isthmus check sign-off acme restore_test --note "into staging, 12 min"
isthmus check notify
"""


def register(app: typer.Typer) -> None:
    group = typer.Typer(help=HELP, rich_markup_mode=None, no_args_is_help=True)
    group.command("daily")(daily)
    group.command("monthly")(monthly)
    group.command("sign-off")(sign_off)
    group.command("notify")(notify)
    app.add_typer(group, name="check")


def daily(name: Name, json: Json = False, config: Config = None) -> None:
    """What must hold every day. Looks at the shop's settings, scopes, versions and subscriptions first."""
    _check("daily", name, json=json, config=config)


def monthly(name: Name, json: Json = False, config: Config = None) -> None:
    """What must hold every month, with what only a person can say (`isthmus check sign-off`)."""
    _check("monthly", name, json=json, config=config)


def _check(which: str, name: str, *, json: bool, config: Config) -> None:
    from isthmus.cli import show
    from isthmus.commands import checklist
    from isthmus.ops.checklist_rules import Result

    with open_app(config) as app:
        require_connection(app, name)
        now = app.clock.now()
        told = checklist.run_checklist(app, name, which)
    n_look = sum(line.result is Result.LOOK for line in told.lines)
    n_blind = sum(line.result is Result.COULD_NOT_LOOK for line in told.lines)
    if json:
        show.print_json(
            {
                "connection": name,
                "which": which,
                "at": now,
                "n_look": n_look,
                "n_could_not_look": n_blind,
                "is_green": not (n_look or n_blind or told.unreached),
                "unreached": told.unreached,
                "items": told.lines,
            }
        )
    else:
        _print(told, n_look, n_blind)
    raise typer.Exit(_exit_code(n_look, n_blind, told.unreached))


def _exit_code(n_look: int, n_blind: int, unreached: list[str]) -> int:
    """A line that could not look is never clean; where all of those are for want of a store, that is what is said."""
    from isthmus.app import exit_codes

    if n_look:
        return exit_codes.NEEDS_ATTENTION
    return exit_codes.UNREACHABLE if unreached else exit_codes.NEEDS_ATTENTION if n_blind else exit_codes.CLEAN


def _print(told: "Checklist", n_look: int, n_blind: int) -> None:
    from isthmus.cli import show
    from isthmus.ops.checklist_rules import Result

    styles = {Result.LOOK: "red", Result.COULD_NOT_LOOK: "yellow", Result.OK: None}
    table = show.make_table("result", "what", "seen", "since", "who owns it", "steps in docs/")
    for line in told.lines:
        since = f"{line.since:%Y-%m-%d %H:%M}" if line.since else ""
        steps = "" if line.result is Result.OK else line.guide.removeprefix("docs/")
        values = (line.result, line.what, line.said, since, line.owner, steps)
        show.add_row(table, values, styles[line.result])
    closing = []
    if n_look:
        closing.append(f"{show.format_count(n_look, 'line needs', 'lines need')} a person.")
    if n_blind:
        closing.append(f"{show.format_count(n_blind, 'line')} could not look, so nothing is known of {_them(n_blind)}.")
    show.make_lines(
        table, " ".join(closing) or f"All {len(told.lines)} lines were looked at, and nothing needs a person."
    )


def _them(n: int) -> str:
    return "it" if n == 1 else "them"


def sign_off(
    name: Name,
    item: Annotated[str, typer.Argument(metavar="ITEM", help="What was done, such as restore_test.")],
    note: Annotated[str, typer.Option("--note", help="What somebody should know of it later.")] = "",
    by: Annotated[str | None, typer.Option("--by", help="Who did it; your own name without it.")] = None,
    json: Json = False,
    config: Config = None,
) -> None:
    """Note that something was done that no program can see: a restore, a review, a page read."""
    from isthmus.cli import show
    from isthmus.flows.checklist_signoff import sign_off_item
    from isthmus.kit.config_errors import ConfigError, closest_name
    from isthmus.ops.checklist import NOTED

    if item not in NOTED:
        near = closest_name(item, list(NOTED))
        there = f"did you mean {near}?" if near else f"there are: {', '.join(NOTED)}"
        raise ConfigError(f"ITEM: {item!r} is nothing that a person notes; {there}")
    who = by or getpass.getuser()
    with open_app(config) as app:
        sign_off_item(app.db, require_connection(app, name), item, app.clock.now(), who, note)
    if json:
        show.print_json({"connection": name, "item": item, "by": who, "note": note})
    else:
        show.make_lines(f"Noted: {NOTED[item].what} ({who}).")


def notify(json: Json = False, config: Config = None) -> None:
    """Send a test message to every address of notify.url, so that nobody learns at night that it is wrong."""
    from isthmus.app import exit_codes
    from isthmus.cli import show
    from isthmus.commands import notify as telling
    from isthmus.kit.config_errors import ConfigError

    with open_app(config) as app:
        if not telling.is_notification_configured(app):
            raise ConfigError("notify.url is not set; docs/howto/notifications.md says what it may be")
        told = telling.send_test_messages(app)
    if json:
        show.print_json({"addresses": [{"address": one, "is_taken": not why, "why": why} for one, why in told.items()]})
    else:
        for address, why in told.items():
            show.make_lines(f"{address}  {why or 'took it'}")
    raise typer.Exit(exit_codes.UNREACHABLE if any(told.values()) else exit_codes.CLEAN)
