"""Map again what is known of a store, since the rules that map it were changed."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from isthmus.db.pool import Database, Tx
from isthmus.flows import enrich
from isthmus.flows.context import ConnectionContext
from isthmus.flows.map_trial import map_without_saving
from isthmus.flows.poll import KINDS
from isthmus.flows.safety import judge
from isthmus.kit.ids import claim_id
from isthmus.mapping.rules import Rules
from isthmus.records.sql import store as records
from isthmus.runs.sql import run_journal as journal
from isthmus.runs.sql import scan_cursors as rounds
from isthmus.runs.sql import watermarks as runs
from isthmus.runs.sql.watermarks import Mark
from isthmus.safety.limits import PlanCause
from isthmus.safety.sql import changes, plans
from isthmus.safety.sql.plans import PlanItem, Record, StoppedPlan

AT_ONCE = 1_000
"""Records of one page."""

TRIED_AT_ONCE = 200
"""Records mapped on trial in one transaction, whose locks the pipeline waits for."""

WHAT = "remap"
"""What its runs are called in the journal."""

FELT_AFTER = timedelta(seconds=10)
"""By then every process maps by the new rules, so that nothing new is mapped by the old ones behind our back."""


def mapping_differs(before: Rules, after: Rules) -> bool:
    """Whether any record would be mapped otherwise. What only moments obey changes none that happened already."""
    return [getattr(before, name) for name in _OF_RECORDS] != [getattr(after, name) for name in _OF_RECORDS]


_OF_RECORDS = [
    name
    for name in Rules.__struct_fields__
    if name
    not in (
        "event_names",
        "event_max_age",
        "live_since",
        "tolerates",
        "hash_key",
    )
]


def request_remap(tx: Tx, connection: str, store: str, now: datetime) -> None:
    """Note that everything of this store must be mapped again, from the first record on."""
    names = [f"remap:{kind}" for kind in KINDS]
    # What was planned by the rules before is not carried out.
    plans.forget_planned(tx, connection, WHAT, store)
    runs.restart_loads(tx, connection, store, names)
    runs.create_watermarks(tx, connection, store, names, now)
    # A custom field that is mapped again was never read of anybody.
    rounds.restart_scans(tx, connection, store, enrich.scan_names())
    rounds.restart_scans(tx, connection, "", enrich.scan_names())


def is_remap_requested(marks: Mapping[tuple[str, str], Mark], now: datetime) -> bool:
    """Whether there is a page to do."""
    return _next(marks, now) is not None


def is_remap_requested_for(marks: Mapping[tuple[str, str], Mark], store: str, kind: str) -> bool:
    """Whether records of this kind of a store may still be desired by the rules before."""
    mark = marks.get((store, f"remap:{kind}"))
    return mark is not None and mark.done_at is None


def remap_page(db: Database, context: ConnectionContext) -> int:
    """Map one page on trial and plan what would be sent otherwise; how many pages were done.

    Nothing is changed before everything was looked at: the last page's transaction judges the whole plan, which is
    carried out on the backfill lane, where nothing is a moment or a welcome, or stops (SEMANTICS 1, blast radius).
    """
    now = context.clock.now()
    with db.transaction() as tx:
        mark = _next(runs.load_watermarks(tx, context.connection), now)
        if mark is None:
            return 0
        kind = mark.name.removeprefix("remap:")
        page = records.record_ids(tx, context.connection, kind, mark.store, mark.cursor or "", AT_ONCE)
    unlike = _unlike(db, context, mark.store, kind, page) if page and mark.store in context.shops else []
    with db.transaction() as tx:
        now_at = runs.load_watermarks(tx, context.connection).get((mark.store, mark.name))
        if now_at is None or (now_at.cursor, now_at.done_at, now_at.at) != (mark.cursor, None, mark.at):
            return 1  # another process did this page, or it was asked for again
        plan = _gathering(tx, context, now)
        plans.add_items(tx, context.connection, plan.id, _items(tx, context, mark.store, kind, unlike))
        cursor = page[-1] if len(page) == AT_ONCE else None
        runs.save_cursor(tx, context.connection, mark.store, mark.name, cursor, len(page), now)
        if not any(
            m.name.startswith("remap:") and m.done_at is None
            for m in runs.load_watermarks(tx, context.connection).values()
        ):
            _conclude(tx, context, plan, now)
    return 1


def _unlike(db: Database, context: ConnectionContext, store: str, kind: str, names: Sequence[str]) -> list[str]:
    """Of these records those that would be sent otherwise."""
    found: set[str] = set()
    for first in range(0, len(names), TRIED_AT_ONCE):
        trial, _ = map_without_saving(db, context, store, kind, names[first : first + TRIED_AT_ONCE], lambda _: None)
        found |= {subject for key in trial.unlike() if (subject := trial.after[key].subject)}
    return sorted(found)


def _items(tx: Tx, context: ConnectionContext, store: str, kind: str, subjects: Sequence[str]) -> list[PlanItem]:
    """What would be sent otherwise, as records of a plan; a change of what was never sent reaches nobody."""
    sent = changes.filter_sent(tx, context.connection, [(store, one) for one in subjects])
    nets = changes.net_of_orders(tx, context.connection, [(store, one) for one in subjects])
    return [
        PlanItem(
            store=store,
            subject=one,
            kind=kind,
            repair="map",
            code="integration.stale_mapping",
            cause=PlanCause.RULES if (store, one) in sent else "",
            net_mills=nets.get((store, one), 0),
        )
        for one in subjects
    ]


def _gathering(tx: Tx, context: ConnectionContext, now: datetime) -> StoppedPlan:
    found = plans.open_plans(tx, context.connection, WHAT, ["gathering"])
    return found[0] if found else plans.create_plan(tx, context.connection, WHAT, now)


def _conclude(tx: Tx, context: ConnectionContext, plan: StoppedPlan, now: datetime) -> None:
    """Judge the whole plan, as a run of the journal by whose number it is undone."""
    claim = claim_id()
    run = journal.acquire_run(tx, context.connection, WHAT, {"plan": plan.id}, claim, now, anew=True)
    assert run is not None  # noqa: S101 - these runs are begun and ended in one transaction
    plans.set_run(tx, context.connection, plan.id, run.id)
    emptied = plans.drop_waiting(tx, context.connection, _all(tx, context, plan), but=plan.id)
    judge.close_empty_plans(tx, context, emptied, now, "mapped by new rules")
    is_done = judge.judge_plan(tx, context, plan, now)
    journal.finish_run(tx, context.connection, run.id, claim, now, {"plan": plan.id, "is_stopped": not is_done})


def _all(tx: Tx, context: ConnectionContext, plan: StoppedPlan) -> list[Record]:
    items = plans.list_items(tx, context.connection, plan.id, ["planned"], limit=10_000_000)
    return [(one.store, one.subject) for one in items]


def _next(marks: Mapping[tuple[str, str], Mark], now: datetime) -> Mark | None:
    return next(
        (
            mark
            for _, mark in sorted(marks.items())
            if mark.name.startswith("remap:")
            and mark.done_at is None
            and mark.at is not None
            and mark.at + FELT_AFTER <= now
        ),
        None,
    )
