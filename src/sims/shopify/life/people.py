"""What people do to themselves: appear, agree, move, marry, leave, turn out to be one."""

from __future__ import annotations

import random
from datetime import datetime

from sims.shopify import chance, names
from sims.shopify.deeds import people, privacy
from sims.shopify.events import Event
from sims.shopify.life.draw import recent
from sims.shopify.state import EmailConsent, SmsConsent, Store, World


def somebody_appears(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Enter a new customer, perhaps one the other store knows already."""
    email = human = None
    if rng.random() < 0.1:
        other = rng.choice(list(made.stores.values()))
        known = recent(other.customers, rng)
        if known and known.email and known.email.strip().lower() not in store.by_email:
            email, human = known.email, known
    one = chance.customer(made, store, rng, at, email)
    if human is not None:
        chance.be(one, human)
    return people.appear(store, one)


def somebody_agrees_or_not(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Sign up for mail or out of it."""
    one = recent(store.customers, rng)
    if one is None or one.email is None or one.email_consent.state == "REDACTED":
        return []
    state = "UNSUBSCRIBED" if one.email_consent.state == "SUBSCRIBED" else "SUBSCRIBED"
    return people.email_consent(made, store, one, EmailConsent(state, "SINGLE_OPT_IN", at), at)


def somebody_texts_or_not(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Sign up for text messages or out of them."""
    one = recent(store.customers, rng)
    if one is None or one.phone is None or one.sms_consent.state == "REDACTED":
        return []
    state = "UNSUBSCRIBED" if one.sms_consent.state == "SUBSCRIBED" else "SUBSCRIBED"
    return people.sms_consent(made, store, one, SmsConsent(state, "SINGLE_OPT_IN", at, "SHOPIFY"), at)


def somebody_moves(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Change an email, or give the first one."""
    one = recent(store.customers, rng)
    if one is None:
        return []
    email = chance.free_email(store, rng, one.first_name or "x", one.last_name or "y")
    return people.change_address(made, store, one, email, one.phone, at)


def an_address_is_emptied(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Take a customer's email away, as staff do for somebody who asks for it."""
    one = recent(store.customers, rng)
    if one is None or one.email is None:
        return []
    return people.change_address(made, store, one, None, one.phone, at)


def a_number_is_taken_back(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Change or empty the number of somebody who was asked about text messages."""
    one = recent(store.customers, rng)
    if one is None or one.phone is None or one.sms_consent.updated_at is None:
        return []
    phone = chance.free_phone(store, rng) if rng.random() < 0.7 else None
    return people.forget_number(made, store, one, phone, at)


def an_erasure_is_asked_for(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Erase somebody for good; what they said of messages reads REDACTED from then on."""
    one = recent(store.customers, rng)
    if one is None or one.email_consent.state == "REDACTED":
        return []
    return privacy.anonymise(made, store, one, at)


def somebody_is_tagged(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Give or take a tag."""
    one = recent(store.customers, rng)
    if one is None:
        return []
    chosen = rng.choice(names.CUSTOMER_TAGS)
    tags = [tag for tag in one.tags if tag != chosen] if chosen in one.tags else [*one.tags, chosen]
    return people.tag(made, store, one, tags, at)


def somebody_marries(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Change a name."""
    one = recent(store.customers, rng)
    return people.rename(made, store, one, one.first_name or "Ada", rng.choice(names.LAST), at) if one else []


def somebody_signs_in(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Switch an account on or off."""
    one = recent(store.customers, rng)
    return people.enable(made, store, one, at, enabled=one.state != "ENABLED") if one else []


def somebody_leaves(_made: World, store: Store, rng: random.Random, _at: datetime) -> list[Event]:
    """Delete a customer who never ordered."""
    one = recent(store.customers, rng)
    if one is None or store.orders_of.get(one.id):
        return []
    return people.leave(store, one)


def two_are_one(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Merge two customers."""
    one, two = recent(store.customers, rng), recent(store.customers, rng)
    if one is None or two is None or one is two or "REDACTED" in (one.email_consent.state, two.email_consent.state):
        return []  # the REDACTED_AT of CustomerMergeErrorFieldType
    return people.merge(made, store, *people.winner(one, two), at)


HAPPENINGS = (
    (somebody_appears, 5.0),
    (somebody_agrees_or_not, 8.0),
    (somebody_texts_or_not, 3.0),
    (somebody_moves, 2.0),
    (somebody_is_tagged, 5.0),
    (somebody_marries, 2.0),
    (somebody_signs_in, 1.0),
    (an_address_is_emptied, 0.4),
    (a_number_is_taken_back, 0.6),
    (an_erasure_is_asked_for, 0.15),
    (somebody_leaves, 0.5),
    (two_are_one, 0.4),
)
