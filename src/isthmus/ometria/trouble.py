"""What an HTTP answer of the platform, or the lack of one, means for the road: one table.

Sources: https://docs.ometria.com/docs/ometria-data-api-introduction (429, queue headers), the endpoint pages (403 for
an unknown key), a retailer's client that retries 502, 503 and 504.
"""

from collections.abc import Mapping
from enum import StrEnum

import httpx2

from isthmus.kit.backoff import asked_for
from isthmus.model.failure import BlockedError, Failure, RejectedError, TransientError

QUEUE_REMAINING = "x-queuesize-remaining"
QUEUE_LIMIT = "x-queuesize-limit"


class Call(StrEnum):
    """What a call does there: only one that writes can leave us unsure whether it arrived."""

    PUSH = "push"
    READ = "read"
    MERGE = "merge"


_BLOCKED = {
    401: "platform.key_refused",
    403: "platform.key_refused",
    # Nothing answers there as the Data API does; an account that is merely down says 5xx.
    404: "platform.not_the_api",
    405: "platform.not_the_api",
    410: "platform.not_the_api",
}
_REFUSED = {
    Call.PUSH: "platform.refused_batch",
    Call.READ: "platform.refused_read",
    Call.MERGE: "platform.merge_refused",
}
_WRITES = frozenset({Call.PUSH, Call.MERGE})
# Answers that say that nothing was done. 500, 502, 504 and unknown ones may come from behind the point of acceptance.
_NOT_DONE = {425, 429, 503}
_TRANSIENT_4XX = {408, 425, 429}
_NO_SUCH_PATH = {404, 405, 410}
"""Of a merge they say only that this account cannot be asked for one."""

# The request cannot have left, or not as a whole that anyone would act on.
_BEFORE_SENDING = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
    httpx2.LocalProtocolError,
)


def of_answer(status: int, headers: Mapping[str, str], call: Call, said: str, sent: int = 0) -> Failure:
    """The failure that an answer outside 2xx stands for. `said` is what may be repeated of it, free of personal data.

    429 is `platform.backlog` when the platform's queue has no room for the `sent` records, else
    `platform.rate_limited`. Header names are looked up in lower case.
    """
    detail = f"{call} answered {status}" + (f": {said}" if said else "")
    if 300 <= status < 400:
        return BlockedError("platform.not_the_api", detail)
    if status in _BLOCKED and not (call is Call.MERGE and status in _NO_SUCH_PATH):
        return BlockedError(_BLOCKED[status], detail)
    if status == 429:
        room = headers.get(QUEUE_REMAINING, "").strip()
        is_full = room.isdigit() and int(room) < max(1, sent)
        code = "platform.backlog" if is_full else "platform.rate_limited"
        return TransientError(code, detail, retry_after=asked_for(headers))
    if 400 <= status < 500 and status not in _TRANSIENT_4XX:
        return RejectedError(_REFUSED[call], detail)
    may_have_arrived = call in _WRITES and status not in _NOT_DONE
    return TransientError(
        "platform.unavailable", detail, retry_after=asked_for(headers), may_have_arrived=may_have_arrived
    )


def of_silence(error: httpx2.RequestError, call: Call) -> TransientError:
    """The failure of a call without an answer. The error's own words may hold an address or a header: only its kind."""
    may_have_arrived = call in _WRITES and not isinstance(error, _BEFORE_SENDING)
    return TransientError("platform.unavailable", f"{call}: {type(error).__name__}", may_have_arrived=may_have_arrived)


def of_nonsense(call: Call, what: str) -> TransientError:
    """The failure of a call that was answered with success and something unreadable."""
    return TransientError("platform.unavailable", f"{call}: {what}", may_have_arrived=call in _WRITES)
