"""Either side of everything that Ometria's documents leave open, with the default a careful client should survive.

Limits and sizes: https://docs.ometria.com/docs/ometria-data-api-introduction
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec


class Switches(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One account's limits and habits; every default is the newest document's word or the stricter reading."""

    # limits, per account
    push_rps: float = 8.0
    data_rps: float = 4.0
    merge_rpm: float = 1.0
    queue_max: int = 50_000
    queue_headers: bool = True  # the newest document drops them, an older one promises them
    # push
    push_status: Literal[200, 202] = 200
    push_status_path: bool = False  # GET /push/{request_id}: promised in words, path never seen
    oversize: Literal["call", "record"] = "call"  # who is refused when one record is over 60 KB
    apply_min: float = 0.5  # seconds between acceptance and application
    apply_max: float = 2.0
    errors_shape: Literal["nested", "flat", "bare"] = "nested"
    error_ring: int = 100
    # writing
    merge_default: Literal["replace", "lenient"] = "replace"
    clear: Literal["null", "empty", "omit"] = "null"
    unknown_keys: Literal["ignore", "keep", "refuse"] = "ignore"
    event_idempotency: bool = True
    configured_event_types: list[str] | None = None  # None: any type is known to Ometria
    auto_variants: bool = True
    phone_rule: Literal["valid", "possible"] = "valid"
    # consent
    optin_model: Literal["optout_priority", "hierarchy", "tiers"] = "optout_priority"
    forced_tie: Literal["latest", "optout"] = "latest"
    forced_listing: Literal["sticky", "replaced"] = "sticky"
    enhanced_force: bool = False
    sms_double_optin: bool = False
    # people
    identity: Literal["post2024", "pre2024"] = "post2024"
    customer_id_multi: bool = False
    phone_identity: bool = False  # phone numbers identify people "when enabled"
    # reading
    profiles_email: Literal["array", "object"] = "array"
    timestamps_out: Literal["offset", "as_sent"] = "offset"
    refunds_deducted: bool = True
    unsub_lag: float = 0.0  # seconds until an unsubscribe is listed
    # a second writer; all of it is ASSUMED but its namespace and what it knows of consent
    native_importer: bool = False
    importer_ids: Literal["prefixed", "shopify", "name"] = "prefixed"  # uk:shopify_123, uk:123 or uk:1001
    importer_namespace: bool = True  # whether its ids begin with the store's namespace
    importer_totals: Literal["first", "net"] = "first"  # of a refunded order: what it first cost, or what is left
    importer_products: bool = False
    importer_every: float = 0.0  # seconds between its runs; 0: only when it is asked to
    native_unsubscriptions: bool = False  # opt-outs go back to the shop every five minutes


def turned(switches: Switches, changes: Mapping[str, Any]) -> Switches:
    """Return `switches` with `changes`; an unknown name or a wrong value raises `ValueError`."""
    try:
        return msgspec.convert({**msgspec.structs.asdict(switches), **changes}, Switches)
    except msgspec.ValidationError as problem:
        raise ValueError(str(problem)) from problem
