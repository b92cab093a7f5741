"""Reprocess events and records because a person asks for it.

Four things can go again: an event that ended, whose body is parsed again (in an event of its own, unless it had failed:
the first outcome of an event stays); a record, which is mapped again from what is known of it or read again from its
store; a dead letter, which is sent as it is; a write that was applied, where a comparison found that Ometria lacks it
or has something else. In state mode nothing of this is ever a moment: it travels on the repair lane, where no moment is
made.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Case
from isthmus.db.pool import Database, Tx
from isthmus.flows import out_of_sight, parse_events
from isthmus.flows.context import ConnectionContext
from isthmus.flows.parse_events import REMAP
from isthmus.flows.reconcile import scan_platform
from isthmus.inbox.sql import events as inbox
from isthmus.model.event import Event, EventState, RefetchRequest
from isthmus.model.failure import Failure
from isthmus.model.lane import Lane
from isthmus.model.write import PERMITTING, RecordKind
from isthmus.outbox.sql import queue as outbox
from isthmus.outbox.sql import readback as proof
from isthmus.outbox.sql.readback import Applied
from isthmus.safety.sql import plans

FAILED = (EventState.BURIED, EventState.PARKED)

AT_ONCE = 1_000
"""Events of one replay: enough for a bad hour, little enough to be rehearsed in one transaction."""

READABLE = ("order", "customer", "product")
"""Kinds of record that can be mapped or read again."""


DUTIES = "privacy."
"""Cases that ask something of a person and hold nothing up."""


DIFFERENT = ("platform.not_applied", "platform.differs", "platform.overwritten", "integration.repair_returns")
"""Cases of a write that was applied and is not there, or not as it was sent."""

AMBIGUOUS = "platform.ambiguous_moment"


class Selection(Struct, frozen=True, kw_only=True):
    """What goes again. With neither events nor subjects: whatever ended in these states, since then, in that store.

    `subjects` are named as their store does: order:123. `is_read` reads them again instead of mapping what is known.
    `with_moments` lets what the events tell fire, as if they had just come.
    """

    events: tuple[int, ...] = ()
    subjects: tuple[str, ...] = ()
    store: str | None = None
    since: datetime | None = None
    states: tuple[EventState, ...] = FAILED
    is_read: bool = False
    with_moments: bool = False

    @property
    def lane(self) -> Lane:
        return Lane.REALTIME if self.with_moments else Lane.REPAIR


class Replayed(Struct, frozen=True):
    """How much went back. `n_lost` events have no body any more and name no record: nothing can be done with them.
    `n_again` writes were applied, and go again since Ometria does not have them so; `n_withheld` others do not, since
    that would opt somebody in who is not opted in at Ometria.
    """

    n_events: int = 0
    n_records: int = 0
    n_writes: int = 0
    n_lost: int = 0
    n_withheld: int = 0
    n_again: int = 0

    @property
    def is_nothing(self) -> bool:
        return not (self.n_events or self.n_records or self.n_writes or self.n_again)


def replay_selection(db: Database, context: ConnectionContext, chosen: Selection) -> Replayed:
    """Put what was chosen back into the pipeline."""
    now = context.clock.now()
    with db.transaction() as tx:
        work = select_work(tx, context, chosen)
    again = permitted_resends(context, work.doubted)
    with db.transaction() as tx:
        back = _put_back(tx, context.connection, work, chosen.lane, now)
        n = requeue_doubted(tx, context.connection, again, now)
        return msgspec.structs.replace(back, n_again=n, n_withheld=len(work.doubted) - len(again))


def permitted_resends(context: ConnectionContext | None, doubted: Sequence[Applied]) -> list[Applied]:
    """Of the writes that Ometria does not have as sent those that may go again: a contact only where a reading shows
    that this opts nobody in, which without a context nobody can read.
    """
    return [
        one for one in doubted if one.kind not in PERMITTING or (context is not None and _opts_nobody_in(context, one))
    ]


def requeue_doubted(tx: Tx, connection: str, writes: Sequence[Applied], now: datetime) -> int:
    """Send these again: what Ometria has of them is not what was sent; how many."""
    return proof.requeue_unconfirmed(
        tx, connection, [(RecordKind(one.kind), one.id, one.desired) for one in writes], now
    )


def replay_case(
    db: Database, case_id: int, now: datetime, by: str, context: ConnectionContext | None = None
) -> tuple[Case | None, Replayed]:
    """Put back what a case is about. A later look closes it when the record is right (flows/recheck.py, settlement, the
    next run); until then it stays open, with a note of who replayed it.

    A contact is only sent again where a reading of Ometria shows that this opts nobody in; without a context nobody can
    read. None where there is no such case.
    """
    with db.transaction() as tx:
        case = cases.get_case(tx, case_id)
        if case is None:
            return None, Replayed()
        doubted = _doubted(tx, case)
    again = permitted_resends(context, doubted)
    with db.transaction() as tx:
        work = _decided(tx, case) or _held_by(tx, case)
        back = _put_back(tx, case.connection, work, Lane.REPAIR, now)
        n = requeue_doubted(tx, case.connection, again, now)
        if case.code == AMBIGUOUS:
            n += proof.release_uncertain_event(tx, case.connection, case.subject.partition(":")[2], now)
        back = msgspec.structs.replace(back, n_writes=back.n_writes + n, n_withheld=len(doubted) - len(again))
        if not back.is_nothing:
            cases.mark_replayed(tx, case_id, now, by)
        return case, back


def _doubted(tx: Tx, case: Case) -> list[Applied]:
    """The applied writes that a case says are not there as sent."""
    return proof.applied_records(tx, case.connection, [case.subject]) if case.code in DIFFERENT else []


def _opts_nobody_in(context: ConnectionContext, one: Applied) -> bool:
    """Whether Ometria shows now that sending this contact again would opt nobody in."""
    body = msgspec.json.decode(context.packer.unpack(one.body))
    try:
        found = context.platform.contact(body["@collection"], one.id)
    except Failure:
        return False
    return not scan_platform.is_opting_in(body, found)


# Choose and put back -------------------------------------------------------------------------------------------------


class ReplayWork(Struct):
    """Events to reopen, records to map or read, dead letters to send (by store, or None for Ometria's own names),
    the number of events that nothing can be done with, and applied writes that Ometria does not have as they were sent.
    """

    events: list[Event]
    hints: list[tuple[str, RefetchRequest]]
    writes: list[tuple[str | None, str]]
    n_lost: int
    doubted: list[Applied] = []


def select_work(tx: Tx, context: ConnectionContext, chosen: Selection) -> ReplayWork:
    """What a selection comes to, as the pipeline stands."""
    events = inbox.ended_events(
        tx,
        context.connection,
        chosen.states,
        ids=chosen.events,
        subjects=chosen.subjects,
        store=chosen.store,
        since=chosen.since,
        limit=AT_ONCE,
    )
    work = _sorted_out(events, chosen.lane, context.clock.now())
    stores = [chosen.store] if chosen.store else list(context.shops)
    for subject in chosen.subjects:
        kind, _, number = subject.partition(":")
        for store in stores:
            if kind in READABLE and number.isdecimal():
                work.hints.append((store, _again(subject, chosen.lane, context.clock.now(), is_read=chosen.is_read)))
            work.writes.append((store, subject))
            work.doubted += proof.records_found_wrong(tx, context.connection, store, subject, DIFFERENT)
    return work


def _decided(tx: Tx, case: Case) -> ReplayWork | None:
    """What a person confirms by replaying a case about a record that cannot be seen; None for other cases."""
    kind = case.subject.partition(":")[0]
    if case.code == out_of_sight.UNCONFIRMED_DELETION:
        hint = RefetchRequest(f"{parse_events.CONFIRM}{kind}", case.subject, Lane.REALTIME, case.last_at)
        return ReplayWork([], [(case.store, hint)], [], 0)
    if case.code == out_of_sight.UNCONFIRMED_RETURN:
        events = inbox.ended_events(
            tx, case.connection, FAILED, subjects=[case.subject], topics=[], store=case.store, limit=AT_ONCE
        )
        news = [one.body for one in events if one.topic == f"{parse_events.REVIVE}{kind}" and one.body is not None]
        hints = [
            RefetchRequest(f"{parse_events.RESTORE}{kind}", case.subject, Lane.REALTIME, case.last_at, body)
            for body in news[-1:]
        ]
        return ReplayWork([], [(case.store, hint) for hint in hints], [], int(not hints))
    return None


def _held_by(tx: Tx, case: Case) -> ReplayWork:
    """What failed and names the case's subject: an event, a record of a store, a topic, or a platform record."""
    kind, _, number = case.subject.partition(":")
    events: list[Event] = []
    if case.subject:
        events = inbox.ended_events(
            tx,
            case.connection,
            FAILED,
            ids=[int(number)] if kind == "event" and number.isdecimal() else [],
            subjects=[case.subject],
            topics=[case.subject] if "/" in case.subject else [],
            store=case.store or None,
            limit=AT_ONCE,
        )
    work = _sorted_out(events, Lane.REPAIR, case.last_at)
    if case.subject and not case.code.startswith(DUTIES):
        if case.store and kind in READABLE and number.isdecimal():
            # Mapped again as it is known, since a rule may have changed; read again, since the record may have.
            work.hints.append((case.store, _again(case.subject, Lane.REPAIR, case.last_at, is_read=False)))
            work.hints.append((case.store, _again(case.subject, Lane.REPAIR, case.last_at, is_read=True)))
        work.writes.append((case.store or None, case.subject))
    return work


def _sorted_out(events: Sequence[Event], lane: Lane, now: datetime) -> ReplayWork:
    """An event whose body was pruned is no use, but its record can still be read."""
    work = ReplayWork([], [], [], 0)
    for event in events:
        kind = (event.subject or "").partition(":")[0]
        if event.body is not None or event.topic.startswith((*parse_events.OURS, REMAP)):
            work.events.append(event)
        elif event.subject and kind in READABLE:
            work.hints.append((event.store, _again(event.subject, lane, now, is_read=True)))
        else:
            work.n_lost += 1
    return work


def _again(subject: str, lane: Lane, now: datetime, *, is_read: bool) -> RefetchRequest:
    return RefetchRequest(f"repair/{subject.partition(':')[0]}" if is_read else REMAP, subject, lane, now)


def _put_back(tx: Tx, connection: str, work: ReplayWork, lane: Lane, now: datetime) -> Replayed:
    n_events = inbox.reopen_events(tx, connection, [event.id for event in work.events], lane, now) if work.events else 0
    retried = [
        row
        for store, subject in work.writes
        for row in outbox.retry_dead_letters(tx, connection, [subject], now, store=store)
    ]
    by_store: dict[str, list[RefetchRequest]] = {}
    for store, hint in work.hints:
        by_store.setdefault(store, []).append(msgspec.structs.replace(hint, due_at=now))
    for row in retried:
        # What was refused may have been mapped by a rule that was fixed since.
        if row.subject is not None and row.kind != RecordKind.MOMENT:
            by_store.setdefault(row.store, []).append(_again(row.subject, lane, now, is_read=False))
    for store, hints in sorted(by_store.items()):
        # A person asks for these: what keeps them as they are is over.
        plans.unpin_records(tx, connection, [(store, hint.subject) for hint in hints])
        inbox.enqueue_internal(tx, connection, store, hints, now)
    n_records = len({(store, hint.subject) for store, hints in by_store.items() for hint in hints})
    return Replayed(n_events, n_records, len(retried), work.n_lost)
