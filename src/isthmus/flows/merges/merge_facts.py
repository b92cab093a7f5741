"""People as a merge sees them: everything that is known of each, gathered for many at once."""

from collections.abc import Iterable
from itertools import combinations

import msgspec

from isthmus.db.pool import Tx
from isthmus.flows.context import ConnectionContext
from isthmus.identity.duplicates.features import person_features
from isthmus.identity.duplicates.rules import is_shared_address
from isthmus.identity.match import Account, Link, assign_survivors
from isthmus.identity.merge_rules import MergeConsent, Side, consent_of_body, stricter_consent
from isthmus.identity.sql import links as identity
from isthmus.model.customer import Customer
from isthmus.outbox.sql import contacts as words
from isthmus.outbox.sql.contacts import ContactRow
from isthmus.records.sql import ownership as owned
from isthmus.records.sql import store as records

MOVING = ("due", "leased", "accepted")
BARRED = ("excluded", "buried")


def load_merge_sides(tx: Tx, context: ConnectionContext, accounts: Iterable[Account]) -> dict[Account, Side]:
    """The person behind each of these accounts; none for an account that is gone."""
    wanted = sorted(set(accounts))
    own = identity.links_of_customers(tx, context.connection, wanted)
    mates = identity.links_of_emails(tx, context.connection, sorted({link.email for link in own if link.email}))
    links = {link.account: link for link in identity.expand_to_persons(tx, context.connection, [*mates, *own])}
    who = assign_survivors(links.values())
    whole = who.whole()
    living = {
        account: [links[one] for one in whole[account] if not links[one].is_gone]
        for account in wanted
        if account in whole
    }
    everyone = sorted({link.account for some in living.values() for link in some})
    told = words.contact_rows(tx, context.connection, [links[account].contact for account in everyone])
    counts = owned.count_orders(tx, context.connection, everyone)
    emails = sorted({links[account].email or "" for account in everyone} - {""})
    guests = owned.guest_orders(tx, context.connection, emails)
    shared = _shared(tx, context, [some for some in living.values() if len(some) > 1])
    by_contact = {link.contact: link for link in links.values()}
    made = {}
    for account, some in living.items():
        if not some:
            continue
        head = by_contact[who.by_customer[account]]
        mail = frozenset(link.email for link in some if link.email)
        email, sms = _stances(context, [told[link.contact] for link in some if link.contact in told])
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


def _is_sent(row: ContactRow | None) -> bool:
    return row is not None and row.state not in BARRED


def _stances(context: ConnectionContext, told: Iterable[ContactRow]) -> tuple[MergeConsent, MergeConsent]:
    """What all contacts of a person allow together: the strictest word counts, and one alone counts where others are
    silent.
    """
    emails, texts = [], []
    for row in told:
        if row.body is not None:
            body = msgspec.json.decode(context.packer.unpack(row.body))
            sms = ((body.get("channels") or {}).get("sms") or {}).get("allow_marketing")
            email, text = consent_of_body(body.get("marketing_optin"), sms)
            emails.append(email)
            texts.append(text)
    return _together(emails), _together(texts)


def _together(stances: list[MergeConsent]) -> MergeConsent:
    said = [one for one in stances if one is not MergeConsent.UNSAID]
    made = said[0] if said else MergeConsent.UNSAID
    for one in said:
        made = stricter_consent(made, one)
    return made


def _shared(tx: Tx, context: ConnectionContext, groups: Iterable[list[Link]]) -> set[Account]:
    """Accounts of people whose accounts seem to be several people's."""
    some = list(groups)
    keys = {("customer", link.store, str(link.customer_id)) for group in some for link in group}
    kept = records.load_records(tx, context.connection, keys, context.packer)
    people_ = {
        (key[1], int(key[2])): person_features(key[1], f"{key[1]}:{key[2]}", one.record)
        for key, one in kept.items()
        if isinstance(one.record, Customer)
    }
    found: set[Account] = set()
    for group in some:
        known = [people_[link.account] for link in group if link.account in people_]
        if any(a.email == b.email and is_shared_address(a, b) for a, b in combinations(known, 2)):
            found |= {link.account for link in group}
    return found
