"""Take events from the inbox, learn what they say, and put what Ometria should say of it into the outbox."""

import contextlib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.cases.triage import Act, decide_retry
from isthmus.db.pool import Database, Tx, is_retryable, is_unavailable
from isthmus.db.sql import increment
from isthmus.flows import (
    case_reporting,
    delivery_methods,
    out_of_sight,
    parse_events,
    refresh_metrics,
    shared_reads,
    store_records,
    uninstalled,
)
from isthmus.flows.consent import platform_statements
from isthmus.flows.consent.platform_statements import PlatformStatement
from isthmus.flows.context import ConnectionContext, Reader
from isthmus.flows.merges.follow_shop_merges import follow_shop_merges
from isthmus.flows.parse_events import FetchRequest
from isthmus.inbox.sql import events as inbox
from isthmus.inbox.sql import shared_reads as under_way
from isthmus.kit.backoff import wait_after_attempt
from isthmus.kit.ids import claim_id, global_id
from isthmus.model.event import Event, EventOutcome, EventState
from isthmus.model.failure import Failure, RejectedError, TransientError
from isthmus.model.lane import Lane
from isthmus.model.reading import CannotSee, Found, ReadResult
from isthmus.ometria.automation_hook import AutomationCall
from isthmus.records.sql import store as records
from isthmus.records.sql.store import Canonical, Key
from isthmus.runs.sql import bulk_loads as loads
from isthmus.shopify import documents, topics

AT_ONCE = 200
"""Events of one claim: enough to share the round trips, little enough to be done long before the lease ends."""

LEASE = timedelta(seconds=12)

RECHECK_AFTER = timedelta(minutes=1)
"""How often a store that shut us out is tried again."""

STUBBORN_AFTER = 20
"""Attempts, more than an hour, after which a record that cannot be read is held against one that can."""

UNKNOWN = "integration.unknown_topic"

FINISHED = "bulk_operations/finish"

READ_AT_ONCE = {"customer": documents.CUSTOMERS.batch}
"""By kind, as many as one call may ask for: 200 customers with tags, consent, custom fields and counts cost what one
does. Of the others a call answers so much of each that fewer are asked for."""
READ_FEW = 50
READ_FOR = timedelta(seconds=4)
"""How long one batch may spend reading before it gives the rest back: well within the lease."""


class Processed(Struct, frozen=True):
    """What became of one batch. `n_claimed` of zero means nothing was due."""

    n_claimed: int = 0
    n_read: int = 0
    n_failed: int = 0


def process_batch(
    db: Database, context: ConnectionContext, lanes: Sequence[Lane] = tuple(Lane), limit: int = AT_ONCE
) -> Processed:
    """One batch from the inbox to the outbox: claim, parse, read what must be read, absorb."""
    claim = claim_id()
    with db.transaction() as tx:
        # One look in place of ten: most lanes are empty, and there is hardly ever a suspect.
        due = {lane: context.tick(lane) for lane in lanes}
        busy, has_suspects = inbox.lanes_with_work(tx, context.connection, due)
        if has_suspects:
            _bury_poison(tx, context)
        events: list[Event] = []
        for lane, until in due.items():
            if len(events) < limit and lane in busy:
                events += inbox.claim_events(
                    tx, context.connection, (lane,), until, limit - len(events), claim, LEASE, has_suspects=has_suspects
                )
    if not events:
        return Processed(refresh_metrics.remap_after_load(db, context) if Lane.BACKFILL in lanes else 0)
    try:
        with _held(db, context, claim, events):
            return _patiently(db, context, claim, events)
    except LeaseLostError as lost:
        # Somebody else has them, or will: nothing of this transaction was kept, and the work is done again.
        _give_back(db, context, claim, events, "its lease had ended")
        with db.transaction() as tx:
            increment(tx, context.connection, {"event.lease_lost": lost.n})
        return Processed(len(events))
    except Exception as error:
        if is_unavailable(error) or is_retryable(error):
            with contextlib.suppress(Exception):  # while the database is away the leases end by themselves
                _give_back(db, context, claim, events, "the database could not do it")
        raise


class LeaseLostError(Exception):
    """Events that this claim was to settle are somebody else's by now."""

    def __init__(self, n: int) -> None:
        super().__init__(f"{n} leases had ended")
        self.n = n


def _held(
    db: Database, context: ConnectionContext, claim: UUID, events: Sequence[Event]
) -> contextlib.AbstractContextManager[None]:
    """Extend the lease for as long as the work lasts: whoever waits for a slow answer is not dead."""
    ids = [event.id for event in events]

    def beat() -> None:
        with db.transaction() as tx:
            inbox.extend_lease(tx, context.connection, claim, ids, context.clock.now() + LEASE)

    return db.heartbeat.during(beat)


def _give_back(db: Database, context: ConnectionContext, claim: UUID, events: Sequence[Event], why: str) -> None:
    """Let others have at once what this claim still holds; that it was not settled is not the events' fault."""
    now = context.clock.now()
    with db.transaction() as tx:
        under_way.abandon_reads(tx, context.connection, claim, now)
        for attempts in sorted({event.attempts for event in events}):
            ids = [event.id for event in events if event.attempts == attempts]
            inbox.defer_events(tx, context.connection, claim, ids, now + wait_after_attempt(attempts), why)


def _patiently(db: Database, context: ConnectionContext, claim: UUID, events: Sequence[Event]) -> Processed:
    try:
        return _work(db, context, claim, events)
    except Exception as error:
        if is_unavailable(error) or isinstance(error, LeaseLostError):
            raise
        return _one_by_one(db, context, claim, events, error)


def _one_by_one(
    db: Database, context: ConnectionContext, claim: UUID, events: Sequence[Event], error: Exception
) -> Processed:
    """A batch failed in a way nobody foresaw: each event alone, so that only the one at fault is buried, as our bug."""
    if len(events) == 1:
        if is_retryable(error):
            raise error  # a deadlock, a timeout: it is given back, and somebody tries again
        with db.transaction() as tx:
            outcomes = _fail(tx, context, claim, [(events[0], error)])
            _settle(tx, context, claim, outcomes)
        return Processed(1, 0, 1)
    done = []
    for event in events:
        try:
            done.append(_work(db, context, claim, [event]))
        except Exception as own:
            if is_unavailable(own) or isinstance(own, LeaseLostError):
                raise
            done.append(_one_by_one(db, context, claim, [event], own))
    return Processed(len(events), sum(d.n_read for d in done), sum(d.n_failed for d in done))


def _work(db: Database, context: ConnectionContext, claim: UUID, events: Sequence[Event]) -> Processed:
    heard = parse_events.parse_events(events, context)
    readings, failed = _of_returns(context, _unanswered(db, context, heard))
    readings = shared_reads.join_reads(db, context, claim, heard, readings, LEASE)
    heard.failures += failed
    if readings or heard.deliveries or heard.uninstalls:
        # What needs no reading does not wait for one.
        heard, rest = _apart_from(heard, {r.event.id for r in [*readings, *heard.deliveries]})
        _take(db, context, claim, events, rest)
        delivery_methods.read_delivery_methods(context, heard)
        uninstalled.verify_uninstalls(context, heard)
    asked_at = context.clock.now()
    found, failed = fetch_records(context, readings)
    heard.failures += _stubborn(context, readings, failed)
    heard.failures = _for_want_of_a_body(readings, found, heard.failures)
    failing = {event.id for event, _ in heard.failures}
    seen = out_of_sight.judge_unseen_records(db, context, readings, found, asked_at, heard.told)
    heard.outcomes += seen.outcomes
    unread = {r.event.id for r in readings if r.key not in found} - failing
    heard.told += [word for word in seen.told if word.event.id not in unread]
    _take(db, context, claim, events, heard, unread, seen, (readings, found))
    return Processed(len(events), len(readings), len(heard.failures))


def _apart_from(
    heard: parse_events.ParsedBatch, reading: set[int]
) -> tuple[parse_events.ParsedBatch, parse_events.ParsedBatch]:
    """What was heard of events that wait for a reading, or belong to a merge, and all the rest."""
    held = reading | {event.id for event, _ in heard.merges}
    waits, rest = parse_events.empty_batch(), parse_events.empty_batch()
    waits.deliveries = heard.deliveries
    for word in heard.told:
        (waits if word.event.id in held else rest).told.append(word)
    for outcome in heard.outcomes:
        (waits if outcome.id in held else rest).outcomes.append(outcome)
    for failure in heard.failures:
        (waits if failure[0].id in held else rest).failures.append(failure)
    for waiting in heard.waiting:
        (waits if waiting[0].id in held else rest).waiting.append(waiting)
    rest.matters, rest.calls, waits.merges = heard.matters, heard.calls, heard.merges
    rest.misfits, waits.uninstalls = heard.misfits, heard.uninstalls
    return waits, rest


def _take(
    db: Database,
    context: ConnectionContext,
    claim: UUID,
    events: Sequence[Event],
    heard: parse_events.ParsedBatch,
    unread: AbstractSet[int] = frozenset(),
    seen: out_of_sight.SightResult = out_of_sight.NOTHING,
    made: tuple[Sequence[FetchRequest], Mapping[Key, ReadResult[Canonical]]] = ((), {}),
) -> None:
    """One unit of work: take in what was heard, and end or put off the events that said it."""
    now = context.clock.now()
    failing = {event.id for event, _ in heard.failures}
    words = [word for word in heard.told if word.event.id not in failing]
    with db.transaction() as tx:
        merged = follow_shop_merges(tx, context, [m for m in heard.merges if m[0].id not in failing | unread], now)
        outcomes = store_records.store_records(tx, context, words, now, merged)
        outcomes += [o for o in heard.outcomes if o.id not in failing]
        outcomes += _matters(tx, context, heard)
        uninstalled.count_refuted(tx, context, heard)
        _misfits(tx, context, heard.misfits, now)
        shared_reads.finish_reads(tx, context, claim, *made, now)
        outcomes += _calls(tx, context, heard.calls, now)
        _ring(tx, context, events)
        for event, wait in heard.waiting:
            inbox.defer_events(
                tx,
                context.connection,
                claim,
                [event.id],
                now + wait,
                "the record may be told meanwhile",
                is_attempt=False,
            )
        for event, wait in seen.again:
            inbox.defer_events(
                tx,
                context.connection,
                claim,
                [event.id],
                now + wait,
                "null so soon after a body: asked again",
                is_attempt=False,
            )
        cases.open_or_count(tx, context.connection, seen.touches, now)
        inbox.defer_events(tx, context.connection, claim, sorted(unread), now, "not read yet", is_attempt=False)
        outcomes += _fail(tx, context, claim, heard.failures)
        _settle(tx, context, claim, _one_each(outcomes))


def _settle(tx: Tx, context: ConnectionContext, claim: UUID, outcomes: Sequence[EventOutcome]) -> None:
    """End events; raises LeaseLostError, and with that keeps nothing, where somebody else has one of them by now."""
    n = inbox.settle_events(tx, context.connection, claim, outcomes, context.clock.now())
    if n < len(outcomes):
        raise LeaseLostError(len(outcomes) - n)


def _for_want_of_a_body(
    readings: Sequence[FetchRequest],
    found: Mapping[Key, ReadResult[Canonical]],
    failed: Sequence[tuple[Event, Exception]],
) -> list[tuple[Event, Exception]]:
    """Where the record is read because its body could not be, and cannot be either, it is the body's fault that counts:
    it says which key was missing."""
    whys = {one.event.id: one.why for one in readings if one.why is not None}
    if not whys:
        return list(failed)
    blind: list[tuple[Event, Exception]] = [
        (one.event, one.why) for one in readings if one.why is not None and isinstance(found.get(one.key), CannotSee)
    ]
    return [
        (event, whys.get(event.id, failure) if isinstance(failure, RejectedError) else failure)
        for event, failure in failed
    ] + blind


def _unanswered(db: Database, context: ConnectionContext, heard: parse_events.ParsedBatch) -> list[FetchRequest]:
    """The readings that are really needed: not what a body has told meanwhile, nor what one may tell in a moment."""
    patient = [r for r in heard.readings if r.event.topic in parse_events.PATIENT]
    if not patient:
        return heard.readings
    with db.transaction() as tx:
        known = records.load_records(tx, context.connection, {r.key for r in patient}, context.packer)
    needed = [r for r in heard.readings if r.event.topic not in parse_events.PATIENT]
    for reading in patient:
        left = parse_events.remaining_wait(reading.event, context)
        if parse_events.is_already_known(reading.event, known.get(reading.key)):
            subject = f"{reading.key[0]}:{reading.key[2]}"
            heard.outcomes.append(
                EventOutcome(reading.event.id, EventState.APPLIED, "told by the record's own body", subject)
            )
        elif left > timedelta():
            heard.waiting.append((reading.event, min(left, timedelta(seconds=2))))
        else:
            needed.append(reading)
    return needed


def _of_returns(
    context: ConnectionContext, readings: Sequence[FetchRequest]
) -> tuple[list[FetchRequest], list[tuple[Event, Failure]]]:
    """Readings of returns as readings of their orders; a return that is gone is left to the poll of its order."""
    plain = [r for r in readings if r.key[0] != "return"]
    failed: list[tuple[Event, Failure]] = []
    for (store, _), numbers in parse_events.group_by_store([r for r in readings if r.key[0] == "return"]).items():
        mine = [r for r in readings if r.key[:2] == ("return", store)]
        try:
            orders = context.shops[store].reader.orders_of_returns(numbers)
        except Failure as failure:
            failed += [(r.event, failure) for r in mine]
        else:
            for r in mine:
                result = orders[int(r.key[2])]
                if isinstance(result, Found):
                    plain.append(FetchRequest(r.event, ("order", store, str(result.record))))
                else:
                    error = result.failure if isinstance(result, CannotSee) else None
                    gone = RejectedError("storefront.unreadable_record", "the return is gone")
                    failed.append((r.event, error or gone))
    return plain, failed


def fetch_records(
    context: ConnectionContext, readings: Sequence[FetchRequest]
) -> tuple[dict[Key, ReadResult[Canonical]], list[tuple[Event, Failure]]]:
    """Read records many at a time, outside any transaction; what failed, by event."""
    found: dict[Key, ReadResult[Canonical]] = {}
    failed: list[tuple[Event, Failure]] = []
    until = context.clock.now() + READ_FOR
    for (store, kind), numbers in parse_events.group_by_store(readings).items():
        at_once = READ_AT_ONCE.get(kind, READ_FEW)
        for first in range(0, len(numbers), at_once):
            if context.clock.now() >= until:
                break  # the rest is given back, and is read by whoever claims it next
            some = numbers[first : first + at_once]
            got, bad = _ask(context.shops[store].reader, kind, some)
            got, bad = _apart(got, bad)
            found |= {(kind, store, str(number)): record for number, record in got.items()}
            failed += [(r.event, bad[int(r.key[2])]) for r in readings if r.key in {(kind, store, str(n)) for n in bad}]
            if any(not isinstance(failure, RejectedError) for failure in bad.values()):
                break  # the store cannot be read now: no need to ask once for every record
    return found, failed


def _stubborn(
    context: ConnectionContext, readings: Sequence[FetchRequest], failed: Sequence[tuple[Event, Failure]]
) -> list[tuple[Event, Failure]]:
    """Failures as they are, but for one that never passes: where the store answers for another record of that kind at
    the same moment, it is this record that cannot be read, and waiting longer helps nobody. One a batch is looked at.
    """
    keys = {reading.event.id: reading.key for reading in readings}
    for place, (event, failure) in enumerate(failed):
        if event.attempts < STUBBORN_AFTER or not isinstance(failure, TransientError) or event.id not in keys:
            continue
        kind, store, number = keys[event.id]
        reader = context.shops[store].reader
        try:
            other = reader.newest().get(kind)
            others = {} if other is None or str(other.id) == number else _ask(reader, kind, [other.id])[0]
            mine = _ask(reader, kind, [int(number)])[0] if others else {}
        except Failure:
            break
        if others and not mine:
            detail = f"gave up after {event.attempts} attempts, while others were read; {failure.detail}"
            rest = [one for n, one in enumerate(failed) if n != place]
            return [*rest, (event, RejectedError(failure.code, detail))]
        break
    return list(failed)


def _ask(
    reader: Reader, kind: str, numbers: Sequence[int]
) -> tuple[Mapping[int, ReadResult[Canonical]], dict[int, Failure]]:
    """Read some records; one that cannot be read is found by reading each alone, so that the others go through."""
    ask = {"order": reader.orders, "customer": reader.customers}.get(kind, reader.products)
    try:
        return ask(numbers), {}
    except RejectedError as failure:
        if len(numbers) == 1:
            return {}, {numbers[0]: failure}
    except Failure as failure:
        return {}, dict.fromkeys(numbers, failure)
    found: dict[int, ReadResult[Canonical]] = {}
    bad: dict[int, Failure] = {}
    for number in numbers:
        got, failed = _ask(reader, kind, [number])
        found |= got
        bad |= failed
    return found, bad


def _apart(
    got: Mapping[int, ReadResult[Canonical]], bad: Mapping[int, Failure]
) -> tuple[dict[int, ReadResult[Canonical]], dict[int, Failure]]:
    """What was answered, and what failed: a record with an error at its path among the latter."""
    errors = {
        number: result.failure
        for number, result in got.items()
        if isinstance(result, CannotSee) and result.failure is not None
    }
    return {number: result for number, result in got.items() if number not in errors}, {**bad, **errors}


def _matters(tx: Tx, context: ConnectionContext, heard: parse_events.ParsedBatch) -> list[EventOutcome]:
    """Privacy requests and the like: a case with its due date, opened in the transaction that ends the event."""
    outcomes = []
    for event in heard.matters:
        subject = _subject(event)
        code = _MATTERS[event.topic]
        cases.open_or_count(
            tx,
            context.connection,
            [case_reporting.case_for(RejectedError(code, heard.details.get(event.id, "")), subject, event.store)],
            context.clock.now(),
        )
        outcomes.append(EventOutcome(event.id, EventState.APPLIED, f"became case {code}", subject))
    return outcomes


def _misfits(tx: Tx, context: ConnectionContext, events: Sequence[Event], now: datetime) -> None:
    """Matters with another topic's body: nobody is asked to act on them, but somebody should know."""
    cases.open_or_count(
        tx,
        context.connection,
        [
            Touch(parse_events.MISFIT, event.topic, event.store, "the body is signed, and is not this topic's")
            for event in events
        ],
        now,
    )


def _calls(
    tx: Tx, context: ConnectionContext, calls: Sequence[tuple[Event, AutomationCall]], now: datetime
) -> list[EventOutcome]:
    """What automations of Ometria say of consent goes into the ledger, and from there wherever it matters."""
    said = [
        PlatformStatement(call.claim, f"{platform_statements.PROFILE}{call.profile_id or ''}", event.id)
        for event, call in calls
    ]
    for guest in platform_statements.record_platform_statements(tx, context, said, now):
        if guest.who != platform_statements.PROFILE:
            cases.open_or_count(tx, context.connection, [Touch(platform_statements.GUEST, guest.who)], now)
    return [
        EventOutcome(event.id, EventState.APPLIED, None, said.who) for (event, _), said in zip(calls, said, strict=True)
    ]


def _ring(tx: Tx, context: ConnectionContext, events: Sequence[Event]) -> None:
    """Let a load look at once at an operation that Shopify says has ended; it would have looked soon anyway."""
    for event in events:
        if event.topic == FINISHED:
            with contextlib.suppress(RejectedError):
                named = topics.record_of_body(event.topic, event.body or b"")
                if named is not None:
                    loads.mark_operation_finished(
                        tx, context.connection, event.store, global_id("BulkOperation", int(named[1]))
                    )


def _subject(event: Event) -> str:
    """Whom a matter is about. Where its body does not tell, it is no less a duty: the event itself then."""
    named = parse_events.record_named_by(event)
    return f"{named[0]}:{named[1]}" if named else f"event:{event.id}"


_MATTERS = {
    "customers/data_request": "privacy.data_request",
    "customers/redact": "privacy.redact_customer",
    "shop/redact": "privacy.redact_shop",
    parse_events.UNINSTALLED: "storefront.app_uninstalled",
}


def _fail(
    tx: Tx, context: ConnectionContext, claim: UUID, failures: Sequence[tuple[Event, Exception]]
) -> list[EventOutcome]:
    """What a failure does to its event: later, never, or nothing at all until a person acts."""
    now = context.clock.now()
    outcomes, seen = [], []
    for event, failure in failures:
        verdict = decide_retry(failure, event.attempts)
        named = None if event.subject else parse_events.record_named_by(event)
        subject = event.subject or (f"{named[0]}:{named[1]}" if named else f"event:{event.id}")
        match verdict.act:
            case Act.DEFER:
                wait = verdict.wait or timedelta(seconds=1)
                inbox.defer_events(tx, context.connection, claim, [event.id], now + wait, verdict.code)
                if verdict.is_lasting:
                    seen.append(Touch(verdict.code, "", event.store, verdict.detail))
            case Act.BLOCK:
                # The store cannot be read until somebody acts; what needs no reading goes on.
                inbox.defer_events(
                    tx, context.connection, claim, [event.id], now + RECHECK_AFTER, verdict.code, is_attempt=False
                )
                seen.append(Touch(verdict.code, "", event.store, verdict.detail))
            case Act.BURY if verdict.code == UNKNOWN:
                outcomes.append(EventOutcome(event.id, EventState.PARKED, verdict.code))
                seen.append(Touch(verdict.code, event.topic, event.store))
            case Act.BURY:
                outcomes.append(EventOutcome(event.id, EventState.BURIED, verdict.code, subject if named else None))
                seen.append(Touch(verdict.code, subject, event.store, verdict.detail))
    cases.open_or_count(tx, context.connection, seen, now)
    return outcomes


def _bury_poison(tx: Tx, context: ConnectionContext) -> None:
    """Rows whose lease ended unsettled five times are taken to kill whoever works on them."""
    claim, now = claim_id(), context.clock.now()
    events = inbox.claim_poisoned(tx, context.connection, now, 10, claim, LEASE)
    if not events:
        return
    cases.open_or_count(
        tx,
        context.connection,
        [
            case_reporting.case_for(RejectedError("integration.poison_row", e.topic), f"event:{e.id}", e.store)
            for e in events
        ],
        now,
    )
    outcomes = [EventOutcome(e.id, EventState.BURIED, "integration.poison_row") for e in events]
    inbox.settle_events(tx, context.connection, claim, outcomes, now)


def _one_each(outcomes: Sequence[EventOutcome]) -> list[EventOutcome]:
    """One end per event: an event about two records is applied when either took its word."""
    best: dict[int, EventOutcome] = {}
    for outcome in outcomes:
        held = best.get(outcome.id)
        if held is None or (outcome.state is EventState.APPLIED and held.state is EventState.STALE):
            best[outcome.id] = outcome
    return list(best.values())
