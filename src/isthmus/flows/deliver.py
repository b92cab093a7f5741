"""Send one batch of due writes in the next free slot, and record Ometria's own answer for each."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from isthmus.cases.sql import cases
from isthmus.db.pool import Database, Tx
from isthmus.db.sql import increment
from isthmus.flows import body_difference, case_reporting
from isthmus.flows.context import ConnectionContext
from isthmus.kit.backoff import wait_after_attempt
from isthmus.kit.duration import format_duration
from isthmus.kit.ids import claim_id
from isthmus.model.failure import BlockedError, Failure, RejectedError, TransientError
from isthmus.model.lane import Lane
from isthmus.model.write import PERMITTING, RecordKind
from isthmus.ometria.errors import TOO_LARGE
from isthmus.ometria.responses import Pushed
from isthmus.outbox import plan
from isthmus.outbox.sql import contact_consent as spoken
from isthmus.outbox.sql import error_feed as feed
from isthmus.outbox.sql import opt_in_gate as restraint
from isthmus.outbox.sql import queue as outbox
from isthmus.outbox.sql import rate_limit as pace
from isthmus.outbox.sql.queue import ClaimedPush

OUTAGE_AFTER = 3
"""Whole requests that must fail in a row before people are told."""

UNANSWERED = ((3, 10), (6, 1))
"""After so many unanswered pushes a record travels in batches of so many: one that hangs Ometria stands alone."""
GIVE_UP_AFTER = 10
"""Unanswered pushes of one record alone, the last of them between others that were answered: it is the record."""

LESS_FOR = timedelta(hours=1)
"""How long pushes stay as small as something on the way took them; then a whole one is tried again."""

OUTAGES = (
    "platform.unavailable",
    "platform.rate_limited",
    "platform.backlog",
    "platform.key_refused",
    "platform.not_the_api",
)
"""What a push that goes through proves to be over."""

LONGEST_WAIT = timedelta(seconds=60)

HORIZON = timedelta(seconds=3)
"""A slot further away than this is nobody's to wait for: whoever waits can neither be stopped nor do anything else."""


class Delivered(Struct, frozen=True):
    """What one slot brought: records sent and accepted, or what went wrong. Nothing sent means nothing was due."""

    n_sent: int = 0
    n_accepted: int = 0
    failure: str | None = None


def push_next_batch(db: Database, context: ConnectionContext, lanes: Sequence[Lane] = tuple(Lane)) -> Delivered:
    """Wait for the next slot, fill it, push, settle what the answer says. In shadow mode nothing is ever pushed."""
    if not context.is_live:
        return Delivered()
    now = context.clock.now()
    with db.transaction() as tx:
        _outdate(tx, context, now)
        if not outbox.is_push_due(tx, context.connection, now, lanes) or pace.is_backing_off(
            tx, context.connection, "push", now + HORIZON
        ):
            return Delivered()
        slot_at, n, most_bytes = pace.reserve_slot_and_bytes(
            tx, context.connection, "push", context.pace.push_per_second, now
        )
    context.clock.wait((slot_at - now).total_seconds())

    claim = claim_id()
    now = context.clock.now()
    with db.transaction() as tx:
        batch = _fill(tx, context, plan.lane_priority_for_slot(n, context.pace.realtime_share), lanes, now, claim)
        if most_bytes is not None:
            batch, rest = plan.fit_into_bytes(batch, most_bytes)
            outbox.release_unsent(tx, context.connection, rest, claim)
        if not batch:
            pace.refund_slot(tx, context.connection, "push", context.pace.push_per_second, slot_at)
            return Delivered()

    # Whoever was held up between claim and push (a paused machine, a slow disk) lets the lease run out instead.
    if context.clock.now() - now > outbox.LEASE / 2:
        return Delivered()
    try:
        pushed = context.platform.push([row.body for row in batch])
    except Failure as failure:
        return _failed(db, context, batch, claim, failure)
    return _answered(db, context, batch, claim, pushed)


def _fill(
    tx: Tx, context: ConnectionContext, own: Sequence[Lane], lanes: Sequence[Lane], now: datetime, claim: UUID
) -> list[ClaimedPush]:
    """Claim what the slot of these lanes is best spent on, of the lanes that are open.

    Where nothing but opt-ins that must wait is due of the best kind, they stand aside and the slot goes to the next.
    """
    order = [lane for lane in plan.lane_order(own) if lane in lanes]
    riders = plan.REALTIME_QUOTA if Lane.REALTIME in order[1:] else 0
    unsettled = now - context.pace.settle_after - outbox.LEASE
    for _ in range(2):
        kind = plan.choose_kind(outbox.count_ready(tx, context.connection, lanes, now), own, now)
        if kind is None:
            return []
        batch = outbox.claim_batch(
            tx,
            context.connection,
            kind,
            order,
            now=now,
            claim=claim,
            packer=context.packer,
            riders=riders,
            unsettled=unsettled,
        )
        if (
            batch
            or kind not in PERMITTING
            or not restraint.defer_blocked(tx, context.connection, lanes, now, unsettled)
        ):
            return batch
    return []


def _outdate(tx: Tx, context: ConnectionContext, now: datetime) -> None:
    """A moment that waited for an outage to end until it was too old no longer fires."""
    most = max((shop.rules.event_max_age for shop in context.shops.values()), default=None)
    if most is not None:
        outbox.expire_events(tx, context.connection, now - most, f"older than {format_duration(most)}")


def _answered(
    db: Database, context: ConnectionContext, batch: Sequence[ClaimedPush], claim: UUID, pushed: Pushed
) -> Delivered:
    now = context.clock.now()
    if pushed.rejected:
        # Some of them, and the answer does not say which: a smaller company each time until the bad one stands alone.
        failure = RejectedError("platform.refused_batch", f"{pushed.rejected} rejected")
        return _refused(db, context, batch, claim, failure, some_arrived=pushed.accepted > 0)
    with db.transaction() as tx:
        outbox.mark_accepted(
            tx, context.connection, batch, claim, pushed.request_id, now=now, coalesce=context.pace.coalesce
        )
        if batch[0].kind is RecordKind.CONTACT:
            spoken.log_forced(tx, context.connection, [row.id for row in batch], now)
        if pace.record_success(tx, context.connection, "push"):
            case_reporting.unblock_connection(tx, context, OUTAGES, by="deliver")
        if pushed.queue_limit and pushed.queue_remaining is not None:
            # Ometria works its queue off at some pace we do not know; while it is behind, silence proves nothing.
            behind = pushed.queue_limit - pushed.queue_remaining
            if behind > 10 * plan.BATCH:
                feed.delay_until(tx, context.connection, now + context.pace.settle_after)
    return Delivered(len(batch), len(batch))


def _failed(
    db: Database, context: ConnectionContext, batch: Sequence[ClaimedPush], claim: UUID, failure: Failure
) -> Delivered:
    match failure:
        case RejectedError():
            return _refused(db, context, batch, claim, failure)
        case TransientError(may_have_arrived=True):
            return _unanswered(db, context, batch, claim, failure)
        case _:
            return _turned_away(db, context, batch, claim, failure)


def _turned_away(
    db: Database, context: ConnectionContext, batch: Sequence[ClaimedPush], claim: UUID, failure: Failure
) -> Delivered:
    """Nothing arrived: 429, no connection, or a key that is refused. Nobody's record is at fault, so none is blamed."""
    now = context.clock.now()
    with db.transaction() as tx:
        n = pace.count_failures(tx, context.connection, "push") + 1
        wait = min(wait_after_attempt(n, failure.retry_after), LONGEST_WAIT)
        outbox.release_failed(tx, context.connection, batch, claim, now=now, due_at=now, outcome="deferred")
        pace.back_off(tx, context.connection, "push", now + wait)
        if failure.code == "platform.rate_limited":
            increment(tx, context.connection, {"push.limited": 1})
        if isinstance(failure, BlockedError):
            case_reporting.block_connection(tx, context, failure)
        elif n >= OUTAGE_AFTER:
            cases.open_or_count(tx, context.connection, [case_reporting.case_for(failure)], now)
    return Delivered(len(batch), 0, failure.code)


def _unanswered(
    db: Database, context: ConnectionContext, batch: Sequence[ClaimedPush], claim: UUID, failure: Failure
) -> Delivered:
    """It may have arrived. The state of each record is unknown; it is sent again, a moment is looked for first."""
    now = context.clock.now()
    most = max(row.attempts for row in batch)
    company = next((size for after, size in reversed(UNANSWERED) if most >= after), None)
    with db.transaction() as tx:
        n = pace.back_off(tx, context.connection, "push", now + timedelta(seconds=min(0.25 * 2 ** min(most, 6), 15)))
        if len(batch) == 1 and most >= GIVE_UP_AFTER and n <= 1:  # while others are answered
            _bury(tx, context, batch, claim, RejectedError("platform.unanswered"), now)
        else:
            outbox.release_failed(
                tx,
                context.connection,
                batch,
                claim,
                now=now,
                due_at=now + context.pace.coalesce,
                outcome="unanswered",
                batch_max=company,
                may_be_there=True,
            )
        if n >= OUTAGE_AFTER:
            cases.open_or_count(tx, context.connection, [case_reporting.case_for(failure)], now)
    return Delivered(len(batch), 0, failure.code)


def _refused(
    db: Database,
    context: ConnectionContext,
    batch: Sequence[ClaimedPush],
    claim: UUID,
    failure: Failure,
    *,
    some_arrived: bool = False,
) -> Delivered:
    """The batch was refused: a single record is buried, several go again in smaller company.

    Where it was refused in part, moments are looked for first: those that arrived must not fire again.
    """
    now = context.clock.now()
    with db.transaction() as tx:
        if len(batch) == 1:
            _bury(tx, context, batch, claim, failure, now)
        elif failure.code == TOO_LARGE:
            # Something on the way takes fewer bytes than Ometria does: no record is at fault yet.
            half = sum(len(row.body) for row in batch) // 2
            pace.limit_bytes(tx, context.connection, "push", half, now + LESS_FOR)
            outbox.release_failed(tx, context.connection, batch, claim, now=now, due_at=now, outcome="refused")
        else:
            outbox.release_failed(
                tx,
                context.connection,
                batch,
                claim,
                now=now,
                due_at=now,
                outcome="refused",
                batch_max=plan.next_bisect_size(len(batch)),
                may_be_there=some_arrived,
            )
        pace.record_success(tx, context.connection, "push")
    return Delivered(len(batch), 0, failure.code)


def _bury(
    tx: Tx, context: ConnectionContext, batch: Sequence[ClaimedPush], claim: UUID, failure: Failure, now: datetime
) -> None:
    """Dead letters, each with its case; none of what others have claimed since."""
    refused = [(row.kind, row.id, row.hash) for row in batch]
    buried = outbox.dead_letter(tx, context.connection, refused, failure.code, now, claim)
    touches = [
        body_difference.describe_refusal(context, row.kind, row.id, row.body, failure.code, failure.detail, None)
        for row in batch
        if f"{row.kind}:{row.id}" in buried
    ]
    cases.open_or_count(tx, context.connection, touches, now)
