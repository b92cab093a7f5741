"""What becomes of plans: judged when they have gathered, confirmed or refused by a person, expired when nobody did."""

from datetime import datetime

from msgspec import Struct

from isthmus.db.pool import Database, Tx
from isthmus.flows import duplicates
from isthmus.flows.context import ConnectionContext
from isthmus.flows.merges import by_rule
from isthmus.flows.safety import judge
from isthmus.inbox.sql import events as inbox
from isthmus.model.event import RefetchRequest
from isthmus.model.lane import Lane
from isthmus.safety.sql import plans
from isthmus.safety.sql.plans import StoppedPlan

MOST_MERGES = 100_000

UNDECIDED = "undecided"
"""Who decided a plan that nobody decided."""


class Decided(Struct, frozen=True):
    """What became of a plan: whether it was still to be decided, and of how many records. `has_grown` where it was not
    let go, since it holds other records than the person knows of: `n` is how many now.
    """

    plan: StoppedPlan | None
    n: int = 0
    is_done: bool = False
    has_grown: bool = False


def judge_plans(db: Database, context: ConnectionContext) -> int:
    """Judge what has gathered for long enough, and let expire what nobody decided; how many plans that were."""
    now = context.clock.now()
    n = 0
    with db.transaction() as tx:
        if not is_plan_due(tx, context, now):
            return 0
        for plan in plans.open_plans(tx, context.connection, "events", ["gathering"]):
            if plan.started_at + context.pace.drift_grace <= now:
                judge.judge_plan(tx, context, plan, now)
                n += 1
        for source in ("events", "reconcile", "remap", "merges"):
            for plan in plans.open_plans(tx, context.connection, source, ["stopped"]):
                if plan.expires_at is not None and plan.expires_at <= now:
                    _expire(tx, context, plan, now)
                    n += 1
    return n


def is_plan_due(tx: Tx, context: ConnectionContext, now: datetime) -> bool:
    """Whether there is a plan to judge or to let expire."""
    return plans.is_plan_due(tx, context.connection, now - context.pace.drift_grace, now)


def list_plans(db: Database, connection: str | None, *, every: bool, limit: int) -> list[StoppedPlan]:
    """Plans that a person can decide or, with `every`, all, the newest first."""
    with db.transaction() as tx:
        return plans.list_plans(tx, connection, every=every, limit=limit)


def find_plan(db: Database, number: int) -> StoppedPlan | None:
    """One plan by its number."""
    with db.transaction() as tx:
        return plans.find_plan(tx, number)


def confirm_plan(db: Database, context: ConnectionContext, number: int, by: str, records: int | None = None) -> Decided:
    """A person lets a stopped plan go: each of its records is read or mapped once more before it is changed.

    What was confirmed counts towards no limit. A plan that has grown since people were first told is let go only where
    they say how many `records` it has.
    """
    now = context.clock.now()
    with db.transaction() as tx:
        plan = plans.find_plan(tx, number)
        if plan is None or plan.connection != context.connection or plan.state != "stopped":
            return Decided(plan)
        if plan.expires_at is not None and plan.expires_at <= now:
            _expire(tx, context, plan, now)
            return Decided(plans.find_plan(tx, number))
        n = judge.count_records(plan.groups)
        if (records is None and judge.has_plan_grown(plan.groups)) or (records is not None and records != n):
            return Decided(plan, n, has_grown=True)
        chosen = by_rule.candidate_numbers(
            plans.list_items(tx, context.connection, number, ["held"], limit=MOST_MERGES)
        )
        plans.save_judgement(
            tx, context.connection, number, "confirmed", judge.change_groups(tx, context, number, now), now
        )
        plans.save_decision(tx, context.connection, number, "confirmed", now, by)
        n = judge.release_records(tx, context, plan, now, ["held"])
        judge.close_plan_cases(tx, context.connection, [number], now, by)
        decided = Decided(plans.find_plan(tx, number), n, is_done=True)
    if chosen:
        wanted = [one for one in duplicates.review_candidates(db, context, chosen) if one.may_be_merged]
        by_rule.queue_and_journal(db, context, wanted, by, plan.run, is_counted=False)
    return decided


def refuse_plan(db: Database, number: int, now: datetime, by: str) -> Decided:
    """A person keeps things as they are: no run changes these records, until their shop states something new."""
    with db.transaction() as tx:
        plan = plans.find_plan(tx, number)
        if plan is None or plan.state not in ("stopped", "expired"):
            return Decided(plan)
        n, after = 0, ("", "")
        while items := plans.list_items(tx, plan.connection, number, ["held"], after):
            records = [(one.store, one.subject) for one in items]
            if plan.source != "merges":
                plans.pin_records(tx, plan.connection, records, "refused", by, now)
            n, after = n + len(items), records[-1]
        plans.move_items(tx, plan.connection, number, ["held"], "dropped")
        plans.save_decision(tx, plan.connection, number, "refused", now, by)
        judge.close_plan_cases(tx, plan.connection, [number], now, by)
        return Decided(plans.find_plan(tx, number), n, is_done=True)


def _expire(tx: Tx, context: ConnectionContext, plan: StoppedPlan, now: datetime) -> None:
    """What was inferred event by event is read again, and judged again; a run's records wait for the next run."""
    plans.save_decision(tx, context.connection, plan.id, "expired", now, UNDECIDED)
    if plan.source != "events":
        return
    after = ("", "")
    while items := plans.list_items(tx, context.connection, plan.id, ["held"], after):
        for store in sorted({one.store for one in items} & set(context.shops)):
            hints = [RefetchRequest(f"poll/{x.kind}", x.subject, Lane.REPAIR, now) for x in items if x.store == store]
            inbox.enqueue_internal(tx, context.connection, store, hints, now)
        after = (items[-1].store, items[-1].subject)
    plans.move_items(tx, context.connection, plan.id, ["held"], "dropped")
    judge.close_plan_cases(tx, context.connection, [plan.id], now, "expired; its records are read again")
