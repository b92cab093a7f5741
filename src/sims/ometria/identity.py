"""Which listings and orders are one person: identifiers, who owns them, and what a record that knows two people does.

Sources: https://support.ometria.com/hc/en-gb/articles/360013407877 (contacts and profiles),
https://support.ometria.com/hc/en-gb/articles/360019604358 (after 2024 an identifier of another contact is ignored),
https://docs.ometria.com/docs/ometria-data-architecture (orders make profiles). Re-clustering on change is ASSUMED.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from sims.ometria.shelf import Shelf
from sims.ometria.switches import Switches

Identifier = tuple[str, str]
"""(type, value); types are "customer_id", "email", "phone_number" and custom ones, in order of strength."""

Holder = tuple[str, ...]
"""What carries an identifier: ("contact", collection, id), ("order", id) or ("merge", profile id)."""


@dataclass(slots=True)
class Profile:
    """One person as Ometria sees them; never written directly."""

    id: str
    seq: int
    created_at: datetime
    updated_at: datetime
    identifiers: dict[Identifier, dict[Holder, None]] = field(default_factory=dict)
    listings: dict[tuple[str, str], None] = field(default_factory=dict)
    orders: dict[str, None] = field(default_factory=dict)
    events: dict[str, None] = field(default_factory=dict)
    ignored: dict[Identifier, str] = field(default_factory=dict)
    fired: set[tuple[str, str]] = field(default_factory=set)

    def values(self, kind: str) -> list[str]:
        """Return the identifiers of one type, oldest first."""
        return [value for type_, value in self.identifiers if type_ == kind]

    @property
    def is_empty(self) -> bool:
        """True when nothing belongs to this profile any more."""
        return not (self.listings or self.orders or self.events)


class People:
    """The profiles of an account and the index from identifier to the profiles that own it, oldest first."""

    def __init__(self, account: str) -> None:
        self._account = account
        self.shelf: Shelf[Profile] = Shelf()
        self.n_ignored = 0
        self._owners: dict[Identifier, list[str]] = {}

    def get(self, profile_id: str | None) -> Profile | None:
        """Return a profile by its id, or None."""
        return self.shelf.get(profile_id) if profile_id else None

    def owners(self, identifier: Identifier) -> list[Profile]:
        """Return the profiles that own an identifier; more than one only before 2024's rules."""
        return [profile for one in self._owners.get(identifier, ()) if (profile := self.shelf.get(one)) is not None]

    def by_email(self, email: str) -> list[Profile]:
        """Return the profiles with this email address, whatever its case."""
        return self.owners(("email", email.strip().lower()))

    def place(
        self,
        holder: Holder,
        identifiers: list[Identifier],
        current: Profile | None,
        switches: Switches,
        now: datetime,
        *,
        is_search: bool = True,
    ) -> Profile:
        """Return the profile that a listing or order with these identifiers belongs to, claiming what is free.

        Without `is_search` nobody else's profile is taken: the present one if it has no other holder, or a new one.
        """
        shared = current is not None and any(one in current.identifiers for one in identifiers)
        if current is None or not shared:
            target = self._match(identifiers, switches) if is_search else None
            if target is None:
                target = current if current is not None and _only(current, holder) else self._new(now)
        else:
            target = current
        if current is not None:
            kept = set(identifiers) if target is current else set()
            self._release(current, holder, kept)
        self._claim(target, holder, identifiers, switches)
        target.updated_at = now
        self.shelf.put(target.id, target)
        return target

    def order_owner(self, customer_id: str | None, email: str | None) -> Profile | None:
        """Return the known profile an order goes to: by id, else by email, preferring one without a customer id."""
        if customer_id and (known := self.owners(("customer_id", customer_id))):
            return known[0]
        if not email:
            return None
        same = self.by_email(email)
        if customer_id is None and len(same) > 1:
            return next((profile for profile in same if not profile.values("customer_id")), None)
        return same[0] if same else None

    def leave(self, profile: Profile, holder: Holder) -> None:
        """Take back what a listing or order lent to a profile."""
        self._release(profile, holder, set())

    def touch(self, profile: Profile, now: datetime) -> None:
        """Mark a profile as changed."""
        profile.updated_at = now
        self.shelf.put(profile.id, profile)

    def drop_if_empty(self, profile: Profile) -> None:
        """Forget a profile to which nothing belongs any more."""
        if profile.is_empty:
            for identifier in list(profile.identifiers):
                self._disown(profile, identifier)
            self.shelf.drop(profile.id)

    def absorb(self, survivor: Profile, merged: Profile, now: datetime) -> None:
        """Give a merged profile's identifiers to the survivor and forget the merged one."""
        for identifier in list(merged.identifiers):
            self._disown(merged, identifier)
            survivor.identifiers.setdefault(identifier, {})[("merge", merged.id)] = None
            self._owners.setdefault(identifier, []).append(survivor.id)
        self.shelf.drop(merged.id)
        self.touch(survivor, now)

    def _match(self, identifiers: list[Identifier], switches: Switches) -> Profile | None:
        if switches.identity == "post2024":
            return next((owners[0] for one in identifiers if (owners := self.owners(one))), None)
        customer_id = next((value for kind, value in identifiers if kind == "customer_id"), None)
        if customer_id is not None and (known := self.owners(("customer_id", customer_id))):
            return known[-1]
        for one in identifiers:
            same = self.owners(one)
            if customer_id is not None:
                same = [profile for profile in same if not profile.values("customer_id")]
            if same:
                return max(same, key=lambda profile: (profile.updated_at, profile.seq))
        return None

    def _new(self, now: datetime) -> Profile:
        seq = self.shelf.next_seq()
        digest = sha256(f"{self._account}:{seq}".encode()).hexdigest()
        profile = Profile(f"{seq}-{digest[:6]}-{digest[6:12]}", seq, now, now)
        self.shelf.put(profile.id, profile)
        return profile

    def _claim(self, profile: Profile, holder: Holder, identifiers: Iterable[Identifier], switches: Switches) -> None:
        for one in identifiers:
            if one in profile.identifiers:
                profile.identifiers[one][holder] = None
            elif self._may_own(profile, one, switches):
                profile.identifiers[one] = {holder: None}
                profile.ignored.pop(one, None)
                self._owners.setdefault(one, []).append(profile.id)
            else:
                self.n_ignored += one not in profile.ignored
                profile.ignored[one] = " ".join(holder)

    def _may_own(self, profile: Profile, identifier: Identifier, switches: Switches) -> bool:
        if identifier[0] == "customer_id" and not switches.customer_id_multi and profile.values("customer_id"):
            return False
        return switches.identity == "pre2024" or not self._owners.get(identifier)

    def _release(self, profile: Profile, holder: Holder, kept: set[Identifier]) -> None:
        for one in [one for one, holders in profile.identifiers.items() if holder in holders and one not in kept]:
            profile.identifiers[one].pop(holder)
            if not profile.identifiers[one]:
                self._disown(profile, one)

    def _disown(self, profile: Profile, identifier: Identifier) -> None:
        del profile.identifiers[identifier]
        owners = self._owners[identifier]
        owners.remove(profile.id)
        if not owners:
            del self._owners[identifier]


def of_contact(record: Mapping[str, Any], switches: Switches) -> list[Identifier]:
    """Return the identifiers of a listing, strongest first; emails compare without case, custom ones with it."""
    found = [("customer_id", record.get("customer_id")), ("email", _folded(record.get("email")))]
    if switches.phone_identity:
        found.append(("phone_number", record.get("phone_number")))
    found += [(kind, str(value)) for kind, value in (record.get("extra_identifiers") or {}).items() if value]
    return [(kind, value) for kind, value in found if value]


def of_order(record: Mapping[str, Any]) -> list[Identifier]:
    """Return the identifiers an order names its customer by."""
    customer = record.get("customer") or {}
    found = [("customer_id", customer.get("id")), ("email", _folded(customer.get("email")))]
    return [(kind, value) for kind, value in found if value]


def _folded(email: str | None) -> str | None:
    return email.strip().lower() if email else None


def _only(profile: Profile, holder: Holder) -> bool:
    return all(set(holders) <= {holder} for holders in profile.identifiers.values())
