"""Ask the platform whose profile changed, and conclude from it what it lists nowhere else.

Opt-outs by API, form or file, and every re-subscription, are in no list: they are seen only where a profile says
something else than before (consent/sides.py has the table).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.cases import sql as cases
from isthmus.cases.sql import Touch
from isthmus.consent import sides
from isthmus.consent.decide import Statement
from isthmus.consent.sides import Facts, Meaning
from isthmus.db.pool import Database, Tx
from isthmus.flows import trouble
from isthmus.flows.consent import listing, standing, theirs
from isthmus.flows.consent.standing import Standings
from isthmus.flows.consent.theirs import LOOK_AFTER, Said
from isthmus.flows.consent.unsubscribes import seen
from isthmus.flows.merges import noticed
from isthmus.flows.road import Road
from isthmus.flows.settle import wait_for_a_slot
from isthmus.flows.told import REMAP
from isthmus.identity import sql as identity
from isthmus.identity.match import Link
from isthmus.identity.profiles import sql as profiles
from isthmus.identity.profiles.sql import Profile
from isthmus.inbox import sql as inbox
from isthmus.model.consent import IN, OUT, Channel, Claim, Stance
from isthmus.model.event import Hint
from isthmus.model.failure import Failure
from isthmus.model.lane import Lane
from isthmus.ometria import answers
from isthmus.ometria.client import PAGE
from isthmus.outbox.spoken import sql as spoken
from isthmus.outbox.spoken.sql import Contact
from isthmus.runs import sql as runs
from isthmus.runs import window

MARK = "listen:profiles"
NOW = "listen:profiles:now"
"""The look that is under way: when it began, and the offset it got to."""

SOURCE = "ometria.profile"

OVERLAP = timedelta(minutes=2)
ROWS_AGAIN = 5
"""Rows of a page that the next one reads again: a merge takes profiles away and moves the rest up under an offset."""

LOOKS = 8
"""Profiles that are looked at one by one in one round: two seconds of a budget of four a second."""

BLOCKED = "consent.blocked_by_listing"
UNPROVEN = "consent.unproven_resubscribe"
REFUSED = "consent.opt_out_refused"

_STANCES = {"EXPLICITLY_OPTEDIN": Stance.IN, "EXPLICITLY_OPTEDOUT": Stance.OUT}


def is_due(db: Database, road: Road) -> bool:
    """Whether it is time for a look at what changed, or one that was stopped is to go on."""
    with db.transaction() as tx:
        marks = runs.marks(tx, road.connection)
    last = marks.get(("", MARK))
    return ("", NOW) in marks or window.is_due(last.at if last else None, road.clock.now(), road.pace.profiles_every)


def hear(db: Database, road: Road, goes_on: Callable[[], bool] = lambda: True) -> int:
    """What changed since the last look, page by page; how many profiles. A look that is stopped goes on later.

    The first look reads everybody there is.
    """
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
        wait_for_a_slot(db, road)
        at = road.clock.now()
        try:
            page = road.platform.profiles(offset=offset, since=since)
            noticed.look(db, road, page)  # before anything is concluded from what two people's profile says
        except Failure as failure:
            with db.transaction() as tx:
                cases.touch(tx, road.connection, [trouble.sign(failure)], at)
            return n
        found = _found(page, at)
        _conclude(db, road, found)
        n += len(found)
        is_last = len(page) < PAGE
        offset += len(page) - ROWS_AGAIN
        with db.transaction() as tx:
            if is_last:
                runs.start_over(tx, road.connection, "", [NOW])
                runs.advance(tx, road.connection, "", MARK, begun.at, begun.n + n)
                return n
            runs.turn_page(tx, road.connection, "", NOW, str(offset), len(found), at)
    return n


def sweep(db: Database, road: Road, *, repair: bool, tell: Callable[[int], None] = lambda _: None) -> bool:
    """Read everybody there is; whether that came to its end. Without `repair` nothing is concluded from it."""
    offset = n = 0
    while True:
        wait_for_a_slot(db, road)
        at = road.clock.now()
        try:
            page = road.platform.profiles(offset=offset)
        except Failure as failure:
            with db.transaction() as tx:
                cases.touch(tx, road.connection, [trouble.sign(failure)], at)
            return False
        found = _found(page, at)
        if repair:
            _conclude(db, road, found)
        else:
            with db.transaction() as tx:
                profiles.note(tx, road.connection, found)
        n += len(found) if offset == 0 else max(0, len(found) - ROWS_AGAIN)
        tell(n)
        if len(page) < PAGE:
            return True
        offset += len(page) - ROWS_AGAIN


def look_again(db: Database, road: Road) -> int:
    """Look at people of whom something was under way, one by one; how many."""
    now = road.clock.now()
    with db.transaction() as tx:
        wanted = profiles.to_look_at(tx, road.connection, now, LOOKS)
    for one in wanted:
        wait_for_a_slot(db, road)
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
            _conclude(db, road, _found([item], at))
    return len(wanted)


def _found(page: Sequence[dict[str, Any]], at: datetime) -> list[Profile]:
    told = [told for item in page if (told := answers.profile(item)) is not None]
    return [seen(one, at) for one in {one.id: one for one in told}.values()]


# Conclude ------------------------------------------------------------------------------------------------------------


class _Person(Struct, frozen=True):
    """One profile with what we know of the person: how it was, our contacts, and where the addresses stand."""

    now: Profile
    before: Profile | None
    links: tuple[Link, ...]
    contacts: tuple[Contact, ...]
    standings: Standings

    @property
    def is_moving(self) -> bool:
        return any(one.is_moving for one in self.contacts)

    def sent_since(self, at: Callable[[Contact], datetime | None]) -> bool:
        since = self.before.seen_at if self.before is not None else None
        return any((sent := at(one)) is not None and (since is None or sent >= since) for one in self.contacts)

    def stances(self, channel: Channel, plain: str) -> set[Stance]:
        """Where the person stands in each shop that knows them; in none, where the account stands."""
        return {self.standings.of(channel, plain, link.store).stance for link in self.links} or {
            self.standings.of(channel, plain, "").stance
        }

    def said_out(self, channel: Channel, plain: str) -> list[Statement]:
        known = self.standings.said.get(self.standings.name(channel, plain), [])
        return [s for s in known if s.side == "platform" and s.state in OUT]

    @property
    def subjects(self) -> list[tuple[str, str]]:
        """(store, subject) of the cases about this person."""
        return [(link.store, f"customer:{link.customer_id}") for link in self.links] or [("", f"profile:{self.now.id}")]


def _conclude(db: Database, road: Road, found: Sequence[Profile]) -> None:
    """Hold profiles against what we know, and do what follows."""
    now = road.clock.now()
    blocked: list[_Person] = []
    with db.transaction() as tx:
        people = _people(tx, road, found)
        said: list[Said] = []
        later: dict[str, datetime | None] = {}
        meant: dict[str, dict[Channel, Meaning]] = {}
        calm: list[_Person] = []
        for person in people:
            meanings = _meanings(road, person)
            later[person.now.id] = _when_again(road, person, meanings, now)
            meant[person.now.id] = {channel: meaning for channel, _, meaning in meanings}
            if all(meaning is Meaning.CALM for _, _, meaning in meanings):
                calm.append(person)
            for channel, plain, meaning in meanings:
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


def _kept(person: _Person, meant: Mapping[Channel, Meaning], look_at: datetime | None) -> Profile:
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


def _people(tx: Tx, road: Road, found: Sequence[Profile]) -> list[_Person]:
    before = profiles.known(tx, road.connection, [one.id for one in found])
    emails = sorted({one.email for one in found if one.email})
    links: dict[str, list[Link]] = {}
    for link in identity.of_emails(tx, road.connection, emails):
        links.setdefault(link.email or "", []).append(link)
    rows = spoken.contacts(tx, road.connection, [link.contact for some in links.values() for link in some])
    standings = standing.of_addresses(
        tx,
        road,
        [(Channel.EMAIL, email) for email in emails] + [(Channel.SMS, one.phone) for one in found if one.phone],
    )
    return [
        _Person(
            one,
            before.get(one.id),
            tuple(mine),
            tuple(row for link in mine if (row := rows.get(link.contact)) is not None),
            standings,
        )
        for one in found
        for mine in [links.get(one.email or "", [])]
    ]


def _meanings(road: Road, person: _Person) -> list[tuple[Channel, str, Meaning]]:
    """What each channel of a profile tells. One whose address is none of ours tells nothing."""
    now, before = person.now, person.before
    told = []
    if now.email is not None:
        stances = person.stances(Channel.EMAIL, now.email)
        outs = person.said_out(Channel.EMAIL, now.email)
        since = before.seen_at if before is not None else None
        facts = Facts(
            stance=_strictest(stances),
            was=stance(before.email_optin if before is not None else None),
            now=stance(now.email_optin),
            is_first=before is None or before.email != now.email,
            has_contact=bool(person.contacts),
            is_moving=person.is_moving,
            sent_in=person.sent_since(lambda one: one.opted_in_at),
            sent_out=person.sent_since(lambda one: one.opted_out_at),
            is_explained=any(since is None or s.heard_at >= since or s.since >= since for s in outs),
            may_opt_in=road.policy.authority == "platform",
        )
        told.append((Channel.EMAIL, now.email, sides.read(facts)))
        if len(stances) > 1 and facts.now is Stance.OUT and not facts.is_moving:
            told[-1] = (Channel.EMAIL, now.email, Meaning.BLOCKED)  # one store's opt-out silences them for all
    if now.phone is not None and now.sms_optin is not None:
        was = before.sms_optin if before is not None else None
        facts = Facts(
            stance=_strictest(person.stances(Channel.SMS, now.phone)),
            was={True: Stance.IN, False: Stance.OUT, None: Stance.UNSAID}[was],
            now=Stance.IN if now.sms_optin else Stance.OUT,
            is_first=before is None or before.phone != now.phone,
            has_contact=bool(person.contacts),
            is_moving=person.is_moving,
            sent_in=person.sent_since(lambda one: one.settled_at),
            sent_out=person.sent_since(lambda one: one.settled_at),
            is_explained=bool(person.said_out(Channel.SMS, now.phone)),
            may_opt_in=road.policy.authority == "platform",
        )
        told.append((Channel.SMS, now.phone, sides.read(facts)))
    return told


def stance(optin: str | None) -> Stance:
    """What the platform's own word stands for."""
    return _STANCES.get(optin or "", Stance.UNSAID)


def _strictest(stances: set[Stance]) -> Stance:
    return next(stance for stance in (Stance.OUT, Stance.IN, Stance.UNSAID) if stance in stances)


def _said(person: _Person, channel: Channel, plain: str, meaning: Meaning) -> list[Said]:
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
    road: Road, person: _Person, meanings: Sequence[tuple[Channel, str, Meaning]], now: datetime
) -> datetime | None:
    """When to look again: after what is under way has settled. What is not sent yet will change the profile itself."""
    if not any(meaning in (Meaning.WAIT, Meaning.REFUSED) for _, _, meaning in meanings):
        return None
    if any(one.state in ("due", "leased") and one.lane == Lane.BACKFILL.rank for one in person.contacts):
        return None
    return now + road.pace.settle_after + LOOK_AFTER


def _act(tx: Tx, road: Road, person: _Person, channel: Channel, meaning: Meaning, now: datetime) -> None:
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


def _touch(tx: Tx, road: Road, person: _Person, code: str, detail: str, now: datetime) -> None:
    if road.is_live:
        cases.touch(
            tx, road.connection, [Touch(code, subject, store, detail) for store, subject in person.subjects], now
        )


def _close(tx: Tx, road: Road, calm: Sequence[_Person], now: datetime) -> None:
    """Both sides were looked at and agree: whatever said that they do not is over."""
    by_store: dict[str, list[str]] = {}
    for person in calm:
        for store, subject in person.subjects:
            by_store.setdefault(store, []).append(subject)
        if person.links:
            by_store.setdefault("", []).append(f"profile:{person.now.id}")
    for store, subjects in by_store.items():
        for code in (BLOCKED, UNPROVEN, REFUSED):
            cases.resolve(tx, road.connection, code, now, "consent", subjects=subjects, store=store)
    known = [f"profile:{person.now.id}" for person in calm if person.links]
    cases.resolve(tx, road.connection, theirs.GUEST, now, "consent", subjects=known, store="")
