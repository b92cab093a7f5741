"""Judge a plan: count it, carry it out or stop it, and open the one case of what was stopped."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Tx
from isthmus.flows.change import RecordTransition
from isthmus.flows.context import ConnectionContext
from isthmus.flows.parse_events import REMAP
from isthmus.inbox.sql import events as inbox
from isthmus.kit.money import from_mills
from isthmus.model.event import RefetchRequest
from isthmus.model.lane import Lane
from isthmus.records.sql import store as records
from isthmus.records.sql.store import Canonical, StoredRecord
from isthmus.safety.limits import EXPIRES_AFTER, ChangeGroup, PlanCause, reason_to_stop
from isthmus.safety.sql import changes, plans
from isthmus.safety.sql.plans import PlanItem, StoppedPlan

STOPPED = "integration.plan_stopped"

AT_ONCE = 1_000
"""Records put back into the pipeline in one statement."""


def change_group(
    tx: Tx, context: ConnectionContext, store: str, kind: str, cause: PlanCause, now: datetime, plan: int | None = None
) -> ChangeGroup:
    """What was changed lately by this cause or is about to be, but by this plan, and what the limit is a share of;
    nothing to change yet.
    """
    net, currency = changes.net_of_store(tx, context.connection, store, now) if kind == "order" else (0, None)
    return ChangeGroup(
        store=store,
        kind=kind,
        cause=cause,
        n=0,
        n_sent=changes.count_sent(tx, context.connection, store, kind),
        net_90d_mills=net,
        currency=currency,
        recent=changes.recent_changes(tx, context.connection, store, kind, cause, now, plan),
    )


def change_groups(tx: Tx, context: ConnectionContext, plan: int, now: datetime) -> list[ChangeGroup]:
    """What a plan would change by inference or rule, counted now."""
    return [
        replace(
            change_group(tx, context, store, kind, PlanCause(cause), now, plan),
            n=n,
            net_mills=net,
            examples=tuple(examples),
        )
        for store, kind, cause, n, net, examples in plans.count_items(tx, context.connection, plan)
    ]


def find_stopped_plan(
    tx: Tx, context: ConnectionContext, store: str, kind: str, cause: PlanCause
) -> StoppedPlan | None:
    """The stopped plan of changes event by event that further ones of this sort join."""
    for plan in plans.open_plans(tx, context.connection, "events", ["stopped"]):
        if any((one.store, one.kind, one.cause) == (store, kind, cause) for one in plan.groups):
            return plan
    return None


def judge_plan(tx: Tx, context: ConnectionContext, plan: StoppedPlan, now: datetime) -> bool:
    """Judge a whole plan: carried out where nothing of it is over the limit, else stopped; whether it was carried out.

    What a reading stated, and records that were never sent, are carried out either way.
    """
    changes.lock_connection(tx, context.connection)
    found = change_groups(tx, context, plan.id, now)
    if any(reason_to_stop(one, context.max_share) for one in found):
        plans.move_items(tx, context.connection, plan.id, ["planned"], "held", guarded_only=True)
        stop_plan(tx, context, plan, now)
        release_records(tx, context, plan, now, ["planned"])
        return False
    plans.save_judgement(tx, context.connection, plan.id, "carried_out", found, now)
    release_records(tx, context, plan, now, ["planned", "held"])
    return True


def stop_plan(tx: Tx, context: ConnectionContext, plan: StoppedPlan, now: datetime) -> None:
    """What a plan holds waits for a person: one case, with counts, money and examples."""
    found = change_groups(tx, context, plan.id, now)
    told = {(one.store, one.kind, one.cause): one.n_told for one in plan.groups} if plan.state == "stopped" else None
    found = [
        replace(one, n_told=one.n if told is None else told.get((one.store, one.kind, one.cause), 0)) for one in found
    ]
    expires_at = plan.expires_at or now + EXPIRES_AFTER
    plans.save_judgement(tx, context.connection, plan.id, "stopped", found, now, expires_at)
    detail = f"{plan_summary(found)}; confirm or refuse before {expires_at:%Y-%m-%d %H:%M} UTC"
    if plan.state == "stopped" and has_plan_grown(found):
        detail = (
            f"{plan_summary(found)}; confirm or refuse before {expires_at:%Y-%m-%d %H:%M} UTC, more were found since"
        )
    cases.open_or_count(tx, context.connection, [Touch(STOPPED, f"plan:{plan.id}", "", detail)], now)


def count_records(found: Sequence[ChangeGroup]) -> int:
    """How many records a plan would change."""
    return sum(one.n for one in found)


def has_plan_grown(found: Sequence[ChangeGroup]) -> bool:
    """Whether a plan holds more than when it was first stopped, and a person was told."""
    return any(one.n > one.n_told for one in found)


def plan_summary(found: Sequence[ChangeGroup]) -> str:
    """What a plan would change, in one line: counts, money, examples; nobody's data."""
    return "; ".join(
        f"{one.n} of {one.n_sent} {one.kind}s of {one.store} by {one.cause}"
        + (f", net {from_mills(one.net_mills)} {one.currency or ''}".rstrip() if one.kind == "order" else "")
        + (f" (such as {', '.join(one.examples)})" if one.examples else "")
        for one in found
    )


def release_records(tx: Tx, context: ConnectionContext, plan: StoppedPlan, now: datetime, states: Sequence[str]) -> int:
    """Let the records of a plan that are in these states go, each by its own repair; how many."""
    n, after = 0, ("", "")
    while True:
        items = plans.list_items(tx, context.connection, plan.id, states, after, AT_ONCE)
        _put_on_the_road(tx, context, items, Lane.BACKFILL if plan.source == "remap" else Lane.REPAIR, now)
        plans.move_items(
            tx, context.connection, plan.id, states, "released", [(one.store, one.subject) for one in items]
        )
        n += len(items)
        if len(items) < AT_ONCE:
            return n
        after = (items[-1].store, items[-1].subject)


def close_empty_plans(tx: Tx, context: ConnectionContext, emptied: Sequence[int], now: datetime, by: str) -> None:
    """Plans of which nothing is left are over, and so are their cases."""
    for number in emptied:
        plans.save_decision(tx, context.connection, number, "superseded", now, by)
    if emptied:
        close_plan_cases(tx, context.connection, emptied, now, by)


def close_plan_cases(tx: Tx, connection: str, numbers: Sequence[int], now: datetime, by: str) -> None:
    """The cases of these plans are over."""
    subjects = [f"plan:{number}" for number in numbers]
    cases.resolve_by_code(
        tx, connection, STOPPED, now, by=by, subjects=subjects, note="the plan was decided or judged again"
    )


def _put_on_the_road(tx: Tx, context: ConnectionContext, items: Sequence[PlanItem], lane: Lane, now: datetime) -> None:
    hints: dict[str, list[RefetchRequest]] = {}
    for one in items:
        if one.store not in context.shops:
            continue
        for repair in one.repair.split("+"):
            if repair == "read":
                hints.setdefault(one.store, []).append(RefetchRequest(f"repair/{one.kind}", one.subject, lane, now))
            elif repair == "map":
                hints.setdefault(one.store, []).append(RefetchRequest(REMAP, one.subject, lane, now))
    for store, some in sorted(hints.items()):
        inbox.enqueue_internal(tx, context.connection, store, some, now)


# A record as the journal keeps it -------------------------------------------------------------------------------------


def record_as_json(record: Canonical) -> bytes:
    """The record as JSON."""
    return records.encode_record(record)[0]


def content_hash_of(change: RecordTransition, kept: StoredRecord | None) -> bytes | None:
    """The content hash of a record as it is after a change."""
    if change.is_remap:
        return kept.hash if kept else None
    if change.encoded is not None:
        return change.encoded[1]
    return records.encode_record(change.after)[1] if change.after is not None else None
