"""Merge by rule whoever is surely one, within what may change without a person; more than that is a plan."""

from collections.abc import Sequence
from datetime import datetime

from isthmus.db.pool import Database, Tx
from isthmus.flows.context import ConnectionContext
from isthmus.flows.merges import candidates
from isthmus.flows.merges.candidates import ReviewedCandidate
from isthmus.flows.safety import judge
from isthmus.identity.sql import merges
from isthmus.kit.ids import claim_id
from isthmus.runs.sql import run_journal as journal
from isthmus.safety.limits import PlanCause
from isthmus.safety.sql import changes, plans
from isthmus.safety.sql.changes import RecordChange
from isthmus.safety.sql.plans import PlanItem

SOURCE = "merges"
RULE = "rule"

MOST_WAITING = 1_000_000


def queue_by_rule(db: Database, context: ConnectionContext, wanted: Sequence[ReviewedCandidate]) -> int:
    """Queue these merges, all or, over the limit, none; how many were queued."""
    now = context.clock.now()
    with db.transaction() as tx:
        new = _new(tx, context, wanted)
        older = [one.id for one in plans.open_plans(tx, context.connection, SOURCE)]
        for number in older:
            plans.move_items(tx, context.connection, number, ["planned", "held"], "dropped")
        judge.close_empty_plans(tx, context, older, now, "a later look")
        if not new:
            return 0
        plan = plans.create_plan(tx, context.connection, SOURCE, now, _run(tx, context, now))
        plans.add_items(tx, context.connection, plan.id, [_item(one) for one in new])
        if not judge.judge_plan(tx, context, plan, now):
            return 0
    return queue_and_journal(db, context, new, RULE, plan.run, is_counted=True)


def queue_and_journal(
    db: Database,
    context: ConnectionContext,
    chosen: Sequence[ReviewedCandidate],
    by: str,
    run: int | None,
    *,
    is_counted: bool,
) -> int:
    """Queue these merges, and journal each: what is merged cannot be taken back."""
    n = 0
    for one in chosen:
        if candidates.queue_merge(db, context, one, by) is None:
            continue
        n += 1
        entry = RecordChange(
            store=one.loser.account[0],
            subject=f"customer:{one.loser.account[1]}",
            kind="customer",
            cause=PlanCause.MERGE,
            at=context.clock.now(),
            run=run,
            is_counted=is_counted,
        )
        with db.transaction() as tx:
            changes.insert_changes(tx, context.connection, [entry])
            plans.mark_done(tx, context.connection, [(entry.store, entry.subject)])
    return n


def candidate_numbers(items: Sequence[PlanItem]) -> list[int]:
    """The candidates behind the records of a plan."""
    return [int(one.repair.partition(":")[2]) for one in items if one.repair.startswith("merge:")]


def _new(tx: Tx, context: ConnectionContext, wanted: Sequence[ReviewedCandidate]) -> list[ReviewedCandidate]:
    """Those that do not wait already, and that nobody has refused."""
    waiting = {
        one.loser
        for one in merges.list_merges(tx, context.connection, MOST_WAITING)
        if one.state in ("wanted", "asked")
    }
    refused = plans.refused_repairs(tx, context.connection, SOURCE)
    return [one for one in wanted if one.loser.account not in waiting and f"merge:{one.number}" not in refused]


def _item(one: ReviewedCandidate) -> PlanItem:
    store, number = one.loser.account
    return PlanItem(
        store=store, subject=f"customer:{number}", kind="customer", cause=PlanCause.MERGE, repair=f"merge:{one.number}"
    )


def _run(tx: Tx, context: ConnectionContext, now: datetime) -> int:
    """A run of the journal, by whose number one can ask how far it can be put back."""
    claim = claim_id()
    run = journal.acquire_run(tx, context.connection, SOURCE, {"by": RULE}, claim, now, anew=True)
    assert run is not None  # noqa: S101 - these runs are begun and ended in one transaction
    journal.finish_run(tx, context.connection, run.id, claim, now, {})
    return run.id
