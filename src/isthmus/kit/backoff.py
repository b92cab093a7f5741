"""How long to wait before the next attempt: an explicit list, so that anyone can read it."""

from collections.abc import Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime

WAITS = tuple(timedelta(seconds=s) for s in (1, 3, 10, 30, 120, 300))
"""What passes by itself is tried again for as long as it lasts; the last wait is the longest."""

LONGEST = WAITS[-1]
"""Also of a server that asks for more."""


def wait_after_attempt(attempt: int, retry_after: timedelta | None = None) -> timedelta:
    """The wait after the given attempt (1 = first).

    A server's own Retry-After is honoured when it asks for more than the list would, up to the longest wait.
    """
    listed = WAITS[min(max(attempt, 1), len(WAITS)) - 1]
    return listed if retry_after is None else min(max(listed, retry_after), LONGEST)


def requested_wait(headers: Mapping[str, str]) -> timedelta | None:
    """The wait that an answer's Retry-After asks for; header names are lower-case. None where it says nothing usable.

    Seconds, or a date to be read against the answer's own (https://www.rfc-editor.org/rfc/rfc9110#name-retry-after).
    """
    text = headers.get("retry-after", "").strip()
    try:
        asked = timedelta(seconds=float(text)) if text[:1].isdigit() else _until(text, headers["date"])
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    return min(max(asked, timedelta()), LONGEST)


def _until(date: str, now: str) -> timedelta:
    return parsedate_to_datetime(date) - parsedate_to_datetime(now)
