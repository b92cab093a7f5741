"""Ask Ometria whose profile changed, to conclude from it what it lists nowhere else.

Opt-outs by API, form or file, and every re-subscription, are in no list: they are seen only where a profile says
something else than before.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from isthmus.db.pool import Database
from isthmus.flows import read_budget
from isthmus.flows.consent import poll_unsubscribes
from isthmus.flows.consent.apply_profile_changes import apply_profile_changes
from isthmus.flows.consent.platform_statements import SEARCH_AFTER
from isthmus.flows.consent.poll_unsubscribes import known_profile
from isthmus.flows.consent.profile_facts import load_profile_facts
from isthmus.flows.context import ConnectionContext
from isthmus.flows.merges import detect_external
from isthmus.identity.sql import profiles
from isthmus.identity.sql.profiles import KnownProfile
from isthmus.model.consent import Channel
from isthmus.model.failure import Failure
from isthmus.ometria import responses
from isthmus.ometria.client import PAGE
from isthmus.runs import window
from isthmus.runs.sql import watermarks as runs

MARK = "listen:profiles"
NOW = "listen:profiles:now"
"""The look that is under way: when it began, and the offset it got to."""

OVERLAP = timedelta(minutes=2)
RECHECK_WAITS = timedelta(seconds=30)
"""How long a profile is one worker's to look at."""

RECHECKS_AT_ONCE = 8
"""Profiles that are looked at one by one in one round: two seconds of a budget of four a second."""


def is_poll_due(db: Database, context: ConnectionContext) -> bool:
    """Whether it is time for a look at what changed, or one that was stopped is to go on."""
    with db.transaction() as tx:
        marks = runs.load_watermarks(tx, context.connection)
    last = marks.get(("", MARK))
    return ("", NOW) in marks or window.is_window_due(
        last.at if last else None, context.clock.now(), context.pace.profiles_every
    )


def poll_profiles(db: Database, context: ConnectionContext, goes_on: Callable[[], bool] = lambda: True) -> int:
    """What changed since the last look, page by page; how many profiles. A look that is stopped goes on later.

    The first look reads everybody there is. One worker at a time looks.
    """
    now = context.clock.now()
    with db.transaction() as tx:
        if not runs.take_turn(tx, context.connection, MARK, now, now + RECHECK_WAITS):
            return 0
    try:
        return _hear(db, context, goes_on)
    finally:
        with db.transaction() as tx:
            runs.extend_turn(tx, context.connection, MARK, context.clock.now())


def _hear(db: Database, context: ConnectionContext, goes_on: Callable[[], bool]) -> int:
    with db.transaction() as tx:
        marks = runs.load_watermarks(tx, context.connection)
        begun = marks.get(("", NOW))
        if begun is None or begun.at is None:
            runs.create_watermarks(tx, context.connection, "", [NOW], context.clock.now())
            begun = runs.load_watermarks(tx, context.connection)["", NOW]
    assert begun.at is not None  # noqa: S101 - it was just begun
    mark = marks.get(("", MARK))
    since = None if mark is None or mark.at is None else mark.at - OVERLAP
    offset, n = int(begun.cursor or 0), 0
    while goes_on():
        read_budget.acquire_read_slot(db, context)
        at = context.clock.now()
        with db.transaction() as tx:
            runs.extend_turn(tx, context.connection, MARK, at + RECHECK_WAITS)
        try:
            page = context.platform.profiles(offset=offset, since=since)
            detect_external.detect_external_merges(
                db, context, page
            )  # before anything is concluded from what two people's profile says
        except Failure as failure:
            with db.transaction() as tx:
                read_budget.record_failure(tx, context, failure, "profiles")
            return n
        found = _found(page, at)
        apply_profile_changes(db, context, found)
        n += len(found)
        is_last = len(page) < PAGE
        offset += len(page) - read_budget.OVERLAP
        with db.transaction() as tx:
            read_budget.record_success(tx, context, "profiles")
            if is_last:
                runs.restart_loads(tx, context.connection, "", [NOW])
                runs.advance_watermark(tx, context.connection, "", MARK, begun.at, begun.n + n)
                return n
            runs.save_cursor(tx, context.connection, "", NOW, str(offset), len(found), at)
    return n


class ProfilesRead(Struct, frozen=True):
    """One reading of everybody there is: whether it came to its end, from when to when, and whom it listed."""

    is_whole: bool
    began: datetime
    ended: datetime
    listed: frozenset[str]


def read_all_profiles(
    db: Database, context: ConnectionContext, *, repair: bool, tell: Callable[[int], None] = lambda _: None
) -> ProfilesRead:
    """Read everybody there is. Without `repair` nothing is concluded from it."""
    offset = n = 0
    began = context.clock.now()
    listed: set[str] = set()
    while True:
        read_budget.acquire_read_slot(db, context)
        at = context.clock.now()
        try:
            page = context.platform.profiles(offset=offset)
        except Failure as failure:
            with db.transaction() as tx:
                read_budget.record_failure(tx, context, failure, "profiles")
            return ProfilesRead(False, began, at, frozenset(listed))
        found = _found(page, at)
        listed |= {one.id for one in found}
        with db.transaction() as tx:
            read_budget.record_success(tx, context, "profiles")
            if not repair:
                profiles.update_profiles(tx, context.connection, found)
        if repair:
            apply_profile_changes(db, context, found)
        n += len(found) if offset == 0 else max(0, len(found) - read_budget.OVERLAP)
        tell(n)
        if len(page) < PAGE:
            return ProfilesRead(True, began, at, frozenset(listed))
        offset += len(page) - read_budget.OVERLAP


def read_profiles_by_email(db: Database, context: ConnectionContext, emails: Sequence[str], *, repair: bool) -> None:
    """Read the people of these addresses, one by one. Raises what the reading raises."""
    for email in sorted(set(emails)):
        read_budget.acquire_read_slot(db, context)
        found = _found(context.platform.profiles(email=email), context.clock.now())
        if repair:
            apply_profile_changes(db, context, found)
        else:
            with db.transaction() as tx:
                profiles.update_profiles(tx, context.connection, found)


def recheck_profiles(db: Database, context: ConnectionContext) -> int:
    """Look at people of whom something was under way, one by one; how many.

    Each is one worker's at a time. Of whom something still is under way on our side nothing is asked yet.
    """
    now = context.clock.now()
    with db.transaction() as tx:
        wanted = profiles.claim_profiles(tx, context.connection, now, now + RECHECK_WAITS, RECHECKS_AT_ONCE)
        moving = {one.now.id for one in load_profile_facts(tx, context, wanted) if any(map(one.is_moving, Channel))}
        profiles.postpone_profiles(tx, context.connection, sorted(moving), now + SEARCH_AFTER)
    for one in wanted:
        if one.id in moving:
            continue
        read_budget.acquire_read_slot(db, context)
        at = context.clock.now()
        try:
            item = context.platform.profile(one.id)
            detect_external.detect_external_merges(db, context, [] if item is None else [item])
        except Failure:
            return len(wanted)
        if item is None:
            with db.transaction() as tx:
                profiles.delete_profiles(tx, context.connection, [one.id])
        else:
            apply_profile_changes(db, context, _found([item], at))
    return len(wanted) - len(moving)


def read_profiles(db: Database, context: ConnectionContext, ids: Sequence[str], emails: Sequence[str] = ()) -> int:
    """Look at these profiles now, by id or address, because a person asks for it; how many there were.

    One that is no longer there ends the cases that are about it.
    """
    n = 0
    for own, email in [*((one, "") for one in ids), *(("", one) for one in emails)]:
        read_budget.acquire_read_slot(db, context)
        at = context.clock.now()
        if own:
            item = context.platform.profile(own)
            found = [] if item is None else [item]
        else:
            found = list(context.platform.profiles(email=email))
        detect_external.detect_external_merges(db, context, found)
        apply_profile_changes(db, context, _found(found, at))
        n += len(found)
        if own:
            poll_unsubscribes.take_profile_opt_out(db, context, own, found[0] if found else None)
    return n


def _found(page: Sequence[dict[str, Any]], at: datetime) -> list[KnownProfile]:
    told = [told for item in page if (told := responses.parse_profile(item)) is not None]
    return [known_profile(one, at) for one in {one.id: one for one in told}.values()]
