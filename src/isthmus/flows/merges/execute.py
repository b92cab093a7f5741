"""Ask Ometria to merge two people, at most once a minute, and never twice without having looked.

A merge cannot be undone, so everything that speaks against it is looked at right before it is asked for. That it is
asked for is committed before the request leaves: whoever comes after a killed process finds it so, and looks it up.
"""

from datetime import datetime, timedelta

from msgspec import Struct

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Database, Tx
from isthmus.flows import case_reporting, store_records
from isthmus.flows.context import ConnectionContext
from isthmus.flows.merges.merge_facts import load_merge_sides
from isthmus.flows.read_budget import acquire_read_slot
from isthmus.identity import merge_rules
from isthmus.identity.match import Account, Link
from isthmus.identity.merge_rules import Side, There
from isthmus.identity.sql import duplicates, merges, profiles
from isthmus.identity.sql import links as identity
from isthmus.identity.sql.merges import MergeLogEntry, QueuedMerge
from isthmus.mapping.sms_contact import sms_contact_id
from isthmus.model.failure import BlockedError, Failure, RejectedError, TransientError
from isthmus.ometria import limits
from isthmus.outbox.sql import contacts as words
from isthmus.outbox.sql import rate_limit as pace

PER_SECOND = limits.MERGES_PER_MINUTE / 60

VERIFY_AFTER = timedelta(minutes=2)
"""When an ask whose answer nobody heard is looked up: Ometria takes its time, how long is not documented."""

AGAIN_AFTER = timedelta(seconds=30)
"""When to look again whether what is under way of the two has been settled, and after a reading that failed."""

MOST_ASKED = 3
"""Asks of one merge. After that Ometria does not do it, and a person must find out why."""

REFUSED = "platform.merge_refused"


class MergeStepResult(Struct, frozen=True):
    """What one step did: `what` is done, refused, asked, put_off, or "" when nothing was due."""

    what: str = ""
    merge: int | None = None
    why: str = ""


class _Ready(Struct, frozen=True):
    merge: QueuedMerge
    survivor: Side
    loser: Side


def run_next_merge(db: Database, context: ConnectionContext) -> MergeStepResult:
    """Take the merge whose turn it is one step on. In shadow mode nobody is merged."""
    if not context.is_live:
        return MergeStepResult()
    now = context.clock.now()
    with db.transaction() as tx:
        merge = merges.next_due_merge(tx, context.connection, now)
        if merge is None:
            return MergeStepResult()
        # Nobody else takes it while it is looked at; a killed holder leaves it due again.
        merges.defer_merge(tx, context.connection, merge.id, now + AGAIN_AFTER, merge.state, merge.why or "")
        found = _gathered(tx, context, merge)
        if merge.state == "wanted":
            if isinstance(found, str):
                return _refuse(tx, context, merge, found, now)
            if found.survivor.n_moving or found.loser.n_moving:
                why = "writes of theirs are not settled yet"
                merges.defer_merge(tx, context.connection, merge.id, now + AGAIN_AFTER, "wanted", why)
                return MergeStepResult("put_off", merge.id, why)
    if isinstance(found, str):
        with db.transaction() as tx:
            return _refuse(tx, context, merge, found, now)
    try:
        seen = _look(db, context, found)
    except Failure as failure:
        return _could_not(db, context, merge, failure)
    if merge.state == "asked":
        return _looked_up(db, context, found, seen)
    return _ask(db, context, found, seen)


def _gathered(tx: Tx, context: ConnectionContext, merge: QueuedMerge) -> _Ready | str:
    """Both people as they are now, or why they are not to be merged."""
    known = load_merge_sides(tx, context, (merge.survivor, merge.loser))
    survivor, loser = known.get(merge.survivor), known.get(merge.loser)
    if survivor is None or loser is None:
        return "one of them is gone from the shop"
    if merge.state == "asked":
        return _Ready(merge, survivor, loser)
    are_apart = duplicates.is_dismissed(tx, context.connection, survivor.account, loser.account)
    against = merge_rules.objections_by_records(survivor, loser, are_apart=are_apart)
    return "; ".join(against) if against else _Ready(merge, survivor, loser)


def _look(db: Database, context: ConnectionContext, ready: _Ready) -> tuple[list[There], list[There]]:
    """The profiles of both, each found by its addresses and compared exactly, since a search may tell of others."""
    return _profiles(db, context, ready.survivor), _profiles(db, context, ready.loser)


def _profiles(db: Database, context: ConnectionContext, side: Side) -> list[There]:
    found: dict[str, There] = {}
    for email in sorted(side.emails):
        acquire_read_slot(db, context)
        for profile in context.platform.profiles(email=email):
            seen = merge_rules.platform_side(profile)
            if email in seen.emails:
                found[seen.id] = seen
    return list(found.values())


def _ask(
    db: Database, context: ConnectionContext, ready: _Ready, seen: tuple[list[There], list[There]]
) -> MergeStepResult:
    merge, now = ready.merge, context.clock.now()
    if _is_one(seen):
        return _done(db, context, ready, "Ometria knew them as one already", None)
    against = merge_rules.objections_by_profiles(ready.survivor, ready.loser, seen)
    with db.transaction() as tx:
        if against:
            return _refuse(tx, context, merge, "; ".join(against), now)
        if pace.is_backing_off(tx, context.connection, "merge", now):
            # Somebody was merged less than a minute ago; whoever waits for that could do nothing else.
            merges.defer_merge(
                tx, context.connection, merge.id, now + timedelta(seconds=1 / PER_SECOND), "wanted", "its turn"
            )
            return MergeStepResult("put_off", merge.id, "one merge a minute")
        survivor, loser = seen[0][0], seen[1][0]
        if not merges.mark_requested(tx, context.connection, merge, (survivor.id, loser.id), now, now + VERIFY_AFTER):
            return MergeStepResult("put_off", merge.id, "somebody else is at it")
        pace.reserve_slot(tx, context.connection, "merge", PER_SECOND, now)
        _say(tx, context, ready, "asked", f"{survivor.id} and {loser.id}", now)
    try:
        assert survivor.customer_id is not None and loser.customer_id is not None  # noqa: PT018, S101 - weighed
        request_id = context.platform.merge(survivor.customer_id, [loser.customer_id])
    except TransientError as failure:
        return _unanswered(db, context, ready, failure)
    except RejectedError as failure:
        return _rejected(db, context, ready, failure)
    except BlockedError as failure:
        with db.transaction() as tx:
            merges.defer_merge(tx, context.connection, merge.id, now + VERIFY_AFTER, "wanted", failure.code)
        return _could_not(db, context, merge, failure)
    return _done(db, context, ready, "", request_id, loser.id)


def _unanswered(db: Database, context: ConnectionContext, ready: _Ready, failure: TransientError) -> MergeStepResult:
    now = context.clock.now()
    with db.transaction() as tx:
        if failure.may_have_arrived:
            _say(tx, context, ready, "unanswered", failure.code, now)
            return MergeStepResult("asked", ready.merge.id, failure.code)
        wait = timedelta(seconds=1 / PER_SECOND)
        pace.back_off(tx, context.connection, "merge", now + wait)
        merges.defer_merge(tx, context.connection, ready.merge.id, now + wait, "wanted", failure.code)
    return MergeStepResult("put_off", ready.merge.id, failure.code)


def _rejected(db: Database, context: ConnectionContext, ready: _Ready, failure: RejectedError) -> MergeStepResult:
    """Ometria says no, which it also does to a merge it has made already: look, then believe it."""
    try:
        seen = _look(db, context, ready)
    except Failure as other:
        return _could_not(db, context, ready.merge, other)
    if _is_one(seen):
        return _done(db, context, ready, "found done", None)
    now = context.clock.now()
    with db.transaction() as tx:
        return _refuse(tx, context, ready.merge, failure.detail, now, is_platforms=True)


def _looked_up(
    db: Database, context: ConnectionContext, ready: _Ready, seen: tuple[list[There], list[There]]
) -> MergeStepResult:
    """What became of an ask that nobody heard the answer to."""
    if _is_one(seen):
        return _done(db, context, ready, "looked up", None, ready.merge.loser_profile)
    merge, now = ready.merge, context.clock.now()
    with db.transaction() as tx:
        if merge.n_asked >= MOST_ASKED:
            why = f"asked {merge.n_asked} times, and they are still two"
            return _refuse(tx, context, merge, why, now, is_platforms=True)
        merges.defer_merge(tx, context.connection, merge.id, now, "wanted", "looked up: not done")
        _say(tx, context, ready, "looked_up", "they are still two", now)
    return MergeStepResult("put_off", merge.id, "looked up: not done")


def _is_one(seen: tuple[list[There], list[There]]) -> bool:
    """Whether one profile answers to the addresses of both."""
    return len(seen[0]) == 1 and {one.id for one in seen[0]} == {one.id for one in seen[1]}


def _done(
    db: Database, context: ConnectionContext, ready: _Ready, why: str, request_id: str | None, gone: str | None = None
) -> MergeStepResult:
    """Ometria knows one person: so do we from now on, and what it deleted goes there again."""
    now = context.clock.now()
    with db.transaction() as tx:
        move_links(tx, context, ready.survivor, ready.loser, now)
        merges.close_merge(tx, context.connection, ready.merge.id, "done", now, why or None, request_id)
        if gone is not None:
            profiles.delete_profiles(tx, context.connection, [gone])
        allowed = merge_rules.stricter_consent(ready.survivor.email, ready.loser.email)
        _say(tx, context, ready, "done", f"{why or 'asked for'}; email {allowed}", now)
        subjects = [f"contact:{ready.loser.contact}"]
        cases.resolve_by_code(tx, context.connection, REFUSED, now, by="merge", subjects=subjects)
    return MergeStepResult("done", ready.merge.id, why)


def move_links(tx: Tx, context: ConnectionContext, survivor: Side, loser: Side, now: datetime) -> None:
    """Links follow the survivor, orders follow the links, and the contacts that were deleted are sent again."""
    # Each of them, so that whoever later gives the address up still belongs to the person they are over there.
    links = identity.links_of_customers(tx, context.connection, sorted(loser.accounts))
    joined: list[tuple[Link, Account]] = [(link, survivor.account) for link in links]
    store_records.store_records(tx, context, [], now, joined)
    second = [
        sms_contact_id(number, context.shops[store].rules) for store, number in loser.accounts if store in context.shops
    ]
    words.requeue_deleted_on_platform(tx, context.connection, [*loser.contacts, *second], now)
    entries = [MergeLogEntry(survivor.contact, link.contact, merges.FOLLOWED, "us") for link in links]
    merges.append_log(tx, context.connection, entries, now)


def _refuse(
    tx: Tx, context: ConnectionContext, merge: QueuedMerge, why: str, now: datetime, *, is_platforms: bool = False
) -> MergeStepResult:
    merges.close_merge(tx, context.connection, merge.id, "refused", now, why)
    survivor, loser = _name(context, merge.survivor), _name(context, merge.loser)
    merges.append_log(
        tx, context.connection, [MergeLogEntry(survivor, loser, "refused", merge.wanted_by, why, merge.id)], now
    )
    if is_platforms:
        cases.open_or_count(tx, context.connection, [Touch(REFUSED, f"contact:{loser}", "", why)], now)
    return MergeStepResult("refused", merge.id, why)


def _could_not(db: Database, context: ConnectionContext, merge: QueuedMerge, failure: Failure) -> MergeStepResult:
    """A reading failed, or the account is shut: nothing is known, so nothing changes but when to look again."""
    if isinstance(failure, BlockedError):
        with db.transaction() as tx:
            case_reporting.block_connection(tx, context, failure)
    return MergeStepResult("put_off", merge.id, failure.code)


def _say(tx: Tx, context: ConnectionContext, ready: _Ready, what: str, detail: str, now: datetime) -> None:
    merge = ready.merge
    entry = MergeLogEntry(ready.survivor.contact, ready.loser.contact, what, merge.wanted_by, detail, merge.id)
    merges.append_log(tx, context.connection, [entry], now)


def _name(context: ConnectionContext, account: Account) -> str:
    shop = context.shops.get(account[0])
    return f"{shop.rules.namespace if shop else ''}{account[1]}"
