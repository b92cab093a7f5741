"""Retire contacts: of customers who are gone, whose address was emptied, or whose erasure was asked for.

Such a contact goes out once more with the address that it was sent with and opts out, unless somebody else has that
address: one opted-out contact silences its whole person. That opt-out is nobody's statement. It stands in no ledger, no
shop is told of it, and it is withdrawn as soon as somebody else has the address.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import UNSET, Struct

from isthmus.consent.sql import ledger
from isthmus.db.pool import Tx
from isthmus.flows import sent_identifiers
from isthmus.flows.change import RecordTransition
from isthmus.flows.context import ConnectionContext, ShopContext
from isthmus.identity.match import Account, People
from isthmus.identity.sql import links as identity
from isthmus.kit.email import normalise_email
from isthmus.mapping import fields, sms_contact
from isthmus.model.consent import OUT, Channel
from isthmus.model.customer import Customer
from isthmus.model.lane import Lane
from isthmus.model.write import RecordKind, Write
from isthmus.ometria import wire
from isthmus.outbox.sql import contact_consent as spoken
from isthmus.outbox.sql import contacts as words
from isthmus.outbox.sql import queue as outbox
from isthmus.outbox.sql.contact_consent import NEVER_SENT, ConsentBasis, SentConsent
from isthmus.outbox.sql.queue import DesiredWrite
from isthmus.records.sql import store as records


class Retired(Struct, frozen=True):
    """A customer as their contact was last sent, and whether somebody else has their address, and their number."""

    customer: Customer
    has_heir: bool = False
    has_heir_of_phone: bool = False


def contacts_to_retire(
    tx: Tx,
    context: ConnectionContext,
    changes: Sequence[RecordTransition],
    who: People,
    merged: frozenset[str] | set[str],
    said: Mapping[str, SentConsent],
) -> dict[str, Retired]:
    """Of these customers, by contact, those whose contact is to be retired. `merged` are contacts that Ometria has
    in one profile with somebody who is not gone."""
    found: dict[str, Retired] = {}
    for account, own, change, customer in _ended(context, changes):
        shop = context.shops[account[0]]
        last = customer if _is_reachable(shop, customer) else _as_sent(tx, context, own, customer)
        if last is None:
            continue
        if _was_texted(shop, said, own, last) and (left := number_left(tx, context, own, account, last)) is not None:
            last = msgspec.structs.replace(last, phone=left)
        email = normalise_email(last.email)
        phone = fields.map_phone(last.phone, last.country_code)
        if change.is_gone:
            has_heir = email is not None and email in who.by_email
            consent = customer.email_consent
            # Over there one profile with somebody who is still here.
            has_heir |= own in merged and not (consent is not None and consent.state in OUT)
        else:
            has_heir = False
        if not has_heir and email is not None:
            # A unit of work that gives somebody this address waits until this one is done.
            identity.lock_names(tx, context.connection, [f"email:{email}"])
            has_heir = bool(
                {link.account for link in identity.links_of_emails(tx, context.connection, [email])} - {account}
            )
        has_number = phone is not None and (
            own in merged
            or has_other_customer(tx, context, account, phone)
            or (has_heir and _is_texted(tx, context, account, email))
        )
        is_only_number = email is None and has_number
        found[own] = Retired(last, has_heir or is_only_number, has_number)
    return found


def numbers_left(
    tx: Tx,
    context: ConnectionContext,
    changes: Sequence[RecordTransition],
    said: Mapping[str, SentConsent],
    retired: Mapping[str, Retired],
) -> dict[str, str]:
    """Of contacts whose customer has an email and no number any more, and was opted in by text message: the number that
    they were sent with. The opt-out goes out with it, since Ometria takes none without a number; none that another
    living customer has.
    """
    found = {}
    for change in changes:
        last = change.last
        if not isinstance(last, Customer) or not last.is_read or change.is_gone:
            continue
        own = _contact(context, change)
        if own in retired or not _was_texted(context.shops[change.key[1]], said, own, last):
            continue
        phone = number_left(tx, context, own, (change.key[1], last.id), last)
        if phone is not None:
            found[own] = phone
    return found


def emails_left(
    tx: Tx, context: ConnectionContext, changes: Sequence[RecordTransition], said: Mapping[str, SentConsent]
) -> set[str]:
    """Of contacts whose customer has a number and no email any more, and would opt out: those whose email another
    living customer has. They say nothing about it: one opted-out contact silences everybody in its profile.
    """
    found = set()
    for change in changes:
        last, own = change.last, _contact(context, change)
        if (
            not isinstance(last, Customer)
            or not last.is_read
            or normalise_email(last.email) is not None
            or change.is_gone
        ):
            continue
        has_said = last.email_consent is not None and last.email_consent.state in OUT
        if (has_said or said.get(own, NEVER_SENT).was_opted_in) and _has_heir_of_email(
            tx, context, (change.key[1], last.id)
        ):
            found.add(own)
    return found


def _has_heir_of_email(tx: Tx, context: ConnectionContext, account: Account) -> bool:
    """Whether another living customer has an email that this one spoke for."""
    mine = [one for one in ledger.addresses_of(tx, context.connection, *account) if one[0] is Channel.EMAIL]
    spoke = ledger.customers_by_address(tx, context.connection, mine)
    others = {who for some in spoke.values() for who in some if who != account and who[0] in context.shops}
    kept = records.load_records(
        tx, context.connection, [("customer", at, str(n)) for at, n in sorted(others)], context.packer
    )
    now = {normalise_email(one.record.email) for one in kept.values() if isinstance(one.record, Customer)}
    return any(
        (Channel.EMAIL, ledger.hash_address(context.hash_key, Channel.EMAIL, email)) in spoke for email in now if email
    )


def _was_texted(shop: ShopContext, said: Mapping[str, SentConsent], own: str, customer: Customer) -> bool:
    """Whether somebody was opted in by text message who has no number any more."""
    if fields.map_phone(customer.phone, customer.country_code) is not None:
        return False
    second = said.get(sms_contact.sms_contact_id(customer.id, shop.rules), NEVER_SENT)
    return said.get(own, NEVER_SENT).was_opted_in_sms or second.is_there


def number_left(tx: Tx, context: ConnectionContext, own: str, account: Account, customer: Customer) -> str | None:
    """The number that a contact was sent with whose customer has none any more; None where somebody else has it."""
    last = _as_sent(tx, context, own, customer)
    phone = fields.map_phone(last.phone, last.country_code) if last is not None else None
    return None if phone is None or has_other_customer(tx, context, account, phone) else phone


def withdraw_retirements(tx: Tx, context: ConnectionContext, changes: Sequence[RecordTransition], now: datetime) -> int:
    """Somebody has an address now that a retired contact was sent with: it says nothing more; how many contacts."""
    names: dict[bytes, str] = {}
    mine: set[str] = set()
    for change in changes:
        after = change.after
        if change.key[0] != "customer":
            continue
        mine.add(_contact(context, change))
        if not isinstance(after, Customer) or after.is_redacted:
            continue
        before = change.before if isinstance(change.before, Customer) else None
        email, phone = normalise_email(after.email), after.phone
        if email is not None and (before is None or normalise_email(before.email) != email or before.is_redacted):
            names[ledger.hash_address(context.hash_key, Channel.EMAIL, email)] = email
        elif email is None and phone and (before is None or before.phone != phone):
            names[ledger.hash_address(context.hash_key, Channel.SMS, phone)] = phone
    if not names:
        return 0
    told = spoken.retired_contacts(tx, context.connection, sorted(names))
    address_of = {one.id: (address, one) for address, some in told.items() for one in some if one.id not in mine}
    rows = words.contact_rows(tx, context.connection, sorted(address_of))
    wanted = []
    for own, row in sorted(rows.items()):
        address, one = address_of[own]
        if row.body is None or one.store not in context.shops:
            continue
        silent = _silent(context.packer.unpack(row.body))
        write = Write(RecordKind.CONTACT, own, silent, Lane.REALTIME, subject=row.subject, is_retired=True)
        wanted.append(DesiredWrite(one.store, write, now, ConsentBasis(address, is_retired=True)))
    return outbox.upsert_desired(
        tx,
        context.connection,
        wanted,
        now=now,
        coalesce=context.pace.coalesce,
        contact_head_start=context.pace.contact_head_start,
        packer=context.packer,
    )


def _silent(body: bytes) -> bytes:
    """A contact's body without anything about what was allowed."""
    said = msgspec.json.decode(body, type=wire.ContactBody)
    return wire.encode_record(
        msgspec.structs.replace(
            said,
            marketing_optin="NOT_SPECIFIED",
            timestamp_subscribed=UNSET,
            timestamp_unsubscribed=UNSET,
            force_optin=UNSET,
            channels=UNSET,
        )
    )


def _ended(
    context: ConnectionContext, changes: Iterable[RecordTransition]
) -> Iterable[tuple[Account, str, RecordTransition, Customer]]:
    for change in changes:
        last = change.last
        if not isinstance(last, Customer) or not last.is_read:
            continue
        if change.is_gone or last.is_redacted or not _is_reachable(context.shops[change.key[1]], last):
            yield (change.key[1], last.id), _contact(context, change), change, last


def _is_reachable(shop: ShopContext, customer: Customer) -> bool:
    """Whether there is an address that a contact of theirs can be sent with."""
    if normalise_email(customer.email) is not None:
        return True
    return shop.rules.phone_only and fields.map_phone(customer.phone, customer.country_code) is not None


def _as_sent(tx: Tx, context: ConnectionContext, own: str, customer: Customer) -> Customer | None:
    """The customer with the address that their contact was last to be sent with; None where it never went out."""
    last = sent_identifiers.sent_identifiers(tx, context, [own]).get(own)
    if last is None or (last.email is None and last.phone is None):
        return None
    return msgspec.structs.replace(customer, email=last.email, phone=last.phone)


def has_other_customer(tx: Tx, context: ConnectionContext, account: Account, phone: str) -> bool:
    """Whether another living customer has this number."""
    named = (Channel.SMS, ledger.hash_address(context.hash_key, Channel.SMS, phone))
    spoke = ledger.customers_by_address(tx, context.connection, [named]).get(named, set())
    others = {one for one in spoke if one != account and one[0] in context.shops}
    keys = [("customer", store, str(number)) for store, number in sorted(others)]
    kept = records.load_records(tx, context.connection, keys, context.packer)
    return any(
        isinstance(one.record, Customer) and fields.map_phone(one.record.phone, one.record.country_code) == phone
        for one in kept.values()
    )


def _is_texted(tx: Tx, context: ConnectionContext, account: Account, email: str | None) -> bool:
    """Whether another living customer of this address may be written to by text message, by whatever number: an opt-out
    of this one's number would be newer in their profile."""
    others = {link.account for link in identity.links_of_emails(tx, context.connection, [email] if email else [])} - {
        account
    }
    keys = [("customer", store, str(number)) for store, number in sorted(others)]
    kept = records.load_records(tx, context.connection, keys, context.packer)
    return any(
        isinstance(one.record, Customer)
        and one.record.sms_consent is not None
        and one.record.sms_consent.state == "SUBSCRIBED"
        for one in kept.values()
    )


def _contact(context: ConnectionContext, change: RecordTransition) -> str:
    return f"{context.shops[change.key[1]].rules.namespace}{change.key[2]}"
