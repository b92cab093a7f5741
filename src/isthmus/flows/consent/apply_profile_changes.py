"""Do what follows from what Ometria's profiles say: statements, cases, opt-outs that must be forced.

What a word means is told from what it was before and what we sent since (consent/platform_change.py has the table).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.consent.platform_change import ProfileChange
from isthmus.db.pool import Database, Tx
from isthmus.flows.consent import blocking_contact, platform_statements
from isthmus.flows.consent.platform_statements import SEARCH_AFTER, PlatformStatement
from isthmus.flows.consent.profile_facts import ProfileFacts, classify_channels, load_profile_facts
from isthmus.flows.context import ConnectionContext
from isthmus.flows.parse_events import REMAP
from isthmus.identity.sql import profiles
from isthmus.identity.sql.profiles import KnownProfile
from isthmus.inbox.sql import events as inbox
from isthmus.model.consent import IN, Channel, Claim
from isthmus.model.event import RefetchRequest
from isthmus.model.lane import Lane
from isthmus.outbox.sql import contact_consent as spoken

SOURCE = "ometria.profile"

BLOCKED = "consent.blocked_by_listing"
UNPROVEN = "consent.unproven_resubscribe"
REFUSED = "consent.opt_out_refused"


def apply_profile_changes(db: Database, context: ConnectionContext, found: Sequence[KnownProfile]) -> None:
    """Hold profiles against what we know, and do what follows."""
    now = context.clock.now()
    blocked: list[ProfileFacts] = []
    with db.transaction() as tx:
        people = load_profile_facts(tx, context, found)
        said: list[PlatformStatement] = []
        later: dict[str, datetime | None] = {}
        meant: dict[str, dict[Channel, ProfileChange]] = {}
        calm: list[ProfileFacts] = []
        for person in people:
            told = classify_channels(context, person)
            later[person.now.id] = _when_again(context, person, told, now)
            meant[person.now.id] = {channel: meaning for channel, _, meaning in told}
            if all(meaning is ProfileChange.CALM for _, _, meaning in told):
                calm.append(person)
            for channel, plain, meaning in told:
                said += _said(person, channel, plain, meaning)
                if meaning is ProfileChange.BLOCKED:
                    blocked.append(person)
                _act(tx, context, person, channel, meaning, now)
        profiles.save_profiles(tx, context.connection, [_kept(p, meant[p.now.id], later[p.now.id]) for p in people])
        _close(tx, context, calm, now)
        guests = platform_statements.record_platform_statements(tx, context, said, now)
    platform_statements.request_customer_search(db, context, guests, is_told=False)
    for person in blocked:
        detail = blocking_contact.find_blocking_contact(db, context, person.now.id, [one.id for one in person.contacts])
        with db.transaction() as tx:
            _touch(tx, context, person, BLOCKED, detail, context.clock.now())


def _kept(person: ProfileFacts, meant: Mapping[Channel, ProfileChange], look_at: datetime | None) -> KnownProfile:
    """The profile as it is remembered: of a word that was not understood yet, or not believed, what it was before."""
    now, before = person.now, person.before
    waits = {channel for channel, meaning in meant.items() if meaning in (ProfileChange.WAIT, ProfileChange.UNPROVEN)}
    if not waits:
        return msgspec.structs.replace(now, look_at=look_at)
    return msgspec.structs.replace(
        now,
        look_at=look_at,
        seen_at=before.seen_at if before is not None else now.seen_at,
        email_optin=(before.email_optin if before else None) if Channel.EMAIL in waits else now.email_optin,
        sms_optin=(before.sms_optin if before else None) if Channel.SMS in waits else now.sms_optin,
    )


def _said(person: ProfileFacts, channel: Channel, plain: str, meaning: ProfileChange) -> list[PlatformStatement]:
    """The statement that a change is: an opt-out without a time, an opt-in as of when it was not there yet."""
    who = f"profile:{person.now.id}"
    match meaning:
        case ProfileChange.OPT_OUT:
            return [PlatformStatement(Claim(channel, plain, "UNSUBSCRIBED", SOURCE), who)]
        case ProfileChange.OPT_IN if person.before is not None:
            at = min(person.before.seen_at + timedelta(seconds=1), person.now.seen_at)
            return [PlatformStatement(Claim(channel, plain, IN, SOURCE, at=at), who)]
        case _:
            return []


def _when_again(
    context: ConnectionContext,
    person: ProfileFacts,
    meanings: Sequence[tuple[Channel, str, ProfileChange]],
    now: datetime,
) -> datetime | None:
    """When to look again: after what is under way has settled. What is not sent yet will change the profile itself."""
    if not any(meaning in (ProfileChange.WAIT, ProfileChange.REFUSED) for _, _, meaning in meanings):
        return None
    if any(one.state in ("due", "leased") and one.lane == Lane.BACKFILL.rank for one in person.contacts):
        return None
    return now + context.pace.settle_after + SEARCH_AFTER


def _act(
    tx: Tx, context: ConnectionContext, person: ProfileFacts, channel: Channel, meaning: ProfileChange, now: datetime
) -> None:
    if not context.is_live:
        return
    if meaning is ProfileChange.UNPROVEN:
        _touch(tx, context, person, UNPROVEN, channel.value, now)
    if meaning is ProfileChange.REFUSED:
        ids = [one.id for one in person.contacts if one.opts_out and not one.was_forced]
        forces = {shop.rules.force for shop in context.shops.values()}
        if channel is Channel.EMAIL and ids and forces != {"never"}:
            if spoken.require_force(tx, context.connection, ids):
                for store in context.shops:
                    hints = [
                        RefetchRequest(REMAP, f"customer:{link.customer_id}", Lane.REALTIME, now)
                        for link in person.links
                        if link.store == store and link.contact in ids
                    ]
                    inbox.enqueue_internal(tx, context.connection, store, hints, now)
        else:
            _touch(tx, context, person, REFUSED, channel.value, now)


def _touch(tx: Tx, context: ConnectionContext, person: ProfileFacts, code: str, detail: str, now: datetime) -> None:
    if context.is_live:
        cases.open_or_count(
            tx, context.connection, [Touch(code, subject, store, detail) for store, subject in person.subjects], now
        )


def _close(tx: Tx, context: ConnectionContext, calm: Sequence[ProfileFacts], now: datetime) -> None:
    """Both sides were looked at and agree: whatever said that they do not is over."""
    by_store: dict[str, list[str]] = {}
    for person in calm:
        for store, subject in person.subjects:
            by_store.setdefault(store, []).append(subject)
        if person.links:
            by_store.setdefault("", []).append(f"profile:{person.now.id}")
    for store, subjects in by_store.items():
        cases.resolve_by_code(
            tx, context.connection, (BLOCKED, UNPROVEN, REFUSED), now, "consent", subjects=subjects, store=store
        )
    known = [f"profile:{person.now.id}" for person in calm if person.links]
    cases.resolve_by_code(tx, context.connection, platform_statements.GUEST, now, "consent", subjects=known, store="")
