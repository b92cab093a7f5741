"""How long to wait before the next attempt: an explicit list, so that anyone can read when we give up."""

from collections.abc import Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime

WAITS = tuple(timedelta(seconds=s) for s in (1, 3, 10, 30, 120, 600, 1800, 3600))
"""After the last wait a transient failure is buried and becomes a case: about an hour and a half in all."""

LONGEST_ASKED = timedelta(hours=1)
"""A neighbour that asks for more is asked again after this long."""


def wait_for(attempt: int, retry_after: timedelta | None = None) -> timedelta | None:
    """The wait after the given attempt (1 = first); None when the attempts are used up.

    A neighbour's own Retry-After is honoured when it asks for more than our list would.
    """
    if attempt > len(WAITS):
        return None
    listed = WAITS[attempt - 1]
    return max(listed, retry_after) if retry_after is not None else listed


def asked_for(headers: Mapping[str, str]) -> timedelta | None:
    """The wait that an answer's Retry-After asks for; header names are lower-case. None where it says nothing usable.

    Seconds, or a date to be read against the answer's own (https://www.rfc-editor.org/rfc/rfc9110#name-retry-after).
    """
    text = headers.get("retry-after", "").strip()
    try:
        asked = timedelta(seconds=float(text)) if text[:1].isdigit() else _until(text, headers["date"])
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    return min(max(asked, timedelta()), LONGEST_ASKED)


def _until(date: str, now: str) -> timedelta:
    return parsedate_to_datetime(date) - parsedate_to_datetime(now)
