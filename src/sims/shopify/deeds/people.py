"""What happens to customers: they appear, change, agree, leave, and turn out to be one."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime

from sims.shopify import money
from sims.shopify.deeds.choice import Choice, choose
from sims.shopify.deeds.choice import winner as winner
from sims.shopify.events import Event
from sims.shopify.state import ZERO, Customer, EmailConsent, SmsConsent, Store, World


def appear(store: Store, customer: Customer) -> list[Event]:
    """Enter a new customer."""
    store.add_customer(customer)
    events = [_event(store, "customers/create", customer)]
    if customer.email and customer.email_consent.updated_at:
        heard(store, customer, customer.email_consent, customer.created_at, "signup")
        events.append(_event(store, "customers_email_marketing_consent/update", customer))
    if customer.phone and customer.sms_consent.updated_at:
        heard(store, customer, customer.sms_consent, customer.created_at, "signup")
        events.append(_event(store, "customers_marketing_consent/update", customer))
    return events


def rename(world: World, store: Store, customer: Customer, first: str, last: str, at: datetime) -> list[Event]:
    """Change a customer's name."""
    customer.first_name, customer.last_name = first, last
    return update(world, store, customer, at)


def change_address(
    world: World, store: Store, customer: Customer, email: str | None, phone: str | None, at: datetime
) -> list[Event]:
    """Change a customer's email and phone; both must be free in the store. Consent stays as it was (ASSUMED)."""
    store.unindex_customer(customer)
    customer.email, customer.phone = email, phone
    store.index_customer(customer)
    return update(world, store, customer, at)


def tag(world: World, store: Store, customer: Customer, tags: list[str], at: datetime) -> list[Event]:
    """Give a customer exactly these tags, kept sorted as Shopify keeps them; compared without case (ASSUMED)."""
    before = {one.lower(): one for one in customer.tags}
    after = {one.strip().lower(): one.strip() for one in tags if one.strip()}
    added = sorted(name for key, name in after.items() if key not in before)
    removed = sorted(name for key, name in before.items() if key not in after)
    if not added and not removed:
        return []
    customer.tags = sorted((before.get(key, name) for key, name in after.items()), key=str.lower)
    events = update(world, store, customer, at)
    when = {"occurred_at": customer.updated_at}
    if added:
        events.append(Event(store.shop.domain, "customer.tags_added", customer.id, detail={"tags": added, **when}))
    if removed:
        events.append(Event(store.shop.domain, "customer.tags_removed", customer.id, detail={"tags": removed, **when}))
    return events


def email_consent(
    world: World,
    store: Store,
    customer: Customer,
    consent: EmailConsent,
    at: datetime,
    *,
    way: str = "storefront",
    is_own_write: bool = False,
) -> list[Event]:
    """Set a customer's email consent; the same state again changes nothing, not even its time (seen live).

    `way` is how it was said, `is_own_write` whether a program said it: for the record of statements only.
    """
    if customer.email is None or customer.email_consent.state == consent.state:
        return []
    customer.email_consent = consent
    heard(store, customer, consent, at, way, is_own_write)
    return [
        _event(store, "customers_email_marketing_consent/update", customer),
        *update(world, store, customer, at),
    ]


def sms_consent(
    world: World,
    store: Store,
    customer: Customer,
    consent: SmsConsent,
    at: datetime,
    *,
    way: str = "storefront",
    is_own_write: bool = False,
) -> list[Event]:
    """Set a customer's text message consent; the same state again changes nothing."""
    if customer.phone is None or customer.sms_consent.state == consent.state:
        return []
    customer.sms_consent = consent
    heard(store, customer, consent, at, way, is_own_write)
    return [_event(store, "customers_marketing_consent/update", customer), *update(world, store, customer, at)]


def forget_number(world: World, store: Store, customer: Customer, phone: str | None, at: datetime) -> list[Event]:
    """Give a customer another number, or none: nobody was asked about that one, so nothing is allowed on it."""
    store.unindex_customer(customer)
    customer.phone, customer.sms_consent = phone, SmsConsent()
    store.index_customer(customer)
    return update(world, store, customer, at)


def enable(world: World, store: Store, customer: Customer, at: datetime, *, enabled: bool = True) -> list[Event]:
    """Switch a customer's account on or off."""
    customer.state = "ENABLED" if enabled else "DISABLED"
    topic = "customers/enable" if enabled else "customers/disable"
    return [*update(world, store, customer, at), _event(store, topic, customer)]


def update(world: World, store: Store, customer: Customer, at: datetime) -> list[Event]:
    """Note that a customer changed."""
    world.touch(store, customer, at)
    return [_event(store, "customers/update", customer)]


def summarise(world: World, store: Store, customer: Customer, at: datetime) -> list[Event]:
    """Count a customer's orders and money again.

    Test orders do not count; money is what the shop kept (ASSUMED: net of refunds).
    """
    mine = [one for one in store.orders_by(customer.id) if not one.test]
    spent = sum((money.net_payment(one).shop for one in mine), ZERO)
    last = mine[-1].id if mine else None
    if (len(mine), spent, last) == (customer.number_of_orders, customer.amount_spent, customer.last_order_id):
        return []
    customer.number_of_orders, customer.amount_spent, customer.last_order_id = len(mine), spent, last
    events = update(world, store, customer, at)
    detail = {"occurred_at": customer.updated_at}
    events.append(Event(store.shop.domain, "customers/purchasing_summary", customer.id, detail=detail))
    return events


def leave(store: Store, customer: Customer) -> list[Event]:
    """Delete a customer; Shopify allows it only without orders
    (https://shopify.dev/docs/api/admin-graphql/latest/mutations/customerDelete)."""
    if any(True for _ in store.orders_by(customer.id)):
        raise ValueError("Customer can't be deleted because they have associated orders")
    store.drop_customer(customer)
    return [_event(store, "customers/delete", customer)]


def merge(
    world: World,
    store: Store,
    kept: Customer,
    lost: Customer,
    at: datetime,
    *,
    choice: Choice | None = None,
    job: str | None = None,
) -> list[Event]:
    """Fold one customer into another: tags and notes joined, orders moved; the loser reads null (seen live)."""
    chosen = choice or choose(kept, lost)
    store.drop_customer(lost)
    lost.merged_into = kept.id
    kept.first_name, kept.last_name, kept.note = chosen.first_name, chosen.last_name, chosen.note
    if chosen.phone_of is lost and lost.phone:
        store.unindex_customer(kept)
        kept.phone, kept.sms_consent = lost.phone, replace(lost.sms_consent)
        store.index_customer(kept)
    kept.addresses = [*kept.addresses, *lost.addresses]
    kept.default_address = chosen.default_address
    held = {(one.namespace, one.key) for one in kept.metafields}
    kept.metafields = [*kept.metafields, *(one for one in lost.metafields if (one.namespace, one.key) not in held)]
    number = world.next_id()
    detail = {"deleted": lost.id, "job": job or str(uuid.uuid5(uuid.NAMESPACE_URL, f"merge {world.seed} {number}"))}
    events = [Event(store.shop.domain, "customers/merge", kept.id, detail=detail)]
    moved = store.orders_of.pop(lost.id, [])
    store.orders_of[kept.id] = sorted([*store.orders_of.get(kept.id, []), *moved])
    for number in moved:
        if number in store.orders:
            order = store.orders[number]
            order.customer_id = kept.id
            if world.merge_touches_orders:
                world.touch(store, order, at)
                events.append(Event(store.shop.domain, "orders/updated", order.id))
    events += tag(world, store, kept, list(chosen.tags), at) or update(world, store, kept, at)
    return events + summarise(world, store, kept, at)


def heard(
    store: Store,
    customer: Customer,
    said: EmailConsent | SmsConsent,
    heard_at: datetime,
    way: str,
    is_own_write: bool = False,
) -> None:
    """Write down what a customer said."""
    is_email = isinstance(said, EmailConsent)
    store.statements.hear(
        "shopify",
        store.shop.domain,
        "email" if is_email else "sms",
        customer.email if is_email else customer.phone,
        said.state,
        said.updated_at or heard_at,
        who=customer.id,
        way=way,
        is_own_write=is_own_write,
        heard_at=heard_at,
    )


def _event(store: Store, topic: str, customer: Customer) -> Event:
    return Event(store.shop.domain, topic, customer.id)
