"""Which API versions exist, and which one answers when another is asked for.

https://shopify.dev/docs/api/usage/versioning: a new version each quarter, supported for at least twelve months; a
version that is missing, unknown or retired falls forward to the oldest supported one without an error. The version
that answered is told in the `X-Shopify-API-Version` header.
"""

from __future__ import annotations

from dataclasses import dataclass

HEADER = "X-Shopify-API-Version"


@dataclass(frozen=True, slots=True)
class Version:
    """One version as `publicApiVersions` lists it."""

    handle: str
    display_name: str
    supported: bool


PUBLIC = (
    Version("2026-01", "2026-01", True),
    Version("2026-04", "2026-04", True),
    Version("2026-07", "2026-07", True),
    Version("2026-10", "2026-10 (Latest)", True),
    # A release candidate reads like this in a captured answer (webhook-subscription-api-version-projection.json).
    Version("2027-01", "2027-01 (Release candidate)", False),
    Version("unstable", "unstable", False),
)
"""The versions on 2026-11-23; how the latest one is displayed is ASSUMED."""

OLDEST = PUBLIC[0].handle
WEBHOOKS = "2026-10"
"""The version of the app's webhooks: a setting of the app, not of a request or a subscription."""


def served(asked: str) -> str:
    """Return the handle of the version that answers a request for `asked`."""
    return asked if any(version.handle == asked for version in PUBLIC) else OLDEST


def public(handle: str) -> Version:
    """Return the listing of a version that exists."""
    return next(version for version in PUBLIC if version.handle == handle)
