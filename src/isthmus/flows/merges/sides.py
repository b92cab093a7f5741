"""People as a merge sees them: everything that is known of each, gathered for many at once."""

from collections.abc import Iterable
from itertools import combinations

import msgspec

from isthmus.db.pool import Tx
from isthmus.flows.road import Road
from isthmus.identity import sql as identity
from isthmus.identity.duplicates.judge import is_shared
from isthmus.identity.duplicates.someone import someone
from isthmus.identity.match import Account, Link, people
from isthmus.identity.merges.decide import Side, Stance, of_words, stricter
from isthmus.model.customer import Customer
from isthmus.outbox.words import sql as words
from isthmus.outbox.words.sql import Words
from isthmus.records import sql as records
from isthmus.records.owned import sql as owned

MOVING = ("due", "leased", "accepted")
BARRED = ("excluded", "buried")


def sides(tx: Tx, road: Road, accounts: Iterable[Account]) -> dict[Account, Side]:
    """The person behind each of these accounts; none for an account that is gone."""
    wanted = sorted(set(accounts))
    own = identity.of_customers(tx, road.connection, wanted)
    mates = identity.of_emails(tx, road.connection, sorted({link.email for link in own if link.email}))
    links = {link.account: link for link in identity.whole(tx, road.connection, [*mates, *own])}
    who = people(links.values())
    whole = who.whole()
    living = {
        account: [links[one] for one in whole[account] if not links[one].is_gone]
        for account in wanted
        if account in whole
    }
    everyone = sorted({link.account for some in living.values() for link in some})
    told = words.of_contacts(tx, road.connection, [links[account].contact for account in everyone])
    counts = owned.n_orders(tx, road.connection, everyone)
    emails = sorted({links[account].email or "" for account in everyone} - {""})
    guests = owned.guest_orders(tx, road.connection, emails)
    shared = _shared(tx, road, [some for some in living.values() if len(some) > 1])
    by_contact = {link.contact: link for link in links.values()}
    made = {}
    for account, some in living.items():
        if not some:
            continue
        head = by_contact[who.by_customer[account]]
        mail = frozenset(link.email for link in some if link.email)
        email, sms = _stances(road, [told[link.contact] for link in some if link.contact in told])
        made[account] = Side(
            account=head.account,
            contact=head.contact,
            accounts=frozenset(link.account for link in some),
            contacts=tuple(sorted(link.contact for link in some)),
            emails=mail,
            n_orders=sum(counts.get(link.account, 0) for link in some) + sum(guests.get(one, 0) for one in mail),
            email=email,
            sms=sms,
            is_shared=any(link.account in shared for link in some),
            is_whole=all(_is_sent(told.get(link.contact)) for link in some),
            n_moving=sum(told[link.contact].state in MOVING for link in some if link.contact in told),
        )
    return made


def _is_sent(row: Words | None) -> bool:
    return row is not None and row.state not in BARRED


def _stances(road: Road, told: Iterable[Words]) -> tuple[Stance, Stance]:
    """What all contacts of a person allow together: the strictest word counts, and one alone counts where others are
    silent.
    """
    emails, texts = [], []
    for row in told:
        if row.body is not None:
            body = msgspec.json.decode(road.packer.unpack(row.body))
            sms = ((body.get("channels") or {}).get("sms") or {}).get("allow_marketing")
            email, text = of_words(body.get("marketing_optin"), sms)
            emails.append(email)
            texts.append(text)
    return _together(emails), _together(texts)


def _together(stances: list[Stance]) -> Stance:
    said = [one for one in stances if one is not Stance.UNSAID]
    made = said[0] if said else Stance.UNSAID
    for one in said:
        made = stricter(made, one)
    return made


def _shared(tx: Tx, road: Road, groups: Iterable[list[Link]]) -> set[Account]:
    """Accounts of people whose accounts seem to be several people's."""
    some = list(groups)
    keys = {("customer", link.store, str(link.customer_id)) for group in some for link in group}
    kept = records.load(tx, road.connection, keys, road.packer)
    people_ = {
        (key[1], int(key[2])): someone(key[1], f"{key[1]}:{key[2]}", one.record)
        for key, one in kept.items()
        if isinstance(one.record, Customer)
    }
    found: set[Account] = set()
    for group in some:
        known = [people_[link.account] for link in group if link.account in people_]
        if any(a.email == b.email and is_shared(a, b) for a, b in combinations(known, 2)):
            found |= {link.account for link in group}
    return found
