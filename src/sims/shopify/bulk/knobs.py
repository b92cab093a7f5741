"""What can go wrong with bulk operations, and how fast they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sims.faults import Faults

KNOBS: dict[str, Any] = {
    "shopify.bulk_starts_after": 0.5,  # seconds an operation stays CREATED; ASSUMED
    "shopify.bulk_stops_after": 1.5,  # seconds an operation is CANCELING; the captured ones took about as long
    "shopify.bulk_rows_per_second": 1e6,  # lines an operation writes, by the clock; ASSUMED
    "shopify.bulk_mixed": 2000,  # lines among which ungrouped ones lie in any order; ASSUMED
    "shopify.bulk_fail": 0,  # FAILED, INTERNAL_SERVER_ERROR, with partialDataUrl
    "shopify.bulk_fail_without_partial": 0,  # the same without
    "shopify.bulk_timeout": 0,  # FAILED, TIMEOUT, with partialDataUrl
    "shopify.bulk_expire": 0,  # EXPIRED instead of COMPLETED
    "shopify.bulk_url_expired": 0,  # COMPLETED, and the address has ended at once
    "shopify.bulk_without_url": 0,  # COMPLETED with its counts, and url is null
    "shopify.bulk_access_denied": 0,  # FAILED, ACCESS_DENIED
    "shopify.bulk_never_finishes": 0,  # RUNNING for ever
    "shopify.bulk_timeout_above": 0,  # after so many records every operation times out: only smaller windows go
    "shopify.bulk_fault_root": "",  # the n-th faults above count and hit only operations on this root, e.g. orders
    "shopify.bulk_fail_at": 0.5,  # share of the records after which a failing operation fails
    "shopify.bulk_cut": 0,  # a download breaks off after so many bytes
    "shopify.bulk_cuts": -1,  # how many downloads do; -1 is all
    "shopify.bulk_busy": 0,  # so many other operations of the same app run until the knob is turned back
    "shopify.bulk_throttle_start": 0,  # so many next starts are throttled
    "shopify.bulk_expired_status": 403,  # what an ended address answers
}
"""Faults by number: 1 strikes the next operation that is started, n the n-th from now, -1 every one, 0 none."""

BY_NUMBER = (
    "bulk_fail",
    "bulk_fail_without_partial",
    "bulk_timeout",
    "bulk_expire",
    "bulk_url_expired",
    "bulk_without_url",
    "bulk_access_denied",
    "bulk_never_finishes",
)

FAILURES = {
    "bulk_fail": "INTERNAL_SERVER_ERROR",
    "bulk_fail_without_partial": "INTERNAL_SERVER_ERROR",
    "bulk_timeout": "TIMEOUT",
    "bulk_access_denied": "ACCESS_DENIED",
}


WITHOUT_PARTIAL = ("bulk_fail_without_partial", "bulk_access_denied")


def struck(faults: Faults, roots: Iterable[str]) -> frozenset[str]:
    """Return the faults that hit an operation started now on these root connections; the others come nearer."""
    wanted = faults.get("shopify.bulk_fault_root")
    if wanted and wanted not in roots:
        return frozenset()
    found = set()
    for name in BY_NUMBER:
        n = faults.get(f"shopify.{name}")
        if n > 0:
            faults.set({f"shopify.{name}": n - 1})
        if n in (1, -1):
            found.add(name)
            faults.count(f"shopify.{name}")
    return frozenset(found)
