"""What a merge of two customers would keep, as the Admin API shows it: plain dicts."""

from __future__ import annotations

from typing import Any

from sims.shopify import merges
from sims.shopify.deeds.choice import Choice
from sims.shopify.state import Customer, gid
from sims.shopify.views.customers import EmailAddress, PhoneNumber
from sims.shopify.views.merge_jobs import name
from sims.shopify.views.plain import MailingAddress, full_name
from sims.shopify.views.sight import Sight


def preview(sight: Sight, choice: Choice) -> dict[str, Any]:
    """Show what a merge would keep, and what of the other might be kept instead."""
    note, tags = choice.note or "", choice.tags
    is_long = len(note) > merges.NOTE_CHARS or len(tags) > merges.TAGS
    errors = []
    for one in (choice.kept, choice.lost):
        if found := merges.blockers(sight.world, sight.store, one):
            errors.append({"errorFields": found, "message": f"{name(one)} can't be merged."})
    other = choice.other(choice.phone_of)
    return {
        "resultingCustomerId": gid("Customer", choice.kept.id),
        "defaultFields": {
            "firstName": choice.first_name,
            "lastName": choice.last_name,
            "displayName": full_name(choice.first_name, choice.last_name),
            "email": _email(sight, choice.kept),
            "phoneNumber": _phone(choice.phone_of),
            "note": choice.note,
            "tags": list(tags),
            "defaultAddress": _address(choice.default_address),
        },
        "alternateFields": {
            "firstName": _alternate(choice, "first_name"),
            "lastName": _alternate(choice, "last_name"),
            "email": _email(sight, choice.lost),
            "phoneNumber": _phone(other),
            "defaultAddress": _address(_alternate(choice, "default_address")),
        },
        "blockingFields": {"note": note, "tags": list(tags)} if is_long else None,
        "customerMergeErrors": errors or None,
    }


def _alternate(choice: Choice, field: str) -> Any:
    values = [getattr(one, field) for one in (choice.kept, choice.lost)]
    return values[1] if values[0] == getattr(choice, field) else values[0]


def _email(sight: Sight, one: Customer) -> EmailAddress | None:
    return EmailAddress(one, sight.store.shop.domain) if one.email else None


def _phone(one: Customer) -> PhoneNumber | None:
    return PhoneNumber(one) if one.phone else None


def _address(address: Any) -> MailingAddress | None:
    return None if address is None else MailingAddress(address, "CustomerAddress")
