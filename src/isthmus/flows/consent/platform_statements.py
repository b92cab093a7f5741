"""Take what was said on Ometria's side: into the ledger, and to everybody it is about."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.consent.sql.ledger import RecordedClaim
from isthmus.db.pool import Database, Tx
from isthmus.flows import retire
from isthmus.flows.consent import consent_status
from isthmus.flows.context import ConnectionContext
from isthmus.flows.parse_events import REMAP
from isthmus.identity.sql import links as identity
from isthmus.identity.sql import profiles
from isthmus.inbox.sql import events as inbox
from isthmus.kit.email import normalise_email
from isthmus.mapping import fields
from isthmus.model.consent import OUT, Channel, Claim
from isthmus.model.customer import Customer
from isthmus.model.event import RefetchRequest
from isthmus.model.failure import Failure
from isthmus.model.lane import Lane
from isthmus.records.sql import store as records

PROFILE = "profile:"
"""What the name of a profile, as whoever says something, begins with; one that is not named has nothing behind it."""

GUEST = "consent.guest_opted_out"

SEARCH_AFTER = timedelta(seconds=5)
"""When Ometria is asked again about somebody, after what we sent may have been applied."""


class PlatformStatement(Struct, frozen=True):
    """One statement of Ometria's side, by whom in its own words (profile:…), and the event that brought it."""

    claim: Claim
    who: str
    event_id: int | None = None


def record_platform_statements(
    tx: Tx, context: ConnectionContext, said: Sequence[PlatformStatement], now: datetime
) -> list[PlatformStatement]:
    """Write statements down, each once, and have everybody mapped again whose standing they change, at once.

    Returns those opt-outs that no customer of any shop answers to: whoever calls looks for them in the shops.
    """
    if not said:
        return []
    along = _along(tx, context, said)
    followed = {one.who for one in along}
    said = [*said, *along]
    heard = [RecordedClaim("", one.claim, is_word=True, event_id=one.event_id) for one in said]
    standings = consent_status.record_statements(tx, context, heard, (), now, is_once=True)
    emails = {e for one in said if one.claim.channel is Channel.EMAIL and (e := normalise_email(one.claim.address))}
    links = identity.links_of_emails(tx, context.connection, sorted(emails))
    spoken = standings.speakers()
    for store in context.shops:
        moved = {link.customer_id for link in links if link.store == store and _is_moved(standings, link.email)}
        moved |= {number for at, number in spoken if at == store}
        hints = [RefetchRequest(REMAP, f"customer:{number}", Lane.REALTIME, now) for number in sorted(moved)]
        inbox.enqueue_internal(tx, context.connection, store, hints, now)
    # A list tells of everybody again and again: whoever was looked at since is not looked at once more.
    fresh = sorted(email for email in emails if standings.name(Channel.EMAIL, email) in standings.heard)
    profiles.mark_for_recheck(tx, context.connection, fresh, now + context.pace.settle_after + SEARCH_AFTER)
    known = {link.email for link in links}
    return [
        one
        for one in said
        if one.claim.channel is Channel.EMAIL
        and one.claim.state in OUT
        and (email := normalise_email(one.claim.address))
        and email not in known
        and one.who not in followed
        and _is_moved(standings, email)
    ]


def _along(tx: Tx, context: ConnectionContext, said: Sequence[PlatformStatement]) -> list[PlatformStatement]:
    """Opt-outs told with their time of addresses that the shop has changed meanwhile, at those that their customers
    have now.

    Ometria names who spoke; what we know of the profile names the customer. An address that somebody living has is
    theirs, and speaks for nobody else.
    """
    outs = [one for one in said if one.claim.state in OUT and one.claim.at is not None and one.who.startswith(PROFILE)]
    known = profiles.known_profiles(tx, context.connection, sorted({one.who.removeprefix(PROFILE) for one in outs}))
    named = {own: one.customer_id for own, one in known.items() if one.customer_id is not None}
    accounts = sorted(context.accounts(named.values()))
    links = {
        one.contact: one for one in identity.links_of_customers(tx, context.connection, accounts) if not one.is_gone
    }
    keys = [("customer", one.store, str(one.customer_id)) for one in links.values()]
    kept = records.load_records(tx, context.connection, keys, context.packer)
    emails = sorted(
        {e for one in outs if one.claim.channel is Channel.EMAIL and (e := normalise_email(one.claim.address))}
    )
    living = {link.email for link in identity.links_of_emails(tx, context.connection, emails)}
    found = []
    for one in outs:
        link = links.get(named.get(one.who.removeprefix(PROFILE), ""))
        held = kept.get(("customer", link.store, str(link.customer_id))) if link is not None else None
        if link is None or held is None or not isinstance(held.record, Customer):
            continue
        customer, claim = held.record, one.claim
        if claim.channel is Channel.EMAIL:
            old, new = normalise_email(claim.address), normalise_email(customer.email)
            is_taken = old in living
        else:
            old, new = claim.address, fields.map_phone(customer.phone, customer.country_code)
            is_taken = old is not None and retire.has_other_customer(tx, context, (link.store, link.customer_id), old)
        if old is not None and new is not None and new != old and not is_taken:
            found.append(msgspec.structs.replace(one, claim=msgspec.structs.replace(claim, address=new)))
    return found


def _is_moved(standings: consent_status.ConsentStatuses, email: str | None) -> bool:
    return email is not None and standings.name(Channel.EMAIL, email) in standings.moved


def request_customer_search(
    db: Database, context: ConnectionContext, guests: Sequence[PlatformStatement], *, is_told: bool = True
) -> int:
    """Ask every shop, by exact address, for people whom we do not know there; how many are there.

    Somebody whom a shop knows is read, and the opt-out goes back with that. A guest's stays in the ledger, where it
    holds against the next checkout's opt-in until that is later and proven; `is_told` makes an item of it.
    """
    if not guests:
        return 0
    found: set[str] = set()
    is_sure = True
    addresses = {one.claim.address: one for one in guests}
    for store, shop in context.shops.items():
        if shop.consents is None:
            continue
        try:
            there = shop.consents.find(sorted(addresses))
        except Failure:
            is_sure = False  # could not look: the shop's own poll or reading brings them in
            continue
        numbers = sorted(number for number in there.values() if number is not None)
        now = context.clock.now()
        with db.transaction() as tx:
            hints = [RefetchRequest("poll/customer", f"customer:{number}", Lane.REALTIME, now) for number in numbers]
            inbox.enqueue_internal(tx, context.connection, store, hints, now)
        found |= {address for address, number in there.items() if number is not None}
    nobody = [one for address, one in addresses.items() if address not in found]
    if is_sure and is_told and nobody:
        now = context.clock.now()
        with db.transaction() as tx:
            cases.open_or_count(tx, context.connection, [Touch(GUEST, one.who) for one in nobody], now)
    return len(found)
