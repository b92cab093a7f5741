"""When a version of Shopify's API ends (https://shopify.dev/docs/api/usage/versioning)."""

import re
from datetime import date

_QUARTERLY = re.compile(r"(\d{4})-(01|04|07|10)")

WARNINGS = (
    (7, "storefront.api_version_ends_now"),
    (30, "storefront.api_version_ends_soon"),
    (90, "storefront.api_version_ends"),
)
"""Days before the end from which on a version is a case of this code, the most pressing first."""


def version_end(version: str) -> date | None:
    """The day from which a version may be answered by another: a year after its own; None for one without a date.

    A stable version is supported for at least twelve months from the day that it is named after. The two weeks that
    retired ones have been seen to answer longer are nothing to build on.
    """
    found = _QUARTERLY.fullmatch(version)
    return date(int(found[1]) + 1, int(found[2]), 1) if found else None


def days_until_end(version: str, today: date) -> int | None:
    """Whole days until a version ends, negative afterwards."""
    end = version_end(version)
    return None if end is None else (end - today).days


def warning_code(left: int) -> str | None:
    """The code of the case that this many days are; None while there is time."""
    return next((code for days, code in WARNINGS if left <= days), None)
