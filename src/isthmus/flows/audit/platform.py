"""Read the platform's people, page by page, in the account's own time."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from isthmus.flows.audit.telling import Seen
from isthmus.kit.clock import Clock
from isthmus.model.census import Profile, Source
from isthmus.model.failure import TransientError
from isthmus.ometria.client import PAGE, Ometria

TRIES = 8
"""Of one page, before the reading is given up; a limit that is shared with others takes a few."""

_IN, _OUT = ("EXPLICITLY_OPTEDIN", True), ("EXPLICITLY_OPTEDOUT", False)
"""Both spellings are seen; see docs of the push endpoint."""


class Profiles(Struct, frozen=True):
    """How much was read: `is_whole` unless time was up before the end of about `total`."""

    n: int
    total: int
    is_whole: bool


def read_profiles(
    platform: Ometria,
    per_second: float,
    ends: datetime | None,
    clock: Clock,
    seen: Seen,
    show: Callable[[Profile], None],
    n_expected: int,
) -> Profiles:
    """Show every profile. Raises what the client raises, once a page was tried often enough.

    https://support.ometria.com/hc/en-gb/articles/360011514197: the one place where consent is told as it stands after
    all of a person's contacts were weighed.
    """
    n, is_whole = 0, True

    def rows() -> Iterator[Profile]:
        nonlocal n, is_whole
        slot = clock.now()
        while True:
            clock.wait((slot - clock.now()).total_seconds())
            page, slot = _page(platform, n, clock), max(slot, clock.now() - timedelta(seconds=1))
            slot += timedelta(seconds=1 / per_second)
            n += len(page)
            yield from map(_profile, page)
            if len(page) < PAGE:
                return
            if ends is not None and clock.now() >= ends:
                is_whole = False
                return

    for row in seen.of(Source.PROFILES, rows(), n_expected):
        show(row)
    return Profiles(n, max(n, n_expected), is_whole)


def _page(platform: Ometria, offset: int, clock: Clock) -> list[dict[str, Any]]:
    for attempt in range(TRIES):
        try:
            return platform.profiles(offset=offset)
        except TransientError as failure:
            if attempt == TRIES - 1:
                raise
            clock.wait(failure.retry_after.total_seconds() if failure.retry_after else 0.5 * 2**attempt)
    raise AssertionError("unreachable")


def _profile(told: dict[str, Any]) -> Profile:
    optin = told.get("marketing_optin")
    return Profile(
        str(told.get("id") or ""),
        told.get("email") or None,
        True if optin in _IN else False if optin in _OUT else None,
    )
