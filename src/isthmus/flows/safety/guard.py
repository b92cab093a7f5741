"""Event by event: what a batch infers is counted before it is carried out, and stops at the limit.

Only readings that found nothing and repairs of our own cost anything here: what a body or a reading states passes
without a question to the database.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby

from msgspec import Struct

from isthmus.db.pool import Tx
from isthmus.flows.change import RecordTransition
from isthmus.flows.context import ConnectionContext
from isthmus.flows.parse_events import ParsedUpdate
from isthmus.flows.safety import judge
from isthmus.model.event import EventOutcome, EventState
from isthmus.model.lane import Lane
from isthmus.records.sql.store import Key, StoredRecord
from isthmus.safety.limits import EXPIRES_AFTER, STATED_BY, PlanCause, count_within_limit
from isthmus.safety.sql import changes, plans
from isthmus.safety.sql.changes import Before, ChangedWrite, RecordChange
from isthmus.safety.sql.plans import PlanItem, Record, Released, StoppedPlan

REPAIR = "repair/"

KEPT_AS_IT_IS = "kept as it is: undone or refused, and its shop has stated nothing new"


class GuardedRecord(Struct, frozen=True):
    """A record whose change is to be journaled, as it was before: `released` by a plan, or within the limit."""

    key: Key
    kept: StoredRecord | None
    released: Released | None
    net_mills: int = 0


class Guarded(Struct, frozen=True):
    """A batch without what must wait: its words, the ends of the others, and what is to be journaled."""

    words: Sequence[ParsedUpdate]
    outcomes: Sequence[EventOutcome] = ()
    watched: Sequence[GuardedRecord] = ()
    writes: Sequence[Before] = ()
    sales: Mapping[Record, bytes] = {}


def guard_batch(
    tx: Tx, context: ConnectionContext, words: Sequence[ParsedUpdate], known: Mapping[Key, StoredRecord], now: datetime
) -> Guarded:
    """Take out of a batch what is inferred and over the limit, and what is to stay as it is."""
    absent = {w.key for w in words if w.is_absent and (one := known.get(w.key)) is not None and not one.known.is_gone}
    ours = {w.key for w in words if w.is_remap or w.event.topic.startswith(REPAIR)}
    if not absent and not ours:
        return Guarded(words)
    records = sorted({record_ref(key) for key in absent | ours})
    standing = plans.lookup_records(tx, context.connection, records, now - EXPIRES_AFTER)
    released = {record: one.released for record, one in standing.items() if one.released is not None}
    pinned = {record for record, one in standing.items() if one.is_pinned and one.released is None}
    stated = {w.key for w in words if w.event.topic in STATED_BY}
    watched = {
        key: GuardedRecord(key, known.get(key), released[record_ref(key)])
        for key in sorted(absent | ours)
        if record_ref(key) in released
    }
    if told := [record_ref(key) for key in sorted(absent & stated)]:
        judge.close_empty_plans(
            tx, context, plans.drop_waiting(tx, context.connection, told), now, "the shop stated it"
        )
    inferred = sorted(key for key in absent - stated if not _may_go(released.get(record_ref(key))))
    held = {key: KEPT_AS_IT_IS for key in inferred if record_ref(key) in pinned}
    for _, some in groupby([key for key in inferred if key not in held], key=lambda key: key[:2]):
        passed, waits = _judge(tx, context, list(some), now)
        held |= waits
        watched |= {key: GuardedRecord(key, known.get(key), None, net) for key, net in passed.items()}
    let_go = [record_ref(one.key) for one in watched.values() if one.released]
    before = changes.outbox_rows_of(tx, context.connection, let_go)
    sales = changes.order_totals_of(tx, context.connection, let_go)
    kept: list[ParsedUpdate] = []
    outcomes: list[EventOutcome] = []
    for word in words:
        why = held.get(word.key) if word.is_absent else None
        if word.is_remap and word.event.lane is not Lane.REALTIME:
            why = KEPT_AS_IT_IS if record_ref(word.key) in pinned else why
        if why is None:
            kept.append(word)
        else:
            outcomes.append(EventOutcome(word.event.id, EventState.SKIPPED, why, f"{word.key[0]}:{word.key[2]}"))
    return Guarded(kept, outcomes, list(watched.values()), before, sales)


def journal_changes(
    tx: Tx, context: ConnectionContext, guarded: Guarded, made: Sequence[RecordTransition], now: datetime
) -> None:
    """Journal what was inferred, and what a plan let go, with what it was before."""
    if not guarded.watched:
        return
    changed = {change.key: change for change in made}
    told = [record_ref(one.key) for one in guarded.watched if one.released]
    after = {(w.kind, w.id): w for w in changes.outbox_rows_of(tx, context.connection, told)}
    before = {(w.kind, w.id): w for w in guarded.writes}
    entries: list[RecordChange] = []
    writes: list[list[ChangedWrite]] = []
    for one in guarded.watched:
        record, change = record_ref(one.key), changed.get(one.key)
        moved = [
            _changed(key, before.get(key), after.get(key))
            for key in sorted(before.keys() | after.keys())
            if _record(after.get(key) or before[key]) == record and _differs(before.get(key), after.get(key))
        ]
        if change is None or (change.is_remap and not moved):
            continue
        entries.append(_entry(context, one, change, guarded.sales.get(record), now))
        writes.append(moved)
    numbers = changes.insert_changes(tx, context.connection, entries)
    changes.insert_earlier_writes(
        tx,
        context.connection,
        [
            ChangedWrite(
                change=number,
                kind=w.kind,
                id=w.id,
                body=w.body,
                desired=w.desired,
                excluded=w.excluded,
                is_new=w.is_new,
                after=w.after,
            )
            for number, some in zip(numbers, writes, strict=True)
            for w in some
        ],
    )
    if told:
        plans.mark_done(tx, context.connection, told)


def record_ref(key: Key) -> Record:
    """A record as plans name it."""
    return key[1], f"{key[0]}:{key[2]}"


# -- below: judge ------------------------------------------------------------------------------------------------------


def _may_go(released: Released | None) -> bool:
    """Whether a person, or the judgement of a whole plan, has let this absence go."""
    return released is not None and released.cause == PlanCause.ABSENCE


def _judge(
    tx: Tx, context: ConnectionContext, keys: Sequence[Key], now: datetime
) -> tuple[dict[Key, int], dict[Key, str]]:
    """Of records of one kind and store that seem gone: which may go, with the net they hold, and why others wait."""
    kind, store = keys[0][:2]
    records = [record_ref(key) for key in keys]
    sent = changes.filter_sent(tx, context.connection, records)
    mine = [key for key in keys if record_ref(key) in sent]
    if not mine:
        return {}, {}
    changes.lock_connection(tx, context.connection)
    stopped = judge.find_stopped_plan(tx, context, store, kind, PlanCause.ABSENCE)
    opted_in = changes.filter_opted_in(tx, context.connection, records) if kind == "customer" else set()
    nets = changes.net_of_orders(tx, context.connection, records)
    group = judge.change_group(tx, context, store, kind, PlanCause.ABSENCE, now)
    singly = [key for key in mine if record_ref(key) not in opted_in]
    n = 0 if stopped else count_within_limit(group, [nets.get(record_ref(key), 0) for key in singly], context.max_share)
    passed = {key: nets.get(record_ref(key), 0) for key in singly[:n]}
    over = singly[n:]
    waits: dict[Key, str] = {}
    if over or (stopped and opted_in):
        plan = stopped or plans.create_plan(tx, context.connection, "events", now)
        waits |= _hold(
            tx, context, plan, over if stopped is None else [*over, *(k for k in mine if k not in singly)], nets
        )
        judge.stop_plan(tx, context, plan, now)
    if opted_in and not stopped:
        # An opt-out is inferred of nobody event by event: these are judged together.
        gathering = plans.open_plans(tx, context.connection, "events", ["gathering"])
        plan = gathering[0] if gathering else plans.create_plan(tx, context.connection, "events", now)
        waits |= _hold(tx, context, plan, [key for key in mine if key not in singly], nets)
    return passed, waits


def _hold(
    tx: Tx, context: ConnectionContext, plan: StoppedPlan, keys: Sequence[Key], nets: Mapping[Record, int]
) -> dict[Key, str]:
    items = [
        PlanItem(
            store=key[1],
            subject=f"{key[0]}:{key[2]}",
            kind=key[0],
            repair="read",
            cause=PlanCause.ABSENCE,
            code="integration.missed_deletion",
            net_mills=nets.get(record_ref(key), 0),
            state="held",
        )
        for key in keys
    ]
    plans.add_items(tx, context.connection, plan.id, items)
    return dict.fromkeys(keys, f"seems gone; waits in plan {plan.id}")


# -- below: journal ----------------------------------------------------------------------------------------------------


def _entry(
    context: ConnectionContext, one: GuardedRecord, change: RecordTransition, sale: bytes | None, now: datetime
) -> RecordChange:
    record, kept, released = record_ref(one.key), one.kept, one.released
    body = change.before if released is not None else None
    return RecordChange(
        store=record[0],
        subject=record[1],
        kind=one.key[0],
        cause=released.cause or "stated" if released else PlanCause.ABSENCE,
        at=now,
        run=released.run if released else None,
        net_mills=released.net_mills if released else one.net_mills,
        is_counted=released.is_counted if released else True,
        body=context.packer.pack(judge.record_as_json(body)) if body is not None else None,
        hash=kept.hash if kept else None,
        was_gone=kept is not None and kept.known.is_gone,
        sale=sale,
        after_hash=None if change.is_gone else judge.content_hash_of(change, kept),
    )


def _record(write: Before) -> Record:
    return write.store, write.subject


def _differs(before: Before | None, after: Before | None) -> bool:
    return before is None or after is None or (before.desired, before.excluded) != (after.desired, after.excluded)


def _changed(key: tuple[str, str], before: Before | None, after: Before | None) -> ChangedWrite:
    return ChangedWrite(
        change=0,
        kind=key[0],
        id=key[1],
        body=before.body if before else None,
        desired=before.desired if before else None,
        excluded=before.excluded if before else None,
        is_new=before is None,
        after=after.desired if after else None,
    )
