"""What the law asks for: a person's data, a person's erasure, a shop's erasure; sent only on demand here.

Shopify sends customers/redact at the later of ten days after the request and sixty after the last order, and
shop/redact 48 hours after an uninstall (descriptions of the topics at https://shopify.dev/docs/api/webhooks).
"""

from __future__ import annotations

from datetime import datetime

from sims.shopify.deeds import people
from sims.shopify.events import Event
from sims.shopify.state import Customer, EmailConsent, SmsConsent, Store, World


def request_data(world: World, store: Store, customer: Customer) -> list[Event]:
    """Ask for everything that is known of a person."""
    detail = {"request_id": world.next_id()}
    return [Event(store.shop.domain, "customers/data_request", customer.id, detail=detail)]


def redact(store: Store, customer: Customer) -> list[Event]:
    """Ask for a person's erasure; the state is not touched, so that it can also come for one already gone."""
    return [Event(store.shop.domain, "customers/redact", customer.id)]


def anonymise(world: World, store: Store, customer: Customer, at: datetime) -> list[Event]:
    """Erase what the store knows of a person and ask the apps to do the same; both consents read REDACTED (ASSUMED)."""
    asked = redact(store, customer)
    email, sms = EmailConsent("REDACTED", "UNKNOWN", at), SmsConsent("REDACTED", "UNKNOWN", at)
    people.heard(store, customer, email, at, "redaction")
    people.heard(store, customer, sms, at, "redaction")
    customer.email_consent, customer.sms_consent = email, sms
    return asked + people.update(world, store, customer, at)


def redact_shop(store: Store) -> list[Event]:
    """Ask for a shop's erasure."""
    return [Event(store.shop.domain, "shop/redact")]
