"""isthmus check: the operating checklist, evaluated, and whether anybody would hear an alarm."""

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.opening import Config, Json, Name, must_be_known, opened

if TYPE_CHECKING:
    from isthmus.runtime.checking import Checklist

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
    from isthmus.ops.judges import Result
    from isthmus.runtime import checking

    with opened(config) as app:
        must_be_known(app, name)
        now = app.clock.now()
        told = checking.check(app, name, which)
    n_look = sum(line.result is Result.LOOK for line in told.lines)
    n_blind = sum(line.result is Result.COULD_NOT_LOOK for line in told.lines)
    if json:
        show.document(
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
    from isthmus.runtime import exits

    if n_look:
        return exits.LOOK
    return exits.AWAY if unreached else exits.LOOK if n_blind else exits.CLEAN


def _print(told: "Checklist", n_look: int, n_blind: int) -> None:
    from isthmus.cli import show
    from isthmus.ops.judges import Result

    styles = {Result.LOOK: "red", Result.COULD_NOT_LOOK: "yellow", Result.OK: None}
    table = show.table("result", "what", "seen", "since", "who owns it", "steps in docs/")
    for line in told.lines:
        since = f"{line.since:%Y-%m-%d %H:%M}" if line.since else ""
        steps = "" if line.result is Result.OK else line.guide.removeprefix("docs/")
        values = (line.result, line.what, line.said, since, line.owner, steps)
        show.row(table, values, styles[line.result])
    closing = []
    if n_look:
        closing.append(f"{show.count(n_look, 'line needs', 'lines need')} a person.")
    if n_blind:
        closing.append(f"{show.count(n_blind, 'line')} could not look, so nothing is known of {_them(n_blind)}.")
    show.lines(table, " ".join(closing) or f"All {len(told.lines)} lines were looked at, and nothing needs a person.")


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
    from isthmus.flows.attest import attest
    from isthmus.kit.explain import ConfigError, nearest
    from isthmus.ops.checklist import NOTED

    if item not in NOTED:
        near = nearest(item, list(NOTED))
        there = f"did you mean {near}?" if near else f"there are: {', '.join(NOTED)}"
        raise ConfigError(f"ITEM: {item!r} is nothing that a person notes; {there}")
    who = by or getpass.getuser()
    with opened(config) as app:
        attest(app.db, must_be_known(app, name), item, app.clock.now(), who, note)
    if json:
        show.document({"connection": name, "item": item, "by": who, "note": note})
    else:
        show.lines(f"Noted: {NOTED[item].what} ({who}).")


def notify(json: Json = False, config: Config = None) -> None:
    """Send a test message to every address of notify.url, so that nobody learns at night that it is wrong."""
    from isthmus.cli import show
    from isthmus.kit.explain import ConfigError
    from isthmus.runtime import exits, telling

    with opened(config) as app:
        if not telling.is_wanted(app):
            raise ConfigError("notify.url is not set; docs/howto/be-told.md says what it may be")
        told = telling.try_out(app)
    if json:
        show.document({"addresses": [{"address": one, "is_taken": not why, "why": why} for one, why in told.items()]})
    else:
        for address, why in told.items():
            show.lines(f"{address}  {why or 'took it'}")
    raise typer.Exit(exits.AWAY if any(told.values()) else exits.CLEAN)
