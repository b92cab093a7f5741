"""Merging customers by the Admin API: what stands in the way, the preview, the job and what becomes of it.

https://shopify.dev/docs/api/admin-graphql/2026-10/mutations/customerMerge; answers were captured,
a failed merge is told by webhook as in the published sample of customers/merge. How long a merge takes, what a failed
one says in the API and the words of complaints that no capture shows are ASSUMED.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from dataclasses import replace as changed
from datetime import datetime, timedelta
from typing import Any

from sims.faults import Faults
from sims.shopify.deeds import people
from sims.shopify.deeds.choice import Choice, choose, winner
from sims.shopify.events import Event
from sims.shopify.run import Refusal
from sims.shopify.state import Customer, Store, World

KNOBS: dict[str, Any] = {"shopify.merge_for": 2.0, "shopify.p_merge_fails": 0.0, "shopify.merge_fails": []}
"""How many seconds a merge takes, and whether it fails: by chance, or when one of these customers is in it."""

NOTE_CHARS, TAGS = 5000, 250
STARTS_AFTER = timedelta(seconds=1)

_IDS = {
    "customer_id_of_first_name_to_keep": "first_name",
    "customer_id_of_last_name_to_keep": "last_name",
    "customer_id_of_phone_number_to_keep": "phone",
    "customer_id_of_default_address_to_keep": "default_address",
    "customer_id_of_email_to_keep": "email",
}
_SPELT = {
    "customer_id_of_first_name_to_keep": "customerIdOfFirstNameToKeep",
    "customer_id_of_last_name_to_keep": "customerIdOfLastNameToKeep",
    "customer_id_of_phone_number_to_keep": "customerIdOfPhoneNumberToKeep",
    "customer_id_of_default_address_to_keep": "customerIdOfDefaultAddressToKeep",
    "customer_id_of_email_to_keep": "customerIdOfEmailToKeep",
}


@dataclass(slots=True)
class Merge:
    """One request to merge, and its job."""

    job: str
    shop: str
    choice: Choice
    requested_at: datetime
    is_done: bool = False
    errors: list[dict[str, Any]] = field(default_factory=list)

    def status(self, now: datetime) -> str:
        """Return the state of the request as the API names it."""
        if self.is_done:
            return "FAILED" if self.errors else "COMPLETED"
        return "IN_PROGRESS" if now - self.requested_at >= STARTS_AFTER else "REQUESTED"


@dataclass(frozen=True, slots=True)
class Complaint:
    """Why a merge was not begun."""

    field: list[str] | None
    message: str
    code: str

    def as_dict(self) -> dict[str, Any]:
        """Return it as the API tells it."""
        return {"field": self.field, "message": self.message, "code": self.code}


def preview(store: Store, one: str, two: str, override: Mapping[str, Any]) -> Choice:
    """Say what a merge would keep; raises `Refusal` where the API does."""
    if one == two:
        raise Refusal("Customers must be different.", code="BAD_REQUEST")
    found = _choice(store, one, two, override)
    if isinstance(found, Complaint):
        raise Refusal(found.message, code="BAD_REQUEST")
    return found


def request(
    world: World, store: Store, one: str, two: str, override: Mapping[str, Any], now: datetime, faults: Faults | None
) -> Merge | Complaint:
    """Begin a merge; it is carried out, or fails, a little later."""
    found = _choice(store, one, two, override)
    if isinstance(found, Complaint):
        return found
    for name, each in (("customerOneId", one), ("customerTwoId", two)):
        blocking = [b for b in blockers(world, store, store.customers[number(each)]) if b != "MERGE_IN_PROGRESS"]
        if blocking:
            code = "CUSTOMER_HAS_GIFT_CARDS" if "GIFT_CARDS" in blocking else "INVALID_CUSTOMER"
            return Complaint([name], f"Customer cannot be merged: {', '.join(blocking).lower()}", code)
    chosen = _overridden(found, override)
    if len(chosen.note or "") > NOTE_CHARS or len(chosen.tags) > TAGS:
        return Complaint(None, "The merged note or tags are too long", "INVALID_CUSTOMER")
    job = str(uuid.uuid5(uuid.NAMESPACE_URL, f"merge {world.seed} {world.next_id()}"))
    busy = [each for each in (chosen.kept, chosen.lost) if in_progress(world, store, each) is not None]
    merge = Merge(job, store.shop.domain, chosen, now)
    world.merges[job] = merge
    fails = busy or _is_to_fail(chosen, faults)
    wait = timedelta(seconds=faults.get("shopify.merge_for") if faults is not None else 0)
    world.later.put(now + wait, lambda at: _fail(store, merge, fails) if fails else _carry_out(world, store, merge, at))
    return merge


def in_progress(world: World, store: Store, customer: Customer) -> Merge | None:
    """Return the merge that a customer is in the middle of."""
    for merge in world.merges.values():
        is_theirs = customer.id in (merge.choice.kept.id, merge.choice.lost.id)
        if is_theirs and merge.shop == store.shop.domain and not merge.is_done:
            return merge
    return None


def blockers(world: World, store: Store, customer: Customer) -> list[str]:
    """Return what keeps a customer from being merged; see CustomerMergeErrorFieldType."""
    found = list(customer.merge_blockers)
    if customer.email_consent.state == "REDACTED":
        found.append("REDACTED_AT")
    if in_progress(world, store, customer) is not None:
        found.append("MERGE_IN_PROGRESS")
    return found


def number(gid: str) -> int:
    """Return the number of a global id."""
    digits = gid.rpartition("/")[2].partition("?")[0]
    return int(digits) if digits.isdecimal() else -1


def _choice(store: Store, one: str, two: str, override: Mapping[str, Any]) -> Choice | Complaint:
    for name, gid in (("customerOneId", one), ("customerTwoId", two)):
        if number(gid) not in store.customers:
            told = f"Customer does not exist with ID {gid.rpartition('/')[2]}"
            return Complaint([name], told, "INVALID_CUSTOMER_ID")
    if one == two:
        return Complaint(None, "Customers IDs should not match", "INVALID_CUSTOMER_ID")
    pair = [store.customers[number(one)], store.customers[number(two)]]
    whose: dict[str, Customer] = {}
    for key, attribute in _IDS.items():
        named = override.get(key)
        if named is None:
            continue
        owner = next((each for each in pair if each.id == number(named)), None)
        path = ["overrideFields", _SPELT[key]]
        if owner is None:
            return Complaint(path, "Override attribute is invalid", "OVERRIDE_ATTRIBUTE_INVALID")
        if not getattr(owner, attribute):
            return Complaint(path, "Customer is missing the override attribute", "MISSING_OVERRIDE_ATTRIBUTE")
        whose[attribute] = owner
    kept, lost = winner(*pair)
    if "email" in whose and whose["email"] is not kept:
        kept, lost = lost, kept
    return choose(kept, lost, whose)


def _overridden(choice: Choice, override: Mapping[str, Any]) -> Choice:
    """Put the note and the tags that were given in place; a preview shows what they would be without."""
    note, tags = override.get("note"), override.get("tags")
    return changed(
        choice,
        note=choice.note if note is None else note or None,
        tags=choice.tags if tags is None else tuple(tags),
    )


def _is_to_fail(choice: Choice, faults: Faults | None) -> list[Customer]:
    if faults is None:
        return []
    found = [each for each in (choice.kept, choice.lost) if each.id in faults.get("shopify.merge_fails")]
    if found:
        faults.count("shopify.merge_fails")
    return found or ([choice.lost] if faults.strikes("shopify.p_merge_fails") else [])


def _carry_out(world: World, store: Store, merge: Merge, at: datetime) -> list[Event]:
    merge.is_done = True
    gone = [each for each in (merge.choice.kept, merge.choice.lost) if each.id not in store.customers]
    if gone:
        return _fail(store, merge, gone, "DELETED_AT")
    return people.merge(world, store, merge.choice.kept, merge.choice.lost, at, choice=merge.choice, job=merge.job)


def _fail(store: Store, merge: Merge, customers: list[Customer], field_: str = "MERGE_IN_PROGRESS") -> list[Event]:
    """Give up; that is told too, naming who would have been kept and who lost, though both are still there."""
    merge.is_done = True
    reasons = {"MERGE_IN_PROGRESS": "is currently being merged", "DELETED_AT": "has been deleted"}
    errors = []
    for one in customers:
        name = " ".join(part for part in (one.first_name, one.last_name) if part) or "Customer"
        told = f"{name} {reasons[field_]}."
        merge.errors.append({"errorFields": [field_], "message": told})
        errors.append({"customer_ids": [one.id], "field": field_.lower(), "message": told})
    detail = {"deleted": merge.choice.lost.id, "job": merge.job, "status": "failed", "errors": errors}
    return [Event(store.shop.domain, "customers/merge", merge.choice.kept.id, detail=detail)]
