"""`POST /merge-profile`: irreversible, and the merged people's listings are deleted.

Source: https://docs.ometria.com/docs/merge-profiles (body, at most 5 to merge, at most 50 resolved, listings deleted);
the answer's shape and when it takes effect are ASSUMED.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sims.ometria.account import Account
from sims.ometria.answers import problem
from sims.ometria.identity import Profile
from sims.wire import Response, json_response

TO_MERGE, RESOLVED = 5, 50
_KINDS = {"customer_id": "customer_id", "email_address": "email", "phone_number": "phone_number"}


def merge(account: Account, body: Any, now: datetime) -> Response:
    """Merge people into a survivor; fails when the survivor or all of the others are unknown."""
    try:
        survivors = _resolve(account, body["survivor"])
        wanted = body["customers_to_merge"]
        found = [one for named in wanted for one in _resolve(account, named)]
    except (KeyError, TypeError, AttributeError):
        return problem(400, "Payload invalid: survivor and customers_to_merge are required")
    if not 1 <= len(wanted) <= TO_MERGE:
        return problem(400, f"Payload invalid: customers_to_merge takes 1 to {TO_MERGE}")
    if not survivors:
        return problem(400, "Survivor could not be resolved")
    survivor = min(survivors, key=lambda one: one.seq)
    merged = {one.id: one for one in [*survivors, *found] if one is not survivor}
    if not merged or len(merged) > RESOLVED:
        return problem(400, f"Between 1 and {RESOLVED} customers to merge must be resolved")
    for one in merged.values():
        _take(account, survivor, one, now)
    account.counts["merged_profiles"] += len(merged)
    return json_response({"status": "OK", "request_id": account.new_uuid()})


def _resolve(account: Account, named: Mapping[str, str]) -> list[Profile]:
    kind, value = named["type"], named["value"]
    if kind == "profile_hash":
        known = account.people.get(value)
        return [known] if known else []
    return account.people.owners((_KINDS[kind], value.lower() if kind == "email_address" else value))


def _take(account: Account, survivor: Profile, merged: Profile, now: datetime) -> None:
    for collection, listing_id in merged.listings:
        account.collections[collection].drop(listing_id)
    for shelf, theirs, ours in (
        (account.orders, merged.orders, survivor.orders),
        (account.events, merged.events, survivor.events),
    ):
        for key in theirs:
            row = shelf.get(key)
            if row is not None:
                row.profile_id = survivor.id
                ours[key] = None
    survivor.fired |= merged.fired
    account.people.absorb(survivor, merged, now)
