"""Which of two customers a merge keeps, and what of each of them.

https://shopify.dev/docs/api/admin-graphql/2026-10/mutations/customerMerge: rules of who is kept, and overrides by
field. That a name, an address or a custom field which only one of them has is kept is ASSUMED.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sims.shopify.state import Address, Customer

PREFERRED = ("SUBSCRIBED", "PENDING")


@dataclass(frozen=True, slots=True)
class Choice:
    """What the kept customer will be; `phone_of` is whose number, and consent, that is."""

    kept: Customer
    lost: Customer
    first_name: str | None
    last_name: str | None
    phone_of: Customer
    default_address: Address | None
    note: str | None
    tags: tuple[str, ...]

    def other(self, one: Customer) -> Customer:
        """Return the one of the two who is not this one."""
        return self.lost if one is self.kept else self.kept


def winner(one: Customer, two: Customer) -> tuple[Customer, Customer]:
    """Say who is kept and who is lost, when nobody says whose email shall stay."""
    if bool(one.email) != bool(two.email):
        return (one, two) if one.email else (two, one)
    if not one.email:
        return two, one
    for prefers in (
        lambda each: each.state == "ENABLED",
        lambda each: each.email_consent.state in PREFERRED,
        lambda each: each.state == "INVITED",
    ):
        if prefers(one) != prefers(two):
            return (one, two) if prefers(one) else (two, one)
    return two, one


def choose(kept: Customer, lost: Customer, whose: Mapping[str, Customer] | None = None) -> Choice:
    """Say what is kept: of each field the one that `whose` names it for, else the kept one's, else the other's.

    Fields: first_name, last_name, phone, default_address.
    """
    whose = whose or {}

    def owner(field: str) -> Customer:
        if field in whose:
            return whose[field]
        return kept if getattr(kept, field) or not getattr(lost, field) else lost

    return Choice(
        kept,
        lost,
        owner("first_name").first_name,
        owner("last_name").last_name,
        owner("phone"),
        owner("default_address").default_address,
        " ".join(note for note in (kept.note, lost.note) if note) or None,
        tuple(dict.fromkeys([*kept.tags, *(tag for tag in lost.tags if tag not in kept.tags)])),
    )
