"""Keep the links between customers and addresses in step with what changed, and tell whose person that changed."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from isthmus.db.pool import Tx
from isthmus.flows.change import RecordTransition
from isthmus.flows.context import ConnectionContext
from isthmus.identity.match import Account, Link, People, assign_survivors
from isthmus.identity.sql import links as identity
from isthmus.kit.email import normalise_email
from isthmus.model.customer import Customer
from isthmus.model.lane import Lane
from isthmus.model.order import Order
from isthmus.records.sql import store as records


def match_customers(
    tx: Tx,
    context: ConnectionContext,
    changes: Sequence[RecordTransition],
    merged: Sequence[tuple[Link, Account]],
    now: datetime,
) -> tuple[People, People, list[RecordTransition]]:
    """Keep the links in step with the customers; everybody's surviving id before and now, and whose changed."""
    customers = {(c.key[1], int(c.key[2])) for c in changes if c.key[0] == "customer"}
    customers |= {account for link, to in merged for account in (link.account, to)}
    owners = {
        (c.key[1], record.customer_id)
        for c in changes
        for record in (c.before, c.after)
        if isinstance(record, Order) and record.customer_id is not None
    }
    linked = identity.links_of_customers(tx, context.connection, sorted(customers | owners))
    emails = {link.email for link in linked if link.email}
    for change in changes:
        for record in (change.before, change.after):
            if isinstance(record, (Customer, Order)) and (email := normalise_email(record.email)):
                emails.add(email)
    identity.lock_names(tx, context.connection, [f"email:{email}" for email in emails])
    known = _whole(tx, context, emails, linked)
    if merged_with := {link.email for link in known if link.email} - emails:
        # Rare, and out of order: whoever meets another one here is tried again.
        identity.lock_names(tx, context.connection, [f"email:{email}" for email in merged_with])
        emails |= merged_with
        known = _whole(tx, context, emails, linked)
    before = assign_survivors(known)

    links = []
    for change in changes:
        if isinstance(change.after, Customer):
            store, number = change.key[1], change.after.id
            contact = f"{context.shops[store].rules.namespace}{number}"
            links.append(Link(store, number, contact, normalise_email(change.after.email)))
    gone = [(c.key[1], int(c.key[2])) for c in changes if c.is_gone and c.key[0] == "customer"]
    if not links and not gone and not merged:
        return before, before, []
    if links:
        identity.save_links(tx, context.connection, links)
    if gone:
        identity.mark_removed(tx, context.connection, gone, now)
    if merged:
        identity.merge_accounts(tx, context.connection, merged, now)
    linked = identity.links_of_customers(tx, context.connection, sorted(customers | owners))
    after = assign_survivors(_whole(tx, context, emails, linked))
    return before, after, _affected(tx, context, changes, before, after, now)


def _whole(tx: Tx, context: ConnectionContext, emails: Iterable[str], linked: Iterable[Link]) -> list[Link]:
    """Everybody behind these addresses and accounts, whole by person."""
    found = [*identity.links_of_emails(tx, context.connection, sorted(emails)), *_alone(linked)]
    return identity.expand_to_persons(tx, context.connection, found)


def _alone(links: Iterable[Link]) -> list[Link]:
    """Customers without an address; the others come with everybody else of theirs."""
    return [link for link in links if link.email is None]


def _affected(
    tx: Tx,
    context: ConnectionContext,
    changes: Sequence[RecordTransition],
    before: People,
    after: People,
    now: datetime,
) -> list[RecordTransition]:
    """Records that did not change themselves but belong to somebody whose surviving id did."""
    emails = [
        e for e in before.by_email.keys() | after.by_email.keys() if before.by_email.get(e) != after.by_email.get(e)
    ]

    def spoke_for(who: People, customer: tuple[str, int]) -> str:
        return who.by_customer.get(customer) or f"{context.shops[customer[0]].rules.namespace}{customer[1]}"

    moved = [
        customer
        for customer in before.by_customer.keys() | after.by_customer.keys()
        if spoke_for(before, customer) != spoke_for(after, customer)
    ]
    if not emails and not moved:
        return []
    mine = {change.key for change in changes}
    lane = min((c.lane for c in changes), key=lambda lane: lane.rank, default=Lane.REALTIME)
    since = min((c.since for c in changes), default=now)
    return [
        RecordTransition((k.kind, k.store, k.id), k.record, k.record, [], lane, since, is_remap=True)
        for k in records.records_of_people(tx, context.connection, emails, moved, context.packer)
        if (k.kind, k.store, k.id) not in mine
    ]
