"""Read Ometria's people, page by page, in the account's own time."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct

from isthmus.flows.audit.progress import ProgressCounter
from isthmus.flows.takeover.precheck import PlatformAccount
from isthmus.kit.clock import Clock
from isthmus.model.audit_rows import ProfileRow, Source
from isthmus.ometria.client import PAGE

_IN, _OUT = ("EXPLICITLY_OPTEDIN", True), ("EXPLICITLY_OPTEDOUT", False)
"""The words of https://support.ometria.com/hc/en-gb/articles/360011293458, and what importers write."""


class Profiles(Struct, frozen=True):
    """How much was read: `is_whole` unless time was up before the end of about `total`."""

    n: int
    total: int
    is_whole: bool


def read_profiles(
    account: PlatformAccount,
    ends: datetime | None,
    clock: Clock,
    seen: ProgressCounter,
    show: Callable[[ProfileRow], None],
    n_expected: int,
) -> Profiles:
    """Show every profile, as quickly as the account allows. Raises what the client raises.

    https://support.ometria.com/hc/en-gb/articles/360011514197: the one place where consent is told as it stands after
    all of a person's contacts were weighed.
    """
    n, is_whole = 0, True

    def rows() -> Iterator[ProfileRow]:
        nonlocal n, is_whole
        while True:
            page = account.ask(lambda it: it.profiles(offset=n))  # noqa: B023 - called at once
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


def _profile(told: dict[str, Any]) -> ProfileRow:
    optin = told.get("marketing_optin")
    return ProfileRow(
        str(told.get("id") or ""),
        told.get("email") or None,
        True if optin in _IN else False if optin in _OUT else None,
    )
