"""isthmus plans and undo: changes that wait for a person, and putting back what a run changed."""

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.cli.installation import Config, Json, open_app, require_connection

if TYPE_CHECKING:
    from isthmus.flows.safety.decide import Decided
    from isthmus.safety.sql.plans import StoppedPlan

Number = Annotated[int, typer.Argument(metavar="ID", help="The number of a plan, as `isthmus plans list` shows it.")]
By = Annotated[str | None, typer.Option("--by", help="Whose decision it is; your own name without it.")]

PLANS = """Changes that wait for a person, since more records would change than may change without one.

A plan is stopped when isthmus infers or changes by its own rules (nobody stated it) more than 5 records and more than
safety.max_share of what was sent of that kind for the store, within 24 hours or 7 days; or more than 3 orders that
hold over 1 % of the store's net of 90 days. Nothing of a stopped plan is carried out. It expires after 24 hours.

\b
isthmus plans list acme        what waits, with counts, money and examples
isthmus plans confirm 7        let it go: each record is read or mapped once more before it is changed
isthmus plans refuse 7         keep things as they are, until the shop states something new
"""


def register(app: typer.Typer) -> None:
    group = typer.Typer(help=PLANS, rich_markup_mode=None, no_args_is_help=True)
    group.command("list")(list_plans)
    group.command("confirm")(confirm)
    group.command("refuse")(refuse)
    app.add_typer(group, name="plans")


def list_plans(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One connection; all without it.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that were carried out or decided.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, the newest first.")] = 50,
    json: Json = False,
    config: Config = None,
) -> None:
    """List stopped plans: what would change, why, how much money, until when. Exit 1 while one waits."""
    from isthmus.cli import show
    from isthmus.flows.safety import decide

    with open_app(config) as app:
        if name is not None:
            require_connection(app, name)
        found = decide.list_plans(app.db, name, every=every, limit=limit)
    if json:
        show.print_json({"plans": [_document(one) for one in found]})
    elif not found:
        show.make_lines("No plan waits.")
    else:
        table = show.make_table(
            "plan", "connection", "made by", "state", "would change", "decide before", right=("plan",)
        )
        for one in found:
            made_by = one.source + (f" (run {one.run})" if one.run else "")
            expires = show.format_time(one.expires_at) if one.expires_at and one.state == "stopped" else "–"
            show.add_row(table, (one.id, one.connection, made_by, one.state, _summary(one), expires))
        show.make_lines(table)
    raise typer.Exit(1 if any(one.state in ("stopped", "expired") for one in found) else 0)


def confirm(
    number: Number,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be let go.")] = False,
    records: Annotated[
        int | None, typer.Option("--records", metavar="N", min=0, help="How many records it has, where it has grown.")
    ] = None,
    by: By = None,
    json: Json = False,
    config: Config = None,
) -> None:
    """Let a stopped plan go. Each of its records is read or mapped once more, and only then changed.

    What was confirmed counts towards no limit. A worker (isthmus serve) carries it out. A plan that has grown since it
    was stopped is let go only with --records and the number of its records, as `isthmus plans list` shows it now.
    """
    from isthmus.cli import show
    from isthmus.flows.safety import decide

    with open_app(config) as app:
        plan = _stopped(decide.find_plan(app.db, number), number, ("stopped",))
        if dry_run:
            _show(plan, 0, f"would be confirmed: {_summary(plan)}", json=json, is_dry_run=True)
            return
        done = decide.confirm_plan(app.db, app.context(plan.connection), number, by or getpass.getuser(), records)
    if done.has_grown and done.plan is not None:
        again = f"`isthmus plans confirm {number} --records {done.n}` lets all of them go"
        if json:
            show.print_json({"plan": _document(done.plan), "records": 0, "dry_run": False, "has_grown": True})
        else:
            show.make_lines(
                f"plan {number}: not confirmed, it is no longer what was stopped: {_summary(done.plan)}. {again}."
            )
        raise typer.Exit(1)
    _tell(done, number, "confirmed", json=json)


def refuse(number: Number, by: By = None, json: Json = False, config: Config = None) -> None:
    """Refuse a stopped plan: its records stay as they are, on both sides, until their shop states something new."""
    from isthmus.flows.safety import decide

    with open_app(config) as app:
        _stopped(decide.find_plan(app.db, number), number, ("stopped", "expired"))
        done = decide.refuse_plan(app.db, number, app.clock.now(), by or getpass.getuser())
    _tell(done, number, "refused", json=json)


def _stopped(plan: "StoppedPlan | None", number: int, states: tuple[str, ...]) -> "StoppedPlan":
    from isthmus.kit.config_errors import ConfigError

    if plan is None:
        raise ConfigError(f"ID: there is no plan {number}; `isthmus plans list --all` lists them")
    if plan.state == "expired" and "expired" not in states:
        raise ConfigError(f"ID: plan {number} expired; `isthmus reconcile {plan.connection}` judges its records again")
    if plan.state not in states:
        raise ConfigError(f"ID: plan {number} is {plan.state}; only a stopped plan can be decided")
    return plan


def _tell(done: "Decided", number: int, what: str, *, json: bool) -> None:
    plan = _stopped(done.plan, number, ()) if not done.is_done or done.plan is None else done.plan
    _show(plan, done.n, f"{what}; {_summary(plan)}", json=json)


def _show(plan: "StoppedPlan", n: int, line: str, *, json: bool, is_dry_run: bool = False) -> None:
    from isthmus.cli import show

    if json:
        show.print_json({"plan": _document(plan), "records": n, "dry_run": is_dry_run})
    else:
        show.make_lines(f"plan {plan.id}: {line}")


def _summary(plan: "StoppedPlan") -> str:
    from isthmus.flows.safety import judge

    return judge.plan_summary(plan.groups) or "–"


def _document(plan: "StoppedPlan") -> dict[str, Any]:
    from isthmus.kit.money import from_mills

    return {
        "id": plan.id,
        "connection": plan.connection,
        "source": plan.source,
        "run": plan.run,
        "state": plan.state,
        "started_at": plan.started_at,
        "judged_at": plan.judged_at,
        "expires_at": plan.expires_at,
        "decided_at": plan.decided_at,
        "decided_by": plan.decided_by,
        "changes": [
            {
                "store": one.store,
                "kind": one.kind,
                "cause": str(one.cause),
                "records": one.n,
                "sent": one.n_sent,
                "net": from_mills(one.net_mills),
                "currency": one.currency,
                "net_90_days": from_mills(one.net_90d_mills),
                "changed_24_hours": one.recent[0].n,
                "changed_7_days": one.recent[1].n,
                "examples": list(one.examples),
            }
            for one in plan.groups
        ],
    }
