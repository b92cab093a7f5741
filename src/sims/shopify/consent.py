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

WRITABLE = ("SUBSCRIBED", "UNSUBSCRIBED", "PENDING")


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a write: the customer as answered, complaints, and the events it fires."""

    customer: Customer | None
    complaints: list[dict[str, Any]]
    events: list[Event]


def email(world: World, store: Store, customer: Customer | None, wish: Mapping[str, Any], now: datetime) -> Written:
    """Write consent by email; without an address on the customer it is a success that changes nothing."""
    _check_state(wish)
    if customer is None:
        return Written(None, [_complaint(["input", "customerId"], "Customer not found", "INVALID")], [])
    complaint = _judge(wish, "emailMarketingConsent", now)
    if complaint is not None:
        return Written(customer, [complaint], [])
    known = customer.email_consent
    level = wish.get("marketingOptInLevel") or known.opt_in_level
    consent = EmailConsent(wish["marketingState"], level, _time(wish, now))
    if not _is_newer(known.updated_at, consent.updated_at):
        return Written(customer, [], [])
    return Written(customer, [], people.email_consent(world, store, customer, consent, now))


def sms(world: World, store: Store, customer: Customer | None, wish: Mapping[str, Any], now: datetime) -> Written:
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
    known = customer.sms_consent
    level = wish.get("marketingOptInLevel") or known.opt_in_level
    consent = SmsConsent(wish["marketingState"], level, _time(wish, now))
    if not _is_newer(known.updated_at, consent.updated_at):
        return Written(customer, [], [])
    return Written(customer, [], people.sms_consent(world, store, customer, consent, now))


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
