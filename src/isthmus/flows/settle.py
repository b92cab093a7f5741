"""Find out what became of accepted records: the error feed names the refused, a read-back settles the doubtful.

Accepted is not applied. A record is applied when it was read back equal, or when the feed was watched without a gap
from its push until `settle_after` and did not name it. Silence alone is never success.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Database, Tx
from isthmus.flows import body_difference, case_reporting, read_budget, shared_properties
from isthmus.flows.context import ConnectionContext
from isthmus.model.failure import BlockedError, Failure, RejectedError
from isthmus.model.write import RecordKind
from isthmus.ometria.responses import FeedEntry
from isthmus.outbox import plan
from isthmus.outbox.sql import error_feed as feed
from isthmus.outbox.sql import queue as outbox
from isthmus.outbox.sql.error_feed import Accepted

AT_ONCE = 5_000
"""Records settled by one look at the feed."""

READ_BACKS = 8
"""Records read back after one look at the feed: two seconds of a budget of four a second."""

REFUSED = "platform.refused"
AMBIGUOUS = "platform.ambiguous_moment"

BELIEVE_AFTER = 3
"""Read-backs that must fail to find a record before it is a case: Ometria may just be slow."""


class SettleResult(Struct, frozen=True):
    """What a look at the feed brought. `is_open` when something still awaits settlement."""

    n_applied: int = 0
    n_refused: int = 0
    n_read_back: int = 0
    is_open: bool = False
    failure: str | None = None


def settle_pushes(db: Database, context: ConnectionContext) -> SettleResult:
    """Poll the feed once, settle what it allows, read back what it cannot tell."""
    with db.transaction() as tx:
        outbox.release_expired_leases(tx, context.connection, context.clock.now())
        if not feed.has_unsettled(tx, context.connection):
            return SettleResult()
    read_budget.acquire_read_slot(db, context)
    asked_at = context.clock.now()
    try:
        entries = context.platform.errors()
    except Failure as failure:
        if isinstance(failure, BlockedError):
            with db.transaction() as tx:
                case_reporting.block_connection(tx, context, failure)
        return SettleResult(is_open=True, failure=failure.code)

    with db.transaction() as tx:
        before, backlog_until = feed.load_coverage(tx, context.connection)
        if any(entry.fingerprint is None for entry in entries):
            # Entries that name no record: the feed says that something was refused, not what. Read back everything.
            seen = plan.FeedCoverage(asked_at, asked_at, frozenset())
        else:
            seen = plan.update_feed_coverage(
                before, [entry.fingerprint for entry in entries if entry.fingerprint], asked_at
            )
        feed.save_coverage(tx, context.connection, seen)
        n_refused = _bury_the_named(tx, context, entries)
        n_applied, sample = 0, []
        until = asked_at - context.pace.settle_after
        if seen.covered_since is not None and (backlog_until is None or backlog_until <= asked_at):
            unnamed = feed.confirmable_by_feed(tx, context.connection, seen.covered_since, until, AT_ONCE)
            n_applied = _apply(tx, context, unnamed)
            sample = _sample(unnamed, context.pace.read_back)
        doubtful = feed.needs_readback(
            tx,
            context.connection,
            before=min(seen.covered_since or asked_at, until),
            moment_quiet=until,
            limit=READ_BACKS,
        )
    n_found = sum(_read_back(db, context, record) for record in [*doubtful, *sample])
    with db.transaction() as tx:
        is_open = feed.has_unsettled(tx, context.connection)
    return SettleResult(n_applied + n_found, n_refused, len(doubtful) + len(sample), is_open)


def _bury_the_named(tx: Tx, context: ConnectionContext, entries: Sequence[FeedEntry]) -> int:
    """Refused records become dead letters, unless they have been sent or changed again since that push.

    Those that were believed to be there too: Ometria may refuse later than anybody waits for it.
    """
    paths = {(e.request_id, e.record_id): e.path for e in entries if e.request_id and e.record_id}
    refused: dict[str, tuple[Accepted, str]] = {}
    for record in feed.find_refused(tx, context.connection, sorted({name for _, name in paths})):
        if (path := paths.get((record.request_id or "", record.id))) is not None:
            refused[f"{record.kind}:{record.id}"] = (record, path)
    named = [(record.kind, record.id, record.hash) for record, _ in refused.values()]
    buried = outbox.dead_letter(tx, context.connection, named, REFUSED, context.clock.now())
    touches = [
        body_difference.describe_refusal(
            context, r.kind, r.id, context.packer.unpack(r.body), REFUSED, f"at {path}", r.request_id
        )
        for r, path in (refused[subject] for subject in buried)
    ]
    cases.open_or_count(tx, context.connection, touches, context.clock.now())
    return len(buried)


def _apply(tx: Tx, context: ConnectionContext, records: Sequence[Accepted]) -> int:
    """These are there: whatever case said that they were not is over."""
    now = context.clock.now()
    subjects = outbox.confirm_applied(tx, context.connection, [(r.kind, r.id, r.hash) for r in records], now)
    cases.resolve_subjects(tx, context.connection, subjects, "platform.", now, by="settle")
    return len(subjects)


def _sample(applied: Sequence[Accepted], share: float) -> list[Accepted]:
    """A share of what silence settled, chosen by content so that every process would choose the same."""
    return [r for r in applied if int.from_bytes(r.hash[:4], "big") < share * 2**32][:READ_BACKS]


def _read_back(db: Database, context: ConnectionContext, record: Accepted) -> bool:
    """Look at one record in Ometria and conclude; whether it is there as sent."""
    read_budget.acquire_read_slot(db, context)
    sent: Mapping[str, Any] = msgspec.json.decode(context.packer.unpack(record.body))
    try:
        found = _look(context, record, sent)
    except Failure as failure:
        # Could not look. A state can simply be sent again; a moment must wait until someone can look.
        with db.transaction() as tx:
            read_budget.record_failure(tx, context, failure, record.kind.value)
            if record.kind is not RecordKind.MOMENT and failure.code == "platform.read_path_unknown":
                outbox.requeue(tx, context.connection, [(record.kind, record.id, record.hash)], context.clock.now())
            elif record.kind is RecordKind.MOMENT and failure.code in read_budget.OF_PATH:
                # Nobody can look, now or later: only a person can say whether it is there.
                failure = RejectedError(AMBIGUOUS, f"it may have been sent; {failure.code}")
                touch = case_reporting.case_for(failure, f"{record.kind}:{record.id}")
                cases.open_or_count(tx, context.connection, [touch], context.clock.now())
        return False
    where = (
        None
        if found is None
        else plan.first_difference(shared_properties.without_shared_properties(context, record.kind, sent), found)
    )
    is_there = found is not None and (where is None or record.kind is RecordKind.MOMENT)
    now = context.clock.now()
    with db.transaction() as tx:
        read_budget.record_success(tx, context, record.kind.value)
        this = [(record.kind, record.id, record.hash)]
        if is_there:
            _apply(tx, context, [record])
            if found is not None and plan.first_difference(sent, found) is None:
                # All of it is there, what is shared too: whatever else it holds is by somebody else's hand.
                shared_properties.save_foreign_properties(tx, context, record.kind, {record.id: found}, now, now)
        elif record.doubts + 1 < BELIEVE_AFTER or record.kind is RecordKind.MOMENT:
            outbox.requeue(tx, context.connection, this, now + timedelta(seconds=record.doubts))
        else:
            code = "platform.not_applied" if found is None else "platform.differs"
            buried = outbox.dead_letter(tx, context.connection, this, code, now)
            told = body_difference.describe_write_difference(
                context, record.kind.value, record.id, where, sent, found, record.request_id
            )
            touches = [
                Touch(code, subject, "", body_difference.difference_as_text(told), difference=told)
                for subject in buried
            ]
            cases.open_or_count(tx, context.connection, touches, now)
    return is_there


def _look(context: ConnectionContext, record: Accepted, sent: Mapping[str, Any]) -> dict[str, Any] | None:
    match record.kind:
        case RecordKind.CONTACT | RecordKind.SMS:
            return context.platform.contact(sent["@collection"], record.id)
        case RecordKind.ORDER:
            return context.platform.order(record.id)
        case RecordKind.PRODUCT:
            return context.platform.product(record.id)
        case RecordKind.MOMENT:
            return context.platform.event(record.id)
