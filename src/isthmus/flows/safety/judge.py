"""Judge a plan: count it, carry it out or stop it, and open the one case of what was stopped."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from isthmus.cases import sql as cases
from isthmus.cases.sql import Touch
from isthmus.db.pool import Tx
from isthmus.flows.change import Change
from isthmus.flows.road import Road
from isthmus.flows.told import REMAP
from isthmus.inbox import sql as inbox
from isthmus.kit.money import from_mills
from isthmus.model.event import Hint
from isthmus.model.lane import Lane
from isthmus.records import sql as records
from isthmus.records.sql import Canonical, Kept
from isthmus.safety.changes import sql as changes
from isthmus.safety.limits import EXPIRES_AFTER, Group, PlanCause, reason_to_stop
from isthmus.safety.plans import sql as plans
from isthmus.safety.plans.sql import Item, Plan

STOPPED = "integration.plan_stopped"

AT_ONCE = 1_000
"""Records put back on the road in one statement."""


def group(tx: Tx, road: Road, store: str, kind: str, cause: PlanCause, now: datetime, plan: int | None = None) -> Group:
    """What was changed lately by this cause or is about to be, but by this plan, and what the limit is a share of;
    nothing to change yet.
    """
    net, currency = changes.net_of_store(tx, road.connection, store, now) if kind == "order" else (0, None)
    return Group(
        store=store,
        kind=kind,
        cause=cause,
        n=0,
        n_sent=changes.n_sent(tx, road.connection, store, kind),
        net_90d_mills=net,
        currency=currency,
        recent=changes.recent(tx, road.connection, store, kind, cause, now, plan),
    )


def groups(tx: Tx, road: Road, plan: int, now: datetime) -> list[Group]:
    """What a plan would change by inference or rule, counted now."""
    return [
        replace(group(tx, road, store, kind, PlanCause(cause), now, plan), n=n, net_mills=net, examples=tuple(examples))
        for store, kind, cause, n, net, examples in plans.counted(tx, road.connection, plan)
    ]


def stopped_for(tx: Tx, road: Road, store: str, kind: str, cause: PlanCause) -> Plan | None:
    """The stopped plan of changes event by event that further ones of this sort join."""
    for plan in plans.open_plans(tx, road.connection, "events", ["stopped"]):
        if any((one.store, one.kind, one.cause) == (store, kind, cause) for one in plan.groups):
            return plan
    return None


def judge(tx: Tx, road: Road, plan: Plan, now: datetime) -> bool:
    """Judge a whole plan: carried out where nothing of it is over the limit, else stopped; whether it was carried out.

    What a reading stated, and records that were never sent, are carried out either way.
    """
    changes.lock(tx, road.connection)
    found = groups(tx, road, plan.id, now)
    if any(reason_to_stop(one, road.max_share) for one in found):
        plans.turn(tx, road.connection, plan.id, ["planned"], "held", guarded_only=True)
        stop(tx, road, plan, now)
        release(tx, road, plan, now, ["planned"])
        return False
    plans.judge(tx, road.connection, plan.id, "carried_out", found, now)
    release(tx, road, plan, now, ["planned", "held"])
    return True


def stop(tx: Tx, road: Road, plan: Plan, now: datetime) -> None:
    """What a plan holds waits for a person: one case, with counts, money and examples."""
    found = groups(tx, road, plan.id, now)
    told = {(one.store, one.kind, one.cause): one.n_told for one in plan.groups} if plan.state == "stopped" else None
    found = [
        replace(one, n_told=one.n if told is None else told.get((one.store, one.kind, one.cause), 0)) for one in found
    ]
    expires_at = plan.expires_at or now + EXPIRES_AFTER
    plans.judge(tx, road.connection, plan.id, "stopped", found, now, expires_at)
    detail = f"{summary(found)}; confirm or refuse before {expires_at:%Y-%m-%d %H:%M} UTC"
    if plan.state == "stopped" and has_grown(found):
        detail = f"{summary(found)}; confirm or refuse before {expires_at:%Y-%m-%d %H:%M} UTC, more were found since"
    cases.touch(tx, road.connection, [Touch(STOPPED, f"plan:{plan.id}", "", detail)], now)


def n_records(found: Sequence[Group]) -> int:
    """How many records a plan would change."""
    return sum(one.n for one in found)


def has_grown(found: Sequence[Group]) -> bool:
    """Whether a plan holds more than when it was first stopped, and a person was told."""
    return any(one.n > one.n_told for one in found)


def summary(found: Sequence[Group]) -> str:
    """What a plan would change, in one line: counts, money, examples; nobody's data."""
    return "; ".join(
        f"{one.n} of {one.n_sent} {one.kind}s of {one.store} by {one.cause}"
        + (f", net {from_mills(one.net_mills)} {one.currency or ''}".rstrip() if one.kind == "order" else "")
        + (f" (such as {', '.join(one.examples)})" if one.examples else "")
        for one in found
    )


def release(tx: Tx, road: Road, plan: Plan, now: datetime, states: Sequence[str]) -> int:
    """Let the records of a plan that are in these states go, each by its own repair; how many."""
    n, after = 0, ("", "")
    while True:
        items = plans.items(tx, road.connection, plan.id, states, after, AT_ONCE)
        _put_on_the_road(tx, road, items, Lane.BACKFILL if plan.source == "remap" else Lane.REPAIR, now)
        plans.turn(tx, road.connection, plan.id, states, "released", [(one.store, one.subject) for one in items])
        n += len(items)
        if len(items) < AT_ONCE:
            return n
        after = (items[-1].store, items[-1].subject)


def close_empty(tx: Tx, road: Road, emptied: Sequence[int], now: datetime, by: str) -> None:
    """Plans of which nothing is left are over, and so are their cases."""
    for number in emptied:
        plans.decide(tx, road.connection, number, "superseded", now, by)
    if emptied:
        close_cases(tx, road.connection, emptied, now, by)


def close_cases(tx: Tx, connection: str, numbers: Sequence[int], now: datetime, by: str) -> None:
    """The cases of these plans are over."""
    subjects = [f"plan:{number}" for number in numbers]
    cases.resolve(tx, connection, STOPPED, now, by=by, subjects=subjects, note="the plan was decided or judged again")


def _put_on_the_road(tx: Tx, road: Road, items: Sequence[Item], lane: Lane, now: datetime) -> None:
    hints: dict[str, list[Hint]] = {}
    for one in items:
        if one.store not in road.shops:
            continue
        for repair in one.repair.split("+"):
            if repair == "read":
                hints.setdefault(one.store, []).append(Hint(f"repair/{one.kind}", one.subject, lane, now))
            elif repair == "map":
                hints.setdefault(one.store, []).append(Hint(REMAP, one.subject, lane, now))
    for store, some in sorted(hints.items()):
        inbox.tell(tx, road.connection, store, some, now)


# A record as the journal keeps it -------------------------------------------------------------------------------------


def encode(record: Canonical) -> bytes:
    """The record as JSON."""
    return records.encode(record)[0]


def hash_of(change: Change, kept: Kept | None) -> bytes | None:
    """The content hash of a record as it is after a change."""
    if change.is_remap:
        return kept.hash if kept else None
    if change.encoded is not None:
        return change.encoded[1]
    return records.encode(change.after)[1] if change.after is not None else None
