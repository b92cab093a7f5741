"""Ask the platform who unsubscribed: the quickest of its ways to tell, though it leaves out API, forms and files.

https://docs.ometria.com/reference/get_unsubscribes
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from isthmus.cases import sql as cases
from isthmus.cases.sql import Touch
from isthmus.db.pool import Database
from isthmus.flows import readings
from isthmus.flows.consent import theirs
from isthmus.flows.consent.theirs import Said
from isthmus.flows.road import Road
from isthmus.identity.profiles import sql as profiles
from isthmus.identity.profiles.sql import Profile
from isthmus.kit.email import normalise
from isthmus.model.consent import Channel, Claim
from isthmus.model.failure import Failure
from isthmus.ometria import answers
from isthmus.ometria.answers import Unsubscribed
from isthmus.runs import sql as runs

MARK = "listen:unsubscribes"
WIDE = "listen:unsubscribes:wide"

OVERLAP = timedelta(minutes=10)
WIDE_OVERLAP = timedelta(days=2)
WIDE_EVERY = timedelta(hours=1)
"""When something is listed after it happened is not documented: once an hour we look back much further."""

HELD = timedelta(seconds=30)
"""How long a look is one worker's."""

SMS = "stopword"
"""How the types begin that were said by text message."""

SOURCE = "ometria.unsubscribes"

UNNAMED = "consent.unnamed_opt_out"


def hear(db: Database, road: Road) -> int:
    """One look at the list; how many statements it held that were asked for. The first reads all there ever were.

    One worker at a time looks.
    """
    now = road.clock.now()
    with db.transaction() as tx:
        if not runs.take(tx, road.connection, MARK, now, now + HELD):
            return 0
    try:
        return _hear(db, road, now)
    finally:
        with db.transaction() as tx:
            runs.hold_until(tx, road.connection, MARK, road.clock.now())


def _hear(db: Database, road: Road, now: datetime) -> int:
    with db.transaction() as tx:
        marks = runs.marks(tx, road.connection)
    mark, wide = marks.get(("", MARK)), marks.get(("", WIDE))
    is_wide = wide is None or wide.at is None or wide.at + WIDE_EVERY <= now
    since = mark.at - (WIDE_OVERLAP if is_wide else OVERLAP) if mark is not None and mark.at is not None else None
    readings.wait_for_the_next(db, road)
    asked_at = road.clock.now()
    try:
        listed = road.platform.unsubscribes(since)
    except Failure as failure:
        with db.transaction() as tx:
            readings.failed(tx, road, failure, "unsubscribes")
        return 0
    named = _named(db, road, listed)
    said = [one for item in listed if (one := _said(item, named)) is not None]
    unnamed = [item for item in listed if _said(item, named) is None]
    with db.transaction() as tx:
        readings.went_through(tx, road, "unsubscribes")
        guests = theirs.take(tx, road, said, asked_at)
        runs.advance(tx, road.connection, "", MARK, asked_at, len(said))
        if is_wide:
            runs.advance(tx, road.connection, "", WIDE, asked_at, 0)
        touches = [Touch(UNNAMED, f"profile:{item.profile_id or 'unnamed'}", "", harmless(item)) for item in unnamed]
        cases.touch(tx, road.connection, touches, asked_at)
    # The opt-outs of the past are no items for anybody; they hold all the same.
    theirs.look_for(db, road, guests, is_told=since is not None)
    return len(said)


def look_at(db: Database, road: Road, profile: str, item: dict[str, Any] | None) -> None:
    """A profile whose opt-out named no address was looked at again: its opt-out is taken where it has one now."""
    subject = f"profile:{profile}"
    told = answers.profile(item) if item is not None else None
    now = road.clock.now()
    with db.transaction() as tx:
        is_open = (UNNAMED, "", subject) in cases.open_subjects(tx, road.connection, [UNNAMED])
        if item is None:
            for code in (UNNAMED, theirs.GUEST):
                cases.resolve(
                    tx,
                    road.connection,
                    code,
                    now,
                    "consent",
                    subjects=[subject],
                    note="Ometria no longer has the profile, so it writes to nobody by it",
                )
            return
        email = normalise(told.email) if told is not None else None
        if not is_open or email is None:
            return
        guests = theirs.take(tx, road, [Said(Claim(Channel.EMAIL, email, "UNSUBSCRIBED", SOURCE), subject)], now)
        cases.resolve(
            tx,
            road.connection,
            UNNAMED,
            now,
            "consent",
            subjects=[subject],
            note="the profile has an address now, and its opt-out was taken",
        )
    theirs.look_for(db, road, guests, is_told=False)


def harmless(item: Unsubscribed) -> str:
    """What may be said of an unsubscription that names nobody: its type."""
    return answers.harmless(item.kind or "no type")


def _said(item: Unsubscribed, named: Mapping[str, Profile]) -> Said | None:
    """The statement, where its address is known: text messages are listed by the person's email."""
    who = f"{theirs.PROFILE}{item.profile_id or ''}"
    profile = named.get(item.profile_id or "")
    if (item.kind or "").startswith(SMS):
        phone = profile.phone if profile is not None else None
        return Said(_claim(Channel.SMS, phone, item), who) if phone else None
    email = normalise(item.email) or (profile.email if profile is not None else None)
    return Said(_claim(Channel.EMAIL, email, item), who) if email else None


def _claim(channel: Channel, address: str, item: Unsubscribed) -> Claim:
    return Claim(channel, address, "UNSUBSCRIBED", SOURCE, at=item.at, collected_from=item.kind)


def _named(db: Database, road: Road, listed: Sequence[Unsubscribed]) -> dict[str, Profile]:
    """The profiles of those whose address the list does not tell, from what we know or by asking."""
    wanted = {
        item.profile_id
        for item in listed
        if item.profile_id and ((item.kind or "").startswith(SMS) or not normalise(item.email))
    }
    if not wanted:
        return {}
    with db.transaction() as tx:
        known = profiles.known(tx, road.connection, sorted(wanted))
    for missing in sorted(wanted - known.keys()):
        readings.wait_for_the_next(db, road)
        now = road.clock.now()
        try:
            item = road.platform.profile(missing)
        except Failure:
            continue
        if item is not None and (found := answers.profile(item)) is not None:
            known[missing] = seen(found, now)
    return known


def seen(told: answers.Profile, at: datetime) -> Profile:
    """A profile as the platform told it at a time."""
    return Profile(
        told.id,
        normalise(told.email),
        told.phone,
        told.customer_id,
        told.email_optin,
        told.sms_optin,
        at,
        told.email_optin,
        told.sms_optin,
    )
