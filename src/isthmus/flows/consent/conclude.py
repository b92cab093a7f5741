"""Do what follows from what the platform's profiles say: statements, cases, opt-outs that must be forced.

What a word means is told from what it was before and what we sent since (consent/sides.py has the table).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from isthmus.cases import sql as cases
from isthmus.cases.sql import Touch
from isthmus.consent.sides import Meaning
from isthmus.db.pool import Database, Tx
from isthmus.flows.consent import listing, theirs
from isthmus.flows.consent.person import Person, meanings, people_of
from isthmus.flows.consent.theirs import LOOK_AFTER, Said
from isthmus.flows.road import Road
from isthmus.flows.told import REMAP
from isthmus.identity.profiles import sql as profiles
from isthmus.identity.profiles.sql import Profile
from isthmus.inbox import sql as inbox
from isthmus.model.consent import IN, Channel, Claim
from isthmus.model.event import Hint
from isthmus.model.lane import Lane
from isthmus.outbox.spoken import sql as spoken

SOURCE = "ometria.profile"

BLOCKED = "consent.blocked_by_listing"
UNPROVEN = "consent.unproven_resubscribe"
REFUSED = "consent.opt_out_refused"


def conclude(db: Database, road: Road, found: Sequence[Profile]) -> None:
    """Hold profiles against what we know, and do what follows."""
    now = road.clock.now()
    blocked: list[Person] = []
    with db.transaction() as tx:
        people = people_of(tx, road, found)
        said: list[Said] = []
        later: dict[str, datetime | None] = {}
        meant: dict[str, dict[Channel, Meaning]] = {}
        calm: list[Person] = []
        for person in people:
            told = meanings(road, person)
            later[person.now.id] = _when_again(road, person, told, now)
            meant[person.now.id] = {channel: meaning for channel, _, meaning in told}
            if all(meaning is Meaning.CALM for _, _, meaning in told):
                calm.append(person)
            for channel, plain, meaning in told:
                said += _said(person, channel, plain, meaning)
                if meaning is Meaning.BLOCKED:
                    blocked.append(person)
                _act(tx, road, person, channel, meaning, now)
        profiles.save(tx, road.connection, [_kept(p, meant[p.now.id], later[p.now.id]) for p in people])
        _close(tx, road, calm, now)
        guests = theirs.take(tx, road, said, now)
    theirs.look_for(db, road, guests, is_told=False)
    for person in blocked:
        detail = listing.blocking(db, road, person.now.id, [one.id for one in person.contacts])
        with db.transaction() as tx:
            _touch(tx, road, person, BLOCKED, detail, road.clock.now())


def _kept(person: Person, meant: Mapping[Channel, Meaning], look_at: datetime | None) -> Profile:
    """The profile as it is remembered: of a word that was not understood yet, or not believed, what it was before."""
    now, before = person.now, person.before
    waits = {channel for channel, meaning in meant.items() if meaning in (Meaning.WAIT, Meaning.UNPROVEN)}
    if not waits:
        return msgspec.structs.replace(now, look_at=look_at)
    return msgspec.structs.replace(
        now,
        look_at=look_at,
        seen_at=before.seen_at if before is not None else now.seen_at,
        email_optin=(before.email_optin if before else None) if Channel.EMAIL in waits else now.email_optin,
        sms_optin=(before.sms_optin if before else None) if Channel.SMS in waits else now.sms_optin,
    )


def _said(person: Person, channel: Channel, plain: str, meaning: Meaning) -> list[Said]:
    """The statement that a change is: an opt-out without a time, an opt-in as of when it was not there yet."""
    who = f"profile:{person.now.id}"
    match meaning:
        case Meaning.OPT_OUT:
            return [Said(Claim(channel, plain, "UNSUBSCRIBED", SOURCE), who)]
        case Meaning.OPT_IN if person.before is not None:
            at = min(person.before.seen_at + timedelta(seconds=1), person.now.seen_at)
            return [Said(Claim(channel, plain, IN, SOURCE, at=at), who)]
        case _:
            return []


def _when_again(
    road: Road, person: Person, meanings: Sequence[tuple[Channel, str, Meaning]], now: datetime
) -> datetime | None:
    """When to look again: after what is under way has settled. What is not sent yet will change the profile itself."""
    if not any(meaning in (Meaning.WAIT, Meaning.REFUSED) for _, _, meaning in meanings):
        return None
    if any(one.state in ("due", "leased") and one.lane == Lane.BACKFILL.rank for one in person.contacts):
        return None
    return now + road.pace.settle_after + LOOK_AFTER


def _act(tx: Tx, road: Road, person: Person, channel: Channel, meaning: Meaning, now: datetime) -> None:
    if not road.is_live:
        return
    if meaning is Meaning.UNPROVEN:
        _touch(tx, road, person, UNPROVEN, channel.value, now)
    if meaning is Meaning.REFUSED:
        ids = [one.id for one in person.contacts if one.opts_out and not one.was_forced]
        forces = {shop.rules.force for shop in road.shops.values()}
        if channel is Channel.EMAIL and ids and forces != {"never"}:
            if spoken.force(tx, road.connection, ids):
                for store in road.shops:
                    hints = [
                        Hint(REMAP, f"customer:{link.customer_id}", Lane.REALTIME, now)
                        for link in person.links
                        if link.store == store and link.contact in ids
                    ]
                    inbox.tell(tx, road.connection, store, hints, now)
        else:
            _touch(tx, road, person, REFUSED, channel.value, now)


def _touch(tx: Tx, road: Road, person: Person, code: str, detail: str, now: datetime) -> None:
    if road.is_live:
        cases.touch(
            tx, road.connection, [Touch(code, subject, store, detail) for store, subject in person.subjects], now
        )


def _close(tx: Tx, road: Road, calm: Sequence[Person], now: datetime) -> None:
    """Both sides were looked at and agree: whatever said that they do not is over."""
    by_store: dict[str, list[str]] = {}
    for person in calm:
        for store, subject in person.subjects:
            by_store.setdefault(store, []).append(subject)
        if person.links:
            by_store.setdefault("", []).append(f"profile:{person.now.id}")
    for store, subjects in by_store.items():
        cases.resolve(tx, road.connection, (BLOCKED, UNPROVEN, REFUSED), now, "consent", subjects=subjects, store=store)
    known = [f"profile:{person.now.id}" for person in calm if person.links]
    cases.resolve(tx, road.connection, theirs.GUEST, now, "consent", subjects=known, store="")
