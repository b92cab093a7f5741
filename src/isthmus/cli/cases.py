"""isthmus cases: the exception desk on the command line."""

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.installation import Config, Json, open_app, require_connection

if TYPE_CHECKING:
    from isthmus.app.context import App
    from isthmus.cases.sql.cases import Case, CaseGroup

Numbers = Annotated[list[str], typer.Argument(metavar="ID...", help="The number of a case, or several.")]
By = Annotated[str | None, typer.Option("--by", help="Whose decision it is; your own name without it.")]

HELP = """Open cases. Without a command: the open cases, one line for each kind.

Exit code 1 while a case is open.

\b
isthmus cases
isthmus cases list acme --all --cause platform
isthmus cases show 17
isthmus cases replay 17 18 19
isthmus cases replay --code platform.refused acme
"""


def register(app: typer.Typer) -> None:
    group = typer.Typer(help=HELP, rich_markup_mode=None, invoke_without_command=True)
    group.callback()(_without_command)
    group.command("list")(list_cases)
    group.command("show")(show_case)
    group.command("assign")(assign)
    group.command("resolve")(resolve)
    group.command("replay", help=REPLAY)(replay_case)
    group.command("ignore")(ignore)
    app.add_typer(group, name="cases")


def _without_command(context: typer.Context, json: Json = False, config: Config = None) -> None:
    if context.invoked_subcommand is None:
        list_cases(json=json, config=config)


def list_cases(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One connection; all without it.")] = None,
    every: Annotated[bool, typer.Option("--all", help="One line for each case.")] = False,
    code: Annotated[str | None, typer.Option("--code", help="Only this kind, each case by itself.")] = None,
    cause: Annotated[str | None, typer.Option("--cause", help="storefront, integration or platform.")] = None,
    assigned: Annotated[str | None, typer.Option("--assigned", help="Only those given to somebody.")] = None,
    order: Annotated[
        str | None, typer.Option("--order", metavar="ID", help="Only those of an order, by id or name (#1009).")
    ] = None,
    customer: Annotated[str | None, typer.Option("--customer", metavar="ID", help="Only those of a customer.")] = None,
    state: Annotated[str, typer.Option("--state", help="open, resolved or ignored.")] = "open",
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many lines.")] = 200,
    json: Json = False,
    config: Config = None,
) -> None:
    """List open cases, grouped by what is wrong; --all lists each."""
    from isthmus.cli import show as out
    from isthmus.kit.config_errors import ConfigError
    from isthmus.ops import case_queries

    if state not in ("open", "resolved", "ignored"):
        raise ConfigError(f"--state: {state!r} is none of open, resolved, ignored")
    if (order or customer) and name is None:
        raise ConfigError("NAME: --order and --customer are of one connection; say which")
    is_single = every or code or cause or assigned or order or customer or state != "open"
    with open_app(config) as app:
        if name is not None:
            require_connection(app, name)
        subjects = _subjects(app, name or "", order, customer)
        groups = [] if is_single else case_queries.case_groups(app.db, name)
        single = (
            case_queries.list_cases(
                app.db, name, state=state, code=code, cause=cause, assigned=assigned, subjects=subjects, limit=limit
            )
            if is_single
            else []
        )
    if json:
        out.print_json({"cases": [_told(c) for c in single]} if is_single else {"groups": [_group(g) for g in groups]})
    elif is_single:
        _print_single(single)
    else:
        _print_groups(groups)
    raise typer.Exit(1 if groups or (single and state == "open") else 0)


def _subjects(app: "App", name: str, order: str | None, customer: str | None) -> list[str] | None:
    """What cases of these records are about, in the words of the store and of Ometria."""
    from isthmus.cli.options import parse_number
    from isthmus.cli.options import parse_order as order_of

    if order is None and customer is None:
        return None
    spaces = [store.namespace for store in app.connected(name).config.stores]
    found = []
    if order is not None:
        own = order_of(app, name, order)
        found += [f"order:{own}", *(f"order:{space}{own}" for space in spaces)]
    if customer is not None:
        own = parse_number(customer, "--customer")
        found += [f"customer:{own}", *(f"contact:{space}{own}" for space in spaces)]
    return found


def _print_groups(groups: "list[CaseGroup]") -> None:
    from isthmus.cases.catalogue import row_of
    from isthmus.cli import show as out

    if not groups:
        out.make_lines("No open case.")
        return
    table = out.make_table("cases", "code", "what", "who acts", "severity", "since", "sample", right=("cases",))
    for g in groups:
        sample = f"{g.sample_id} {g.sample_subject}".strip()
        out.add_row(
            table,
            (f"{g.cases:,}", g.code, row_of(g.code).title, g.owner, g.severity, out.format_time(g.first_at), sample),
        )
    out.make_lines(
        table, "`isthmus cases show ID` tells more of one; `isthmus cases list --code CODE` lists all of a kind."
    )


def _print_single(found: "list[Case]") -> None:
    from isthmus.cli import show as out

    if not found:
        out.make_lines("No such case.")
        return
    table = out.make_table(
        "id", "connection", "code", "subject", "store", "times", "last", "assigned", right=("id", "times")
    )
    for c in found:
        about = (c.subject or "–", c.store or "–")
        out.add_row(table, (c.id, c.connection, c.code, *about, c.n, out.format_time(c.last_at), c.assigned or "–"))
    out.make_lines(table)


def show_case(
    which: Annotated[str, typer.Argument(metavar="ID", help="The number of a case.")],
    json: Json = False,
    config: Config = None,
) -> None:
    """Everything about one case: what it means, who acts, what to do."""
    from isthmus.cases.catalogue import row_of
    from isthmus.cli import show as out
    from isthmus.ops import case_queries

    number = _number(which)
    with open_app(config) as app:
        case = case_queries.get_case(app.db, number)
    if case is None:
        raise _unknown(number)
    if json:
        out.print_json(_told(case))
        return
    what = row_of(case.code)
    facts = [
        (
            "state",
            case.state + (f" by {case.closed_by} at {out.format_time(case.closed_at)}" if case.closed_at else ""),
        ),
        *((("closed because", case.note),) if case.note else ()),
        *((("replayed", f"by {case.replayed_by} at {out.format_time(case.replayed_at)}"),) if case.replayed_at else ()),
        ("connection", " ".join(filter(None, (case.connection, case.store)))),
        ("about", case.subject or "the whole connection"),
        ("detail", case.detail or "–"),
        *((name.replace("_", " "), str(value)) for name, value in (case.difference or {}).items()),
        (
            "seen",
            (
                f"{out.format_count(case.n, 'time')} from {out.format_time(case.first_at)} "
                f"to {out.format_time(case.last_at)}"
            ),
        ),
        ("at fault", case.cause),
        ("who acts", case.owner + (f" ({case.assigned})" if case.assigned else "")),
        ("severity", case.severity + (f", due on {case.due_on}" if case.due_on else "")),
        ("remedy", what.remedy),
        ("runbook", what.runbook),
    ]
    table = out.make_table("", "")
    table.show_header = False
    for fact in facts:
        out.add_row(table, fact)
    out.make_lines(f"case {case.id}: {what.title} ({case.code})", table)


def assign(
    numbers: Numbers,
    to: Annotated[str | None, typer.Option("--to", help="Somebody's name; nobody without it.")] = None,
    json: Json = False,
    config: Config = None,
) -> None:
    """Give open cases to somebody, or back to nobody."""
    from isthmus.flows import case_actions

    with open_app(config) as app:
        wanted = _known(app, numbers)
        done = case_actions.assign_cases(app.db, wanted, to)
        missed = _why_not(app, wanted, done)
    _tell(done, missed, f"given to {to}" if to else "given back", json=json)


def resolve(numbers: Numbers, by: By = None, json: Json = False, config: Config = None) -> None:
    """Mark cases resolved. If one is not, it comes back with its next failure."""
    from isthmus.flows import case_actions

    with open_app(config) as app:
        wanted = _known(app, numbers)
        done = case_actions.resolve_cases(app.db, wanted, app.clock.now(), by or getpass.getuser())
        missed = _why_not(app, wanted, done)
    _tell(done, missed, "resolved", json=json)


def ignore(numbers: Numbers, by: By = None, json: Json = False, config: Config = None) -> None:
    """Ignore cases; they are still counted. Urgent ones cannot be ignored."""
    from isthmus.flows import case_actions

    with open_app(config) as app:
        wanted = _known(app, numbers)
        done = case_actions.ignore_cases(app.db, wanted, app.clock.now(), by or getpass.getuser())
        missed = _why_not(app, wanted, done)
    _tell(done, missed, "ignored", json=json)


REPLAY = """Do what the remedy of these cases says: put back what they are about, and look again at what opened them.

Events are processed again, records are read and mapped again, refused records and those that Ometria lacks are sent
again. No custom event fires, unless the case is about that very event. A case stays open until a later look finds the
matter right; `isthmus cases show ID` then says by which way it was closed.

\b
isthmus cases replay 17
isthmus cases replay --code platform.refused acme
"""


def replay_case(
    which: Annotated[
        list[str], typer.Argument(metavar="ID...|NAME", help="Numbers of cases; a connection with --code.")
    ],
    code: Annotated[
        str | None, typer.Option("--code", help="All open cases of a kind, of the connection NAME.")
    ] = None,
    by: By = None,
    json: Json = False,
    config: Config = None,
) -> None:
    from isthmus.cli import show as out
    from isthmus.commands import remedies

    rows: list[dict[str, Any]] = []
    with open_app(config) as app:
        for number in _numbers(app, which, code):
            done = remedies.carry_out_remedy(app, number, by or getpass.getuser())
            if done is None:
                raise _unknown(number)
            case, back = done.case, done.back
            rows.append(
                {
                    "id": number,
                    "code": case.code,
                    "subject": case.subject,
                    "events": back.n_events,
                    "records": back.n_records,
                    "writes": back.n_writes,
                    "lost": back.n_lost,
                    "withheld": back.n_withheld,
                    "looked": done.is_looked,
                    "failure": done.failure or None,
                    "closed": done.is_closed,
                    "under_way": done.is_under_way,
                    "replayed_by": case.replayed_by,
                    "replayed_at": case.replayed_at,
                    "note": case.note,
                    "done": done.is_anything,
                }
            )
    if json:
        out.print_json({"replayed": rows})
    else:
        for row in rows:
            out.make_lines(f"case {row['id']} ({row['code']}): {_outcome(row)}")
    raise typer.Exit(0 if all(row["done"] for row in rows) else 1)


def _outcome(row: dict[str, Any]) -> str:
    from isthmus.cases.triage import BUG
    from isthmus.cli import show as out

    if row["closed"]:
        return f"closed: {row['note'] or 'it is over'}"
    told = []
    if row["events"] or row["records"] or row["writes"]:
        told.append(
            f"{out.format_count(row['events'], 'event')}, {out.format_count(row['records'], 'record')} and "
            f"{out.format_count(row['writes'], 'write')} go again; the case closes when a later look finds them right"
        )
    if row["withheld"]:
        told.append(f"{out.format_count(row['withheld'], 'contact')} not sent, since that would opt somebody in")
    if row["failure"]:
        told.append(f"could not look again: {row['failure']}")
    elif row["looked"] and not told:
        told.append("looked again: it is still so")
    elif row["under_way"] and not told:
        told.append(
            f"replayed by {row['replayed_by']} at {out.format_time(row['replayed_at'])}, "
            f"and under way: the case closes when a "
            "later look finds it right"
        )
    elif row["code"] == BUG and row["subject"] and ":" not in row["subject"] and not told:
        told.append(f"nothing to replay: the case closes when {row['subject']} next goes well")
    return "; ".join(told) or "nothing to replay for this case; follow its runbook"


def _numbers(app: "App", which: list[str], code: str | None) -> list[int]:
    from isthmus.kit.config_errors import ConfigError
    from isthmus.ops import case_queries

    if code is None:
        wrong = [text for text in which if not text.isdecimal()]
        if wrong:
            raise ConfigError(f"ID: {wrong[0]!r} is not the number of a case; with a connection say --code CODE too")
        return _known(app, which)
    if len(which) != 1:
        raise ConfigError("NAME: --code goes with the name of one connection")
    name = require_connection(app, which[0])
    return sorted(case.id for case in case_queries.list_cases(app.db, name, code=code))


def _tell(done: list[int], missed: dict[int, str], said: str, *, json: bool) -> None:
    from isthmus.cli import show as out

    if json:
        out.print_json({"done": done, "not_done": list(missed)})
    else:
        for number in done:
            out.make_lines(f"case {number}: {said}")
        for number, why in missed.items():
            out.make_lines(f"case {number}: {why}")
    raise typer.Exit(1 if missed else 0)


def _number(text: str) -> int:
    from isthmus.kit.config_errors import ConfigError

    if not text.isdecimal() or len(text) > len(str(2**63 - 1)) - 1:
        raise ConfigError(f"ID: {text!r} is not the number of a case; `isthmus cases list --all` lists them")
    return int(text)


def _known(app: "App", texts: list[str]) -> list[int]:
    """The numbers of cases that there are; the first that there is not ends the command."""
    from isthmus.ops import case_queries

    numbers = [_number(text) for text in texts]
    for number in numbers:
        if case_queries.get_case(app.db, number) is None:
            raise _unknown(number)
    return numbers


def _why_not(app: "App", wanted: list[int], done: list[int]) -> dict[int, str]:
    """Why nothing was done with these, in words."""
    from isthmus.ops import case_queries

    told = {number: case_queries.get_case(app.db, number) for number in wanted if number not in done}
    return {
        number: f"is {case.state} already" if case is not None and case.state != "open" else "is urgent: not ignored"
        for number, case in told.items()
    }


def _unknown(number: int) -> Exception:
    from isthmus.kit.config_errors import ConfigError

    return ConfigError(f"ID: there is no case {number}; `isthmus cases list --all` lists them")


def _told(case: "Case") -> dict[str, object]:
    from msgspec.structs import asdict

    from isthmus.cases.catalogue import row_of

    what = row_of(case.code)
    return asdict(case) | {"title": what.title, "remedy": what.remedy, "runbook": what.runbook}


def _group(group: "CaseGroup") -> dict[str, object]:
    from msgspec.structs import asdict

    from isthmus.cases.catalogue import row_of

    what = row_of(group.code)
    return asdict(group) | {"title": what.title, "remedy": what.remedy, "runbook": what.runbook}
