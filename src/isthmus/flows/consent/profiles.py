"""Ask the platform whose profile changed, to conclude from it what it lists nowhere else.

Opt-outs by API, form or file, and every re-subscription, are in no list: they are seen only where a profile says
something else than before.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from isthmus.db.pool import Database
from isthmus.flows import readings
from isthmus.flows.consent import unsubscribes
from isthmus.flows.consent.conclude import conclude
from isthmus.flows.consent.person import people_of
from isthmus.flows.consent.theirs import LOOK_AFTER
from isthmus.flows.consent.unsubscribes import seen
from isthmus.flows.merges import noticed
from isthmus.flows.road import Road
from isthmus.identity.profiles import sql as profiles
from isthmus.identity.profiles.sql import Profile
from isthmus.model.consent import Channel
from isthmus.model.failure import Failure
from isthmus.ometria import answers
from isthmus.ometria.client import PAGE
from isthmus.runs import sql as runs
from isthmus.runs import window

MARK = "listen:profiles"
NOW = "listen:profiles:now"
"""The look that is under way: when it began, and the offset it got to."""

OVERLAP = timedelta(minutes=2)
LOOKING = timedelta(seconds=30)
"""How long a profile is one worker's to look at."""

LOOKS = 8
"""Profiles that are looked at one by one in one round: two seconds of a budget of four a second."""


def is_due(db: Database, road: Road) -> bool:
    """Whether it is time for a look at what changed, or one that was stopped is to go on."""
    with db.transaction() as tx:
        marks = runs.marks(tx, road.connection)
    last = marks.get(("", MARK))
    return ("", NOW) in marks or window.is_due(last.at if last else None, road.clock.now(), road.pace.profiles_every)


def hear(db: Database, road: Road, goes_on: Callable[[], bool] = lambda: True) -> int:
    """What changed since the last look, page by page; how many profiles. A look that is stopped goes on later.

    The first look reads everybody there is. One worker at a time looks.
    """
    now = road.clock.now()
    with db.transaction() as tx:
        if not runs.take(tx, road.connection, MARK, now, now + LOOKING):
            return 0
    try:
        return _hear(db, road, goes_on)
    finally:
        with db.transaction() as tx:
            runs.hold_until(tx, road.connection, MARK, road.clock.now())


def _hear(db: Database, road: Road, goes_on: Callable[[], bool]) -> int:
    with db.transaction() as tx:
        marks = runs.marks(tx, road.connection)
        begun = marks.get(("", NOW))
        if begun is None or begun.at is None:
            runs.begin(tx, road.connection, "", [NOW], road.clock.now())
            begun = runs.marks(tx, road.connection)["", NOW]
    assert begun.at is not None  # noqa: S101 - it was just begun
    mark = marks.get(("", MARK))
    since = None if mark is None or mark.at is None else mark.at - OVERLAP
    offset, n = int(begun.cursor or 0), 0
    while goes_on():
        readings.wait_for_the_next(db, road)
        at = road.clock.now()
        with db.transaction() as tx:
            runs.hold_until(tx, road.connection, MARK, at + LOOKING)
        try:
            page = road.platform.profiles(offset=offset, since=since)
            noticed.look(db, road, page)  # before anything is concluded from what two people's profile says
        except Failure as failure:
            with db.transaction() as tx:
                readings.failed(tx, road, failure, "profiles")
            return n
        found = _found(page, at)
        conclude(db, road, found)
        n += len(found)
        is_last = len(page) < PAGE
        offset += len(page) - readings.OVERLAP
        with db.transaction() as tx:
            readings.went_through(tx, road, "profiles")
            if is_last:
                runs.start_over(tx, road.connection, "", [NOW])
                runs.advance(tx, road.connection, "", MARK, begun.at, begun.n + n)
                return n
            runs.turn_page(tx, road.connection, "", NOW, str(offset), len(found), at)
    return n


class Swept(Struct, frozen=True):
    """One reading of everybody there is: whether it came to its end, from when to when, and whom it listed."""

    is_whole: bool
    began: datetime
    ended: datetime
    listed: frozenset[str]


def sweep(db: Database, road: Road, *, repair: bool, tell: Callable[[int], None] = lambda _: None) -> Swept:
    """Read everybody there is. Without `repair` nothing is concluded from it."""
    offset = n = 0
    began = road.clock.now()
    listed: set[str] = set()
    while True:
        readings.wait_for_the_next(db, road)
        at = road.clock.now()
        try:
            page = road.platform.profiles(offset=offset)
        except Failure as failure:
            with db.transaction() as tx:
                readings.failed(tx, road, failure, "profiles")
            return Swept(False, began, at, frozenset(listed))
        found = _found(page, at)
        listed |= {one.id for one in found}
        with db.transaction() as tx:
            readings.went_through(tx, road, "profiles")
            if not repair:
                profiles.note(tx, road.connection, found)
        if repair:
            conclude(db, road, found)
        n += len(found) if offset == 0 else max(0, len(found) - readings.OVERLAP)
        tell(n)
        if len(page) < PAGE:
            return Swept(True, began, at, frozenset(listed))
        offset += len(page) - readings.OVERLAP


def look_up(db: Database, road: Road, emails: Sequence[str], *, repair: bool) -> None:
    """Read the people of these addresses, one by one. Raises what the reading raises."""
    for email in sorted(set(emails)):
        readings.wait_for_the_next(db, road)
        found = _found(road.platform.profiles(email=email), road.clock.now())
        if repair:
            conclude(db, road, found)
        else:
            with db.transaction() as tx:
                profiles.note(tx, road.connection, found)


def look_again(db: Database, road: Road) -> int:
    """Look at people of whom something was under way, one by one; how many.

    Each is one worker's at a time. Of whom something still is under way on our side nothing is asked yet.
    """
    now = road.clock.now()
    with db.transaction() as tx:
        wanted = profiles.take(tx, road.connection, now, now + LOOKING, LOOKS)
        moving = {one.now.id for one in people_of(tx, road, wanted) if any(map(one.is_moving, Channel))}
        profiles.postpone(tx, road.connection, sorted(moving), now + LOOK_AFTER)
    for one in wanted:
        if one.id in moving:
            continue
        readings.wait_for_the_next(db, road)
        at = road.clock.now()
        try:
            item = road.platform.profile(one.id)
            noticed.look(db, road, [] if item is None else [item])
        except Failure:
            return len(wanted)
        if item is None:
            with db.transaction() as tx:
                profiles.forget(tx, road.connection, [one.id])
        else:
            conclude(db, road, _found([item], at))
    return len(wanted) - len(moving)


def look_at(db: Database, road: Road, ids: Sequence[str], emails: Sequence[str] = ()) -> int:
    """Look at these profiles now, by id or address, because a person asks for it; how many there were.

    One that is no longer there ends the cases that are about it.
    """
    n = 0
    for own, email in [*((one, "") for one in ids), *(("", one) for one in emails)]:
        readings.wait_for_the_next(db, road)
        at = road.clock.now()
        if own:
            item = road.platform.profile(own)
            found = [] if item is None else [item]
        else:
            found = list(road.platform.profiles(email=email))
        noticed.look(db, road, found)
        conclude(db, road, _found(found, at))
        n += len(found)
        if own:
            unsubscribes.look_at(db, road, own, found[0] if found else None)
    return n


def _found(page: Sequence[dict[str, Any]], at: datetime) -> list[Profile]:
    told = [told for item in page if (told := answers.profile(item)) is not None]
    return [seen(one, at) for one in {one.id: one for one in told}.values()]
