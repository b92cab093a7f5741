"""Until when a version of the Admin API is answered: twelve months (https://shopify.dev/docs/api/usage/versioning)."""

import re
from datetime import date

_HANDLE = re.compile(r"(\d{4})-(01|04|07|10)")


def support_end(version: str) -> date | None:
    """The day before support ends, `2027-09-30` for 2026-10; None for what is no quarterly version, as `unstable`.

    From then on a call falls forward to the oldest version that is still there, without an error.
    """
    found = _HANDLE.fullmatch(version)
    if found is None:
        return None
    return date.fromordinal(date(int(found[1]) + 1, int(found[2]), 1).toordinal() - 1)
