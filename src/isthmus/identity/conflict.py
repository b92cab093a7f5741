"""Which of a contact's identifiers Ometria is known to hold for somebody else, before anything is sent.

A contact made after 2024 cannot share an identifier: one that belongs to another contact is ignored, silently
(https://support.ometria.com/hc/en-gb/articles/360019604358). What would be ignored is not sent, and is a case.
"""

from collections.abc import Collection, Sequence

from msgspec import Struct


class Holder(Struct, frozen=True):
    """A profile of Ometria's, by what it is known to hold."""

    id: str
    email: str | None
    phone: str | None
    customer_id: str | None


class ContactIdentifiers(Struct, frozen=True):
    """A contact as it would go out: the id of its person, every id that person may be known by, and its identifiers.

    `phone` is None where the account does not identify people by phone numbers.
    """

    person: str
    ids: frozenset[str]
    email: str | None
    phone: str | None = None


class IdentifierConflict(Struct, frozen=True):
    """An identifier that is somebody else's there; `by` names the profile, and its customer where it has one."""

    field: str
    by: str
    customer_id: str | None = None


def find_conflicts(
    asked: ContactIdentifiers, profiles: Sequence[Holder], others: Collection[str]
) -> tuple[IdentifierConflict, ...]:
    """What of this contact would be ignored, by the profiles that hold any of it.

    `others` are the customer ids of Ometria's that are other people of ours. A profile of an id that nobody here
    knows (another writer's) that has our address is the same person under another id, since a person is an address.
    """
    has_home = any(one.customer_id in asked.ids for one in profiles)
    found = []
    for field, value in (("email", asked.email), ("phone", asked.phone)):
        holders = [one for one in profiles if value is not None and getattr(one, field) == value]
        if not holders or any(one.customer_id in asked.ids or one.customer_id is None for one in holders):
            continue
        if has_home or any(one.customer_id in others for one in holders):
            first = holders[0]
            by = f"profile {first.id}" + (f" of {first.customer_id}" if first.customer_id else "")
            found.append(IdentifierConflict(field, by, first.customer_id))
    return tuple(found)
