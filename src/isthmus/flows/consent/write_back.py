"""Bring an opt-out to the shops, and what Ometria's people proved, and see that it stays there.

What a shop should say is wished in the transaction that found it out (`wish`). It is written in the order of a
customer's statements, and is done when a reading shows it some seconds later: a write can be taken and not kept.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.consent.decide import ConsentStatus
from isthmus.consent.sql import store_updates as writes
from isthmus.consent.sql.store_updates import ClaimedStoreUpdate, RequestedUpdate
from isthmus.db.pool import Database, Tx
from isthmus.flows import case_reporting
from isthmus.flows.change import RecordTransition
from isthmus.flows.consent import consent_status, shop_statements
from isthmus.flows.consent.consent_status import ConsentStatuses
from isthmus.flows.context import ConnectionContext
from isthmus.inbox.sql import events as inbox
from isthmus.kit.backoff import wait_after_attempt
from isthmus.kit.ids import claim_id
from isthmus.model.consent import IN, OUT, Channel, Stance
from isthmus.model.customer import ChannelConsent, Customer
from isthmus.model.event import RefetchRequest
from isthmus.model.failure import BlockedError, Failure
from isthmus.model.lane import Lane
from isthmus.model.reading import CannotSee, ReadResult, found_record
from isthmus.shopify.consent import ConsentUpdate, ConsentUpdateOutcome, ConsentUpdateResult

AT_ONCE = 20
"""Writes of one request."""

VERIFY_AFTER = timedelta(seconds=10)
"""A write that did not stay was seen undone three seconds later (F09 in docs/reference/failure-cases.md)."""

ACCEPT_AFTER = 3
"""Writes that must come to nothing before people are told."""

PATIENT_UNTIL = 4
"""The attempt from which on it waits no longer than before: somebody said no, and the shop still writes to them."""

BLOCKED_FOR = timedelta(minutes=5)
"""How long a shop that does not let us write is left alone."""

REFUSED = "storefront.consent_refused"

SECOND = timedelta(seconds=1)
"""What the shop's times are rounded to."""


class WriteBackResult(Struct, frozen=True):
    """What one round did: writes sent, and writes that were looked at again."""

    n_sent: int = 0
    n_looked: int = 0

    @property
    def n(self) -> int:
        return self.n_sent + self.n_looked


# Wish ----------------------------------------------------------------------------------------------------------------


def request_store_updates(
    tx: Tx, context: ConnectionContext, changes: Sequence[RecordTransition], standings: ConsentStatuses, now: datetime
) -> None:
    """Want the shop to say where its customers stand, where it says otherwise; and no more where it does not."""
    wished: list[RequestedUpdate] = []
    done = []
    for change in changes:
        customer, store = change.after, change.key[1]
        for channel in Channel:
            want = None
            if isinstance(customer, Customer) and customer.is_read:
                want = _wanted(customer, channel, store, standings)
            if want is not None:
                wished.append(want)
            elif isinstance(change.last, Customer):
                done.append((store, change.last.id, channel))
    mended = writes.withdraw_updates(tx, context.connection, done)
    writes.request_updates(tx, context.connection, wished, now)
    for store, number in mended:
        cases.resolve_by_code(
            tx, context.connection, REFUSED, now, "consent", subjects=[f"customer:{number}"], store=store
        )


def _wanted(customer: Customer, channel: Channel, store: str, standings: ConsentStatuses) -> RequestedUpdate | None:
    plain, word = shop_statements.address_and_statement(channel, customer)
    standing = standings.of(channel, plain, store)
    if plain is None or word is None or standing.by is None or not _is_for_the_shop(word, standing):
        return None
    level = (standing.by.level or word.level or "SINGLE_OPT_IN") if standing.stance is Stance.IN else "SINGLE_OPT_IN"
    state = IN if standing.stance is Stance.IN else "UNSUBSCRIBED"
    name = standings.name(channel, plain)[1]
    return RequestedUpdate(store, customer.id, channel, name, state, level, standing.by.since, word.updated_at)


def _is_for_the_shop(word: ChannelConsent, standing: ConsentStatus) -> bool:
    """Whether the shop must hear of it: of an opt-out where it would write to somebody, or that was said elsewhere; of
    an opt-in only where it was proven in Ometria. What one shop heard is no opt-in of another's.
    """
    assert standing.by is not None  # noqa: S101 - the caller has looked
    is_theirs = standing.by.side == "platform"
    match standing.stance:
        case Stance.OUT:
            return word.state in (IN, "PENDING") or (is_theirs and word.state not in OUT)
        case Stance.IN:
            return is_theirs and standing.by.is_proven and word.state != IN
        case _:
            return False


# Write ---------------------------------------------------------------------------------------------------------------


def write_back(db: Database, context: ConnectionContext) -> WriteBackResult:
    """One round: look at what was written a while ago, then write what is due. In shadow mode nothing is written."""
    if not context.is_live:
        return WriteBackResult()
    return WriteBackResult(_write(db, context), _look(db, context))


def _write(db: Database, context: ConnectionContext) -> int:
    claim, now = claim_id(), context.clock.now()
    with db.transaction() as tx:
        due = writes.claim_updates(tx, context.connection, "due", now, claim, AT_ONCE)
    for store, rows in _by_store(due).items():
        shop = context.shops.get(store)
        if shop is None or shop.consents is None:
            with db.transaction() as tx:
                writes.delete_claimed(tx, context.connection, rows, claim)
            continue
        try:
            answers = shop.consents.write([_wish(row, context.clock.now()) for row in rows])
        except Failure as failure:
            _failed(db, context, store, rows, claim, failure)
        else:
            with db.transaction() as tx:
                _answered(tx, context, store, list(zip(rows, answers, strict=True)), claim)
    return len(due)


def _wish(row: ClaimedStoreUpdate, now: datetime) -> ConsentUpdate:
    """A shop keeps the latest statement, so ours must not be older than the one it is to replace."""
    at = row.at
    if row.above is not None and at - SECOND < row.above:
        at = now
    return ConsentUpdate(
        row.customer_id, row.channel, "SUBSCRIBED" if row.state == IN else "UNSUBSCRIBED", at, row.level
    )


def _answered(
    tx: Tx,
    context: ConnectionContext,
    store: str,
    answers: Sequence[tuple[ClaimedStoreUpdate, ConsentUpdateResult]],
    claim: UUID,
) -> None:
    now = context.clock.now()
    taken = [row for row, answer in answers if answer.outcome is ConsentUpdateOutcome.WRITTEN]
    writes.log_written_updates(tx, context.connection, taken, now)
    writes.settle_updates(
        tx, context.connection, taken, claim, "written", now=now, due_at=now + VERIFY_AFTER, is_attempt=True
    )
    gone = [row for row, answer in answers if answer.outcome is ConsentUpdateOutcome.GONE]
    writes.delete_claimed(tx, context.connection, gone, claim)
    unwritten = [
        (row, answer)
        for row, answer in answers
        if answer.outcome in (ConsentUpdateOutcome.REFUSED, ConsentUpdateOutcome.NOTHING)
    ]
    for row, answer in unwritten:
        _again(tx, context, row, claim, answer.code or answer.outcome.value, is_final=_is_final(answer))
    # A reading tells what became of a customer who is gone, or has no such address any more.
    odd = {row.customer_id for row in gone} | {
        row.customer_id for row, a in unwritten if a.outcome is ConsentUpdateOutcome.NOTHING
    }
    hints = [RefetchRequest("poll/customer", f"customer:{number}", Lane.REALTIME, now) for number in sorted(odd)]
    inbox.enqueue_internal(tx, context.connection, store, hints, now)


def _is_final(answer: ConsentUpdateResult) -> bool:
    return answer.outcome is ConsentUpdateOutcome.REFUSED and answer.code != "INTERNAL_ERROR"


def _again(
    tx: Tx, context: ConnectionContext, row: ClaimedStoreUpdate, claim: UUID, why: str, *, is_final: bool = False
) -> None:
    """It came to nothing: later again, and when that does not help, a case. The shop goes on writing to somebody who
    does not want it, so it is tried for ever, if rarely.
    """
    now = context.clock.now()
    is_hopeless = is_final or row.attempts + 1 >= ACCEPT_AFTER
    if is_hopeless:
        touch = Touch(REFUSED, f"customer:{row.customer_id}", row.store, f"{row.channel}, {row.state}: {why}")
        cases.open_or_count(tx, context.connection, [touch], now)
    wait = timedelta(hours=6) if is_hopeless else timedelta(seconds=5 * (row.attempts + 1))
    status = "refused" if is_hopeless else "due"
    writes.settle_updates(tx, context.connection, [row], claim, status, now=now, due_at=now + wait)


def _failed(
    db: Database,
    context: ConnectionContext,
    store: str,
    rows: Sequence[ClaimedStoreUpdate],
    claim: UUID,
    failure: Failure,
) -> None:
    """Nobody's statement is at fault. Writing again what may have arrived does no harm."""
    now = context.clock.now()
    n = max(row.attempts for row in rows) + 1
    is_shut = isinstance(failure, BlockedError)
    wait = BLOCKED_FOR if is_shut else wait_after_attempt(min(n, PATIENT_UNTIL), failure.retry_after)
    with db.transaction() as tx:
        writes.settle_updates(tx, context.connection, rows, claim, "due", now=now, due_at=now + wait)
        if is_shut or n >= ACCEPT_AFTER:
            cases.open_or_count(tx, context.connection, [case_reporting.case_for(failure, store=store)], now)


# Look ----------------------------------------------------------------------------------------------------------------


def _look(db: Database, context: ConnectionContext) -> int:
    """Read what was written: it is done when the shop says so, whatever it answered then."""
    claim, now = claim_id(), context.clock.now()
    with db.transaction() as tx:
        written = writes.claim_updates(tx, context.connection, "written", now, claim, 2 * AT_ONCE)
    for store, rows in _by_store(written).items():
        shop = context.shops.get(store)
        if shop is None:
            continue  # its rows are forgotten when they are due again
        try:
            read = shop.reader.customers(sorted({row.customer_id for row in rows}))
        except Failure:
            with db.transaction() as tx:
                writes.settle_updates(
                    tx, context.connection, rows, claim, "written", now=now, due_at=now + VERIFY_AFTER, is_attempt=False
                )
            continue
        with db.transaction() as tx:
            _seen(tx, context, store, rows, read, claim)
    return len(written)


def _seen(
    tx: Tx,
    context: ConnectionContext,
    store: str,
    rows: Sequence[ClaimedStoreUpdate],
    read: Mapping[int, ReadResult[Customer]],
    claim: UUID,
) -> None:
    now = context.clock.now()
    hints = []
    people = list(filter(None, map(found_record, read.values())))
    known = consent_status.consent_of_customers(tx, context, people)
    for row in rows:
        if isinstance(read.get(row.customer_id), CannotSee):
            writes.settle_updates(
                tx, context.connection, [row], claim, "written", now=now, due_at=now + VERIFY_AFTER, is_attempt=False
            )
            continue
        customer = found_record(read.get(row.customer_id))
        want = _wanted(customer, row.channel, store, known) if customer is not None else None
        # The reading itself goes the way of every reading, so that what we know follows.
        hints.append(RefetchRequest("poll/customer", f"customer:{row.customer_id}", Lane.REALTIME, now))
        if want is None or want.state != row.state:
            writes.delete_claimed(tx, context.connection, [row], claim)
            cases.resolve_by_code(
                tx, context.connection, REFUSED, now, "consent", subjects=[f"customer:{row.customer_id}"], store=store
            )
        else:
            _again(tx, context, row, claim, "it was taken and not kept")
    inbox.enqueue_internal(tx, context.connection, store, hints, now)


def _by_store(rows: Sequence[ClaimedStoreUpdate]) -> dict[str, list[ClaimedStoreUpdate]]:
    found: dict[str, list[ClaimedStoreUpdate]] = {}
    for row in rows:
        found.setdefault(row.store, []).append(row)
    return found
