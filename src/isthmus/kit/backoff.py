"""How long to wait before the next attempt: an explicit list, so that anyone can read when we give up."""

from datetime import timedelta

WAITS = tuple(timedelta(seconds=s) for s in (1, 3, 10, 30, 120, 600, 1800, 3600))
"""After the last wait a transient failure is buried and becomes a case: about an hour and a half in all."""


def wait_for(attempt: int, retry_after: timedelta | None = None) -> timedelta | None:
    """The wait after the given attempt (1 = first); None when the attempts are used up.

    A neighbour's own Retry-After is honoured when it asks for more than our list would.
    """
    if attempt > len(WAITS):
        return None
    listed = WAITS[attempt - 1]
    return max(listed, retry_after) if retry_after is not None else listed
