"""Identifiers that Ometria holds for somebody else: predicted from what it was last seen to say.

Nothing is asked of Ometria here: flows/consent/poll_profiles.py polls its profiles, and this reads what that
brought.
"""

from collections.abc import Mapping, Sequence, Set
from datetime import datetime, timedelta

import msgspec

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Database, Tx
from isthmus.flows import sent_identifiers
from isthmus.flows.change import RecordTransition
from isthmus.flows.context import ConnectionContext
from isthmus.flows.parse_events import REMAP
from isthmus.identity.conflict import ContactIdentifiers, Holder, IdentifierConflict, find_conflicts
from isthmus.identity.match import Account, Link, People, assign_survivors
from isthmus.identity.sql import links as identity
from isthmus.identity.sql import profiles
from isthmus.inbox.sql import events as inbox
from isthmus.kit.email import normalise_email
from isthmus.kit.phone import to_e164
from isthmus.model.consent import IN
from isthmus.model.customer import Customer
from isthmus.model.event import RefetchRequest
from isthmus.model.lane import Lane
from isthmus.outbox.sql import contact_consent as spoken
from isthmus.records.sql import store as records
from isthmus.runs.sql import watermarks as runs

CODE = "identity.conflict"
MARK = "held"
EVERY = timedelta(minutes=1)


def find_identifier_conflicts(
    tx: Tx,
    context: ConnectionContext,
    customers: Mapping[Account, Customer],
    who: People,
    retired: Set[str] = frozenset(),
) -> dict[Account, tuple[IdentifierConflict, ...]]:
    """Of these customers, what of their contacts Ometria is known to hold for somebody else.

    `retired` are contacts that speak for nobody from now on.
    """
    if not customers:
        return {}
    whole = who.whole()
    asked = {
        account: ContactIdentifiers(
            _id(context, account, who),
            frozenset(_contact(context, mate) for mate in whole.get(account, {account}) if mate[0] in context.shops)
            | {_id(context, account, who)},
            normalise_email(customer.email),
            to_e164(customer.phone, customer.country_code) if context.phones_identify else None,
        )
        for account, customer in customers.items()
    }
    emails = sorted({one.email for one in asked.values() if one.email})
    phones = sorted({one.phone for one in asked.values() if one.phone})
    known = profiles.profiles_by_identifier(
        tx, context.connection, emails, sorted({i for a in asked.values() for i in a.ids}), phones
    )
    suspects = {one.customer_id for one in known if one.customer_id is not None}
    if not suspects:
        return {}
    others = _ours(tx, context, sorted(suspects))
    by: dict[str, list[Holder]] = {}
    for profile in (Holder(one.id, one.email, one.phone, one.customer_id) for one in known):
        for value in (profile.email, profile.phone, profile.customer_id):
            if value is not None:
                by.setdefault(value, []).append(profile)
    others -= retired
    found = _found(asked, by, others)
    # Whoever has no address any more is not the one whom an address is held for.
    if found:
        others -= spoken.find_retired(tx, context.connection, sorted(others))
        kin = {
            account: _with_kin(tx, context, account, asked[account], told, customers) for account, told in found.items()
        }
        found = _found(kin, by, others)
    return found


def _with_kin(
    tx: Tx,
    context: ConnectionContext,
    account: Account,
    asked: ContactIdentifiers,
    told: Sequence[IdentifierConflict],
    customers: Mapping[Account, Customer],
) -> ContactIdentifiers:
    """A contact in the profile of somebody who has let go of its email in another store, as one of whom it was sent: to
    leave the email out would take it, and the opt-in by it, from a person who has it.

    Not where either says no: what one contact of a profile says of consent counts for all of them. Nor in one store,
    whose customers are people of their own; leaving the email out sets these apart.
    """
    mine = sent_identifiers.sent_identifiers(tx, context, [_contact(context, account)]).get(_contact(context, account))
    if mine is None or mine.email != asked.email or not _opts_in(customers[account]):
        return asked
    kin = set()
    for one in told:
        holders = {at for at in context.accounts({one.customer_id or ""}) if at[0] != account[0]}
        keys = [("customer", store, str(number)) for store, number in holders]
        kept = records.load_records(tx, context.connection, keys, context.packer)
        now = [customers.get((key[1], int(key[2])), found.record) for key, found in kept.items()]
        if one.field == "email" and now and all(_has_let_go(who, asked.email) for who in now):
            kin.add(one.customer_id or "")
    return msgspec.structs.replace(asked, ids=asked.ids | kin)


def _has_let_go(who: object, email: str | None) -> bool:
    if not isinstance(who, Customer):
        return False
    now = normalise_email(who.email)
    return now is None or (now != email and _opts_in(who))


def _opts_in(customer: Customer) -> bool:
    return customer.email_consent is not None and customer.email_consent.state == IN


def _found(
    asked: Mapping[Account, ContactIdentifiers], by: Mapping[str, Sequence[Holder]], others: Set[str]
) -> dict[Account, tuple[IdentifierConflict, ...]]:
    found = {}
    for account, one in asked.items():
        values = [value for value in (one.email, one.phone, *one.ids) if value is not None]
        near = {profile.id: profile for value in values for profile in by.get(value, ())}
        if told := find_conflicts(one, [near[name] for name in sorted(near)], others - one.ids):
            found[account] = told
    return found


def conflicts_of_changes(
    tx: Tx, context: ConnectionContext, changes: Sequence[RecordTransition], who: People, retired: Set[str]
) -> dict[Account, tuple[IdentifierConflict, ...]]:
    """The same of what a unit of work is about to map."""
    return find_identifier_conflicts(
        tx,
        context,
        {
            (change.key[1], int(change.key[2])): change.after
            for change in changes
            if isinstance(change.after, Customer) and change.after.is_read
        },
        who,
        retired,
    )


def report_conflicts(
    tx: Tx,
    context: ConnectionContext,
    mapped: Sequence[Account],
    found: Mapping[Account, tuple[IdentifierConflict, ...]],
    now: datetime,
) -> None:
    """A case for each identifier that was left out; those of contacts that go out whole again are over."""
    if not mapped:
        return
    touches = [
        Touch(CODE, f"customer:{account[1]}", account[0], "; ".join(f"{one.field} is {one.by}'s" for one in told))
        for account, told in found.items()
    ]
    open_ = cases.open_subjects(tx, context.connection, [CODE])
    fresh = [t for t in touches if (CODE, t.store, t.subject) not in open_]
    cases.open_or_count(tx, context.connection, fresh, now)
    if fresh:
        _look_at_holders(tx, context, [found[t.store, int(t.subject.partition(":")[2])] for t in fresh], now)
    for store in context.shops:
        over = [f"customer:{n}" for at, n in mapped if at == store and (at, n) not in found]
        over = [subject for subject in over if (CODE, store, subject) in open_]
        if over:
            cases.resolve_by_code(tx, context.connection, CODE, now, by="identity", subjects=over, store=store)


def _look_at_holders(
    tx: Tx, context: ConnectionContext, found: Sequence[tuple[IdentifierConflict, ...]], now: datetime
) -> None:
    """Customers whose number is somebody else's now are mapped once more: who has none any more is still sent with the
    last one, to be opted out by it, and lets go of it where another customer has it.
    """
    holders = context.accounts({one.customer_id or "" for told in found for one in told if one.field == "phone"})
    for store in context.shops:
        numbers = sorted(number for at, number in holders if at == store)
        hints = [RefetchRequest(REMAP, f"customer:{number}", Lane.REALTIME, now) for number in numbers]
        inbox.enqueue_internal(tx, context.connection, store, hints, now)


def remap_resolved_conflicts(db: Database, context: ConnectionContext) -> int:
    """Have everybody mapped again of whom an identifier was left out and is nobody else's any more; how many."""
    now = context.clock.now()
    n = 0
    with db.transaction() as tx:
        open_ = cases.open_subjects(tx, context.connection, [CODE])
        keys = {("customer", store, subject.partition(":")[2]) for _, store, subject in open_ if store in context.shops}
        kept = records.load_records(tx, context.connection, keys, context.packer)
        customers = {(key[1], int(key[2])): one.record for key, one in kept.items() if isinstance(one.record, Customer)}
        still = find_identifier_conflicts(tx, context, customers, _people(tx, context, sorted(customers)))
        for store in context.shops:
            gone = {int(key[2]) for key in keys if key[1] == store} - {n for at, n in customers if at == store}
            free = {number for at, number in customers if at == store and (at, number) not in still}
            hints = [RefetchRequest(REMAP, f"customer:{number}", Lane.REALTIME, now) for number in sorted(free)]
            inbox.enqueue_internal(tx, context.connection, store, hints, now)
            n += len(hints)
            if gone:
                subjects = [f"customer:{number}" for number in sorted(gone)]
                cases.resolve_by_code(tx, context.connection, CODE, now, by="identity", subjects=subjects, store=store)
        runs.advance_watermark(tx, context.connection, "", MARK, now, n)
    return n


def _people(tx: Tx, context: ConnectionContext, accounts: Sequence[Account]) -> People:
    own = identity.links_of_customers(tx, context.connection, accounts)
    mates = identity.links_of_emails(tx, context.connection, sorted({link.email for link in own if link.email}))
    return assign_survivors(
        identity.expand_to_persons(tx, context.connection, {link.account: link for link in (*mates, *own)}.values())
    )


def _ours(tx: Tx, context: ConnectionContext, ids: Sequence[str]) -> set[str]:
    """Those of Ometria's customer ids that are living customers of ours."""
    living: list[Link] = identity.links_of_customers(tx, context.connection, sorted(context.accounts(ids)))
    return {link.contact for link in living if not link.is_gone}


def _contact(context: ConnectionContext, account: Account) -> str:
    return f"{context.shops[account[0]].rules.namespace}{account[1]}"


def _id(context: ConnectionContext, account: Account, who: People) -> str:
    rules = context.shops[account[0]].rules
    own = _contact(context, account)
    return rules.customer_id(who.by_customer.get(account, own), account[1]) or own
