"""Writing marketing consent: what is refused, what is applied, and what is silently nothing.

The table is a matrix of captured answers (live-captures/customers/customer-*-marketing-consent-update-parity.json).
https://shopify.dev/docs/api/admin-graphql/2026-10/mutations/customerEmailMarketingConsentUpdate
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sims.shopify.deeds import people
from sims.shopify.events import Event
from sims.shopify.run import Refusal
from sims.shopify.state import Customer, EmailConsent, SmsConsent, Store, World
from sims.shopify.whims import Whims

WRITABLE = ("SUBSCRIBED", "UNSUBSCRIBED", "PENDING")


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a write: the customer as answered, complaints, and the events it fires."""

    customer: Customer | None
    complaints: list[dict[str, Any]]
    events: list[Event]


def email(
    world: World,
    store: Store,
    customer: Customer | None,
    wish: Mapping[str, Any],
    now: datetime,
    whims: Whims | None = None,
) -> Written:
    """Write consent by email; without an address on the customer it is a success that changes nothing."""
    _check_state(wish)
    if customer is None:
        return Written(None, [_complaint(["input", "customerId"], "Customer not found", "INVALID")], [])
    complaint = _judge(wish, "emailMarketingConsent", now)
    if complaint is not None:
        return Written(customer, [complaint], [])
    if customer.email is None:
        return Written(customer, [], [])
    level = wish.get("marketingOptInLevel") or customer.email_consent.opt_in_level
    consent = EmailConsent(wish["marketingState"], level, _time(wish, now))
    return _write(world, store, customer, consent, now, whims)


def sms(
    world: World,
    store: Store,
    customer: Customer | None,
    wish: Mapping[str, Any],
    now: datetime,
    whims: Whims | None = None,
) -> Written:
    """Write consent by text message; a complaint answers without the customer."""
    _check_state(wish)
    if customer is None:
        return Written(None, [_complaint(None, "Customer not found", None)], [])
    complaint = _judge(wish, "smsMarketingConsent", now)
    if complaint is None and customer.phone is None:
        told = "A phone number is required to set the SMS consent state."
        complaint = _complaint(["input", "smsMarketingConsent"], told, "INVALID")
    if complaint is not None:
        return Written(None, [complaint], [])
    level = wish.get("marketingOptInLevel") or customer.sms_consent.opt_in_level
    consent = SmsConsent(wish["marketingState"], level, _time(wish, now))
    return _write(world, store, customer, consent, now, whims)


def _write(
    world: World,
    store: Store,
    customer: Customer,
    consent: EmailConsent | SmsConsent,
    now: datetime,
    whims: Whims | None,
) -> Written:
    """Write what was found good, or do with it what the shop's whim is; what changes nothing meets no whim."""
    known = _known(customer, consent)
    is_newer = _is_newer(known.updated_at, consent.updated_at) or (whims is not None and whims.takes_older)
    if known.state == consent.state or not is_newer:
        return Written(customer, [], [])
    whim = "written" if whims is None else whims.of(customer.id)
    if whims is None or whim == "written":
        return Written(customer, [], _set(world, store, customer, consent, now))
    if whim == "refused":
        is_email = isinstance(consent, EmailConsent)
        part = "emailMarketingConsent" if is_email else "smsMarketingConsent"
        complaint = _complaint(["input", part], "Marketing consent could not be updated", "INVALID")
        return Written(customer if is_email else None, [complaint], [])
    due_at = now + whims.wait(whim)
    if whim == "late":
        world.later.put(due_at, lambda at: _catch_up(world, store, customer, consent, at))
        return Written(customer, [], [])
    events = _set(world, store, customer, consent, now)
    world.later.put(due_at, lambda at: _take_back(store, customer, consent, known, at))
    return Written(customer, [], events)


def _set(
    world: World, store: Store, customer: Customer, consent: EmailConsent | SmsConsent, at: datetime
) -> list[Event]:
    if isinstance(consent, EmailConsent):
        return people.email_consent(world, store, customer, consent, at, way="api", is_own_write=True)
    return people.sms_consent(world, store, customer, consent, at, way="api", is_own_write=True)


def _catch_up(
    world: World, store: Store, customer: Customer, consent: EmailConsent | SmsConsent, at: datetime
) -> list[Event]:
    is_there = customer.id in store.customers
    if not is_there or not _is_newer(_known(customer, consent).updated_at, consent.updated_at):
        return []
    return _set(world, store, customer, consent, at)


def _take_back(
    store: Store,
    customer: Customer,
    written: EmailConsent | SmsConsent,
    before: EmailConsent | SmsConsent,
    at: datetime,
) -> list[Event]:
    """Let stand again what stood before, unless something else was said meanwhile; nobody is told."""
    if _known(customer, written) is not written:
        return []
    if isinstance(before, EmailConsent):
        customer.email_consent = before
    else:
        customer.sms_consent = before
    people.heard(store, customer, before, at, "reverted", is_own_write=True)
    store.version += 1
    return []


def _known(customer: Customer, told: EmailConsent | SmsConsent) -> EmailConsent | SmsConsent:
    return customer.email_consent if isinstance(told, EmailConsent) else customer.sms_consent


def _check_state(wish: Mapping[str, Any]) -> None:
    if wish["marketingState"] not in WRITABLE:
        raise Refusal(f"Cannot specify {wish['marketingState']} as a marketing state input", code="INVALID")


def _judge(wish: Mapping[str, Any], part: str, now: datetime) -> dict[str, Any] | None:
    state, level = wish["marketingState"], wish.get("marketingOptInLevel")
    if level is None and state in ("SUBSCRIBED", "PENDING"):
        return _complaint(
            ["input", part, "marketingOptInLevel"], "Marketing opt in level must exist", "MISSING_ARGUMENT"
        )
    if state == "PENDING" and level != "CONFIRMED_OPT_IN":
        told = "Marketing opt in level must be confirmed opt-in for pending consent state"
        return _complaint(["input", part, "marketingOptInLevel"], told, "INVALID")
    if _time(wish, now) > now:
        told = "Consent updated at must not be in the future"
        return _complaint(["input", part, "consentUpdatedAt"], told, "INVALID")
    return None


def _is_newer(known: datetime | None, told: datetime | None) -> bool:
    """Say whether a write may win: "the consent record with the most recent consent_updated_at" counts.

    ASSUMED: an older time than the stored one is a success that changes nothing; an equal one is applied.
    """
    return known is None or told is None or told >= known


def _time(wish: Mapping[str, Any], now: datetime) -> datetime:
    text = wish.get("consentUpdatedAt")
    if text is None:
        return now
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _complaint(field: list[str] | None, message: str, code: str | None) -> dict[str, Any]:
    return {"field": field, "message": message, "code": code}
