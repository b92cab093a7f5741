"""Whose an order is, and whose an account: same, new or ambiguous, by which rule. The policy stands in one place.

- A store's customer is the person of their links, however they paid: online, in a shop (POS), or for a company (B2B,
  whose contacts are customers; a company is no person).
- A guest is whoever answers to the address; one that nobody has gets no invented id. Compared are whole normalised
  addresses, never a search's idea of one.
- A phone number alone makes nobody: households, offices and placeholders share them.
- What has neither address nor number is nobody's.
"""

from collections.abc import Collection
from enum import StrEnum

from msgspec import Struct

from isthmus.identity.match import Account, People


class Resolution(StrEnum):
    """same: somebody we know · new: nobody else's so far · ambiguous: it may be somebody's, and nobody guesses."""

    SAME = "same"
    NEW = "new"
    AMBIGUOUS = "ambiguous"


class Resolved(Struct, frozen=True):
    """The answer, the rule that gave it, and the surviving id of the person, where there is one."""

    answer: Resolution
    rule: str
    person: str | None


def order_owner(
    store: str, namespace: str, customer_id: int | None, email: str | None, phone: str | None, who: People
) -> Resolved:
    """Whose an order is; `email` normalised, `who` whole by the customer and the address."""
    if customer_id is not None:
        known = who.by_customer.get((store, customer_id))
        if known is not None:
            return Resolved(Resolution.SAME, "store_customer", known)
        # Its contact is still to come, under this very id.
        return Resolved(Resolution.NEW, "unknown_customer", f"{namespace}{customer_id}")
    if email is not None:
        person = who.by_email.get(email)
        if person is not None:
            return Resolved(Resolution.SAME, "guest_address", person)
        return Resolved(Resolution.NEW, "guest", None)
    if phone is not None:
        return Resolved(Resolution.AMBIGUOUS, "phone_alone", None)
    return Resolved(Resolution.NEW, "nobody", None)


def customer_account(
    own: Account,
    contact: str,
    email: str | None,
    phone: str | None,
    who: People,
    merged: Collection[Account],
    *,
    is_shared: bool,
) -> Resolved:
    """Whose an account is. `merged` are the accounts that a merge put into other people, or others into; `is_shared`
    when somebody of another name answers to the address too.
    """
    person = who.by_customer.get(own, contact)
    if is_shared:
        return Resolved(Resolution.AMBIGUOUS, "shared_address", person)
    if own in merged:
        return Resolved(Resolution.SAME, "merged", person)
    mates = [one for one, name in who.by_customer.items() if name == person and one != own]
    if mates:
        return Resolved(Resolution.SAME, "address", person)
    if email is not None:
        return Resolved(Resolution.NEW, "own_address", person)
    return Resolved(Resolution.NEW, "phone_only" if phone is not None else "unreachable", person)
