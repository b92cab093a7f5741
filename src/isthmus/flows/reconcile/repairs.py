"""What a run is going to repair: planned while it concludes, judged as a whole, then carried out or stopped."""

from collections.abc import Sequence
from datetime import datetime

from isthmus.db.pool import Tx
from isthmus.drift.sql import repairs as repaired
from isthmus.flows.context import ConnectionContext
from isthmus.flows.reconcile.evidence import OF_STORE, ReconcileEvidence
from isthmus.flows.reconcile.run_context import RunContext
from isthmus.flows.safety import judge
from isthmus.kit.ids import content_hash
from isthmus.records.sql import store as records
from isthmus.safety.limits import PlanCause
from isthmus.safety.sql import changes, plans
from isthmus.safety.sql.changes import ChangedWrite, RecordChange
from isthmus.safety.sql.plans import PlanItem

SOURCE = "reconcile"

GUARDED = {
    "integration.missed_deletion": PlanCause.ABSENCE,
    "integration.stale_mapping": PlanCause.RULES,
}
"""Findings whose repair changes what nobody stated; of the others a reading states what is right."""

RESENT = "resent"
"""Why a write changed that was sent again: counted towards no limit, since it says what was said before."""

SIDES = ("store", "ours", "platform")


def plan_repairs(
    tx: Tx, context: ConnectionContext, run: int, found: Sequence[tuple[str, str, str, str, str]], now: datetime
) -> None:
    """Plan repairs: (store, subject, kind, code, repair). Nothing of a record that is to stay as it is."""
    records = [(store, subject) for store, subject, *_ in found]
    if not records:
        return
    pinned = plans.filter_pinned(tx, context.connection, records)
    sent = changes.filter_sent(tx, context.connection, records)
    nets = changes.net_of_orders(tx, context.connection, records)
    items = [
        PlanItem(
            store=store,
            subject=subject,
            kind=kind,
            code=code,
            repair=repair,
            cause=GUARDED.get(code, "") if (store, subject) in sent else "",
            net_mills=nets.get((store, subject), 0),
        )
        for store, subject, kind, code, repair in found
        if (store, subject) not in pinned
    ]
    if not items:
        return
    own = plans.plan_of_run(tx, context.connection, run)
    if own is None:
        plans.abandon_plans(tx, context.connection, SOURCE, now)
        own = plans.create_plan(tx, context.connection, SOURCE, now, run)
    plans.add_items(tx, context.connection, own.id, items)


def journal_resent(tx: Tx, held: RunContext, lost: Sequence[ReconcileEvidence]) -> None:
    """Journal what Ometria said of records that are sent again, by its listing or a reading of its own.

    Of one that Ometria does not have there is nothing to put back: it was to be there already.
    """
    entries, writes = [], []
    packer, connection = held.context.packer, held.context.connection
    for one in lost:
        standing, kept, there = one.standing, one.kept, one.there
        if there is None or there.before is None or standing is None or kept is None or kept.record is None:
            continue
        before = packer.unpack(there.before)
        entries.append(
            RecordChange(
                store=one.store,
                subject=one.subject,
                kind=OF_STORE[one.key[0]],
                cause=RESENT,
                at=held.now(),
                run=held.id,
                is_counted=False,
                body=packer.pack(records.encode_record(kept.record)[0]),
                hash=kept.hash,
                after_hash=kept.hash,
            )
        )
        writes.append((one.key, there.before, content_hash(before), standing.desired))
    numbers = changes.insert_changes(tx, connection, entries)
    changes.insert_earlier_writes(
        tx,
        connection,
        [
            ChangedWrite(
                change=number, kind=kind, id=own, body=body, desired=digest, excluded=None, is_new=False, after=after
            )
            for number, ((kind, own), body, digest, after) in zip(numbers, writes, strict=True)
        ],
    )


def apply_repairs(held: RunContext, step: str, cursor: str | None, n: int) -> int:  # noqa: ARG001 - at one go
    """Judge what this run planned as a whole, and carry it out unless it is over the limit; how many records."""
    context, now = held.context, held.now()
    with held.db.transaction() as tx:
        own = plans.plan_of_run(tx, context.connection, held.id)
        if held.asked.repair:
            emptied = plans.drop_covered(tx, context.connection, own.id if own else 0, _covered(held))
            if own is not None:
                records = [(one.store, one.subject) for one in _planned(tx, context, own.id)]
                emptied += plans.drop_waiting(tx, context.connection, records, but=own.id)
            judge.close_empty_plans(tx, context, sorted(set(emptied)), now, f"run {held.id}")
        if own is not None and own.state == "gathering":
            held.is_stopped = not judge.judge_plan(tx, context, own, now)
            held.plan = own.id
            if held.is_stopped:
                repaired.cancel_repairs(tx, context.connection, held.run.started_at)
        held.move(tx, step, None, n)
    held.tell_step(step, n, None, is_done=True)
    return n


def _planned(tx: Tx, context: ConnectionContext, number: int) -> list[PlanItem]:
    return plans.list_items(tx, context.connection, number, ["planned"], limit=1_000_000)


def _covered(held: RunContext) -> list[tuple[str, str]]:
    """What this run has looked at completely, on every side."""
    if not held.asked.is_full:
        return []
    return [
        (store, kind)
        for store in held.stores
        for kind in held.asked.kinds
        if not any(held.is_blind(side, kind, store) for side in SIDES)
    ]
