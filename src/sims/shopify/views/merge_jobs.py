"""Whether customers can be merged, and what becomes of a merge that was asked for: plain dicts."""

from __future__ import annotations

from typing import Any

from sims.shopify import merges
from sims.shopify.state import Customer, gid
from sims.shopify.views.plain import full_name
from sims.shopify.views.sight import Sight


def job(merge: merges.Merge) -> dict[str, Any]:
    """Show the job of a merge."""
    return {"id": f"gid://shopify/Job/{merge.job}", "done": merge.is_done}


def request(sight: Sight, merge: merges.Merge) -> dict[str, Any]:
    """Show what became of a merge that was asked for."""
    return {
        "jobId": f"gid://shopify/Job/{merge.job}",
        "resultingCustomerId": gid("Customer", merge.choice.kept.id),
        "status": merge.status(sight.now),
        "customerMergeErrors": merge.errors,
    }


def mergeable(sight: Sight, one: Customer) -> dict[str, Any]:
    """Show whether a customer can be merged."""
    found = merges.blockers(sight.world, sight.store, one)
    merge = merges.in_progress(sight.world, sight.store, one)
    return {
        "isMergeable": not found,
        "reason": f"{name(one)} can't be merged." if found else None,
        "errorFields": found,
        "mergeInProgress": None if merge is None else request(sight, merge),
    }


def name(one: Customer) -> str:
    """Return how a message calls a customer."""
    return full_name(one.first_name, one.last_name) or "Customer"
