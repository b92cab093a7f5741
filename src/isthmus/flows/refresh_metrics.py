"""Let contacts be mapped again whose people have become worth something else, at the pace of enrichment."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from isthmus.customer_metrics.sql import order_totals as sales
from isthmus.customer_metrics.sql.order_totals import Buyer, OrderOwner
from isthmus.db.pool import Database, Tx
from isthmus.flows.context import ConnectionContext
from isthmus.flows.parse_events import REMAP
from isthmus.identity.match import People, assign_survivors
from isthmus.identity.sql import links as identity
from isthmus.inbox.sql import events as inbox
from isthmus.model.event import RefetchRequest
from isthmus.model.lane import Lane

AT_ONCE = 1_000
"""Orders of one page."""


def remap_request(customer_id: int, lane: Lane, now: datetime) -> RefetchRequest:
    """What a contact waits for whose metrics, or whose service hold, are others than were said."""
    return RefetchRequest(REMAP, f"customer:{customer_id}", lane, now)


def customers_of_owners(owners: Iterable[OrderOwner], who: People) -> set[tuple[str, int]]:
    """All store customers of the people whose orders these are; a guest may be a customer by their address."""
    owning = {
        who.by_customer.get((owner.store, owner.customer_id))
        if owner.customer_id is not None
        else who.by_email.get(owner.email or "")
        for owner in owners
    }
    return {customer for customer, person in who.by_customer.items() if person in owning}


def regrouped(before: People, after: People) -> set[tuple[str, int]]:
    """Store customers who share a person with others than before, and so are worth what those bring or take away."""
    was, now = before.whole(), after.whole()
    return {customer for customer in was.keys() | now.keys() if was.get(customer) != now.get(customer)}


def customers_with_new_metrics(tx: Tx, connection: str, customers: Sequence[tuple[str, int]]) -> set[tuple[str, int]]:
    """Of these store customers those whose worth a load has changed, and who are not mapped again yet."""
    if not customers:
        return set()
    own = identity.links_of_customers(tx, connection, sorted(customers))
    emails = sorted({link.email for link in own if link.email})
    whole = assign_survivors(
        [*(k for k in own if k.email is None), *identity.links_of_emails(tx, connection, emails)]
    ).whole()
    email_of = {(link.store, link.customer_id): link.email for link in own}
    buyers = [Buyer(whole.get(one, (one,)), email_of.get(one)) for one in customers]
    are = sales.have_unsent_changes(tx, connection, buyers)
    return {one for one, is_untold in zip(customers, are, strict=True) if is_untold}


def remap_after_load(db: Database, context: ConnectionContext) -> int:
    """One page of `remap_worth`, unless a load is still under way; how many contacts."""
    now = context.clock.now()
    with db.transaction() as tx:
        return (_page(tx, context, now) or 0) if sales.is_remap_due(tx, context.connection, now) else 0


def remap_changed_metrics(db: Database, context: ConnectionContext) -> int:
    """Put everybody whose worth a load has changed on the backfill lane, once per person; how many contacts.

    Goes on where it was stopped: who was not told yet is marked so in the database.
    """
    n = 0
    while True:
        with db.transaction() as tx:
            found = _page(tx, context, context.clock.now())
        if found is None:
            return n
        n += found


def _page(tx: Tx, context: ConnectionContext, now: datetime) -> int | None:
    """One page; how many contacts, None where nobody is left."""
    owners = sales.take_changed_owners(tx, context.connection, AT_ONCE)
    return request_remap_of_owners(tx, context, owners, Lane.BACKFILL, now) if owners else None


def request_remap_of_owners(
    tx: Tx, context: ConnectionContext, owners: Sequence[OrderOwner], lane: Lane, now: datetime
) -> int:
    """Let all contacts of the people whose orders these are be mapped again; how many those are."""
    customers = [(owner.store, owner.customer_id) for owner in owners if owner.customer_id is not None]
    own = identity.links_of_customers(tx, context.connection, sorted(customers))
    emails = {owner.email for owner in owners if owner.email} | {link.email for link in own if link.email}
    links = [*own, *identity.links_of_emails(tx, context.connection, sorted(emails))]
    found = {link.account for link in identity.expand_to_persons(tx, context.connection, links) if not link.is_gone}
    for store in context.shops:
        inbox.enqueue_internal(
            tx,
            context.connection,
            store,
            [remap_request(id_, lane, now) for at, id_ in sorted(found) if at == store],
            now,
        )
    return len(found)
