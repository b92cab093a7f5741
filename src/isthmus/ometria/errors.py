"""What an HTTP answer of Ometria, or the lack of one, means for the pipeline: one table.

Sources: https://docs.ometria.com/docs/ometria-data-api-introduction (429, queue headers), the endpoint pages (403 for
an unknown key), a retailer's client that retries 502, 503 and 504.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import httpx2
from msgspec import Struct

from isthmus.kit.backoff import requested_wait
from isthmus.model.failure import Failure, TransientError
from isthmus.outbound.call import with_request_id
from isthmus.outbound.status_table import StatusMeaning, blocking, rejected, retryable

QUEUE_REMAINING = "x-queuesize-remaining"
QUEUE_LIMIT = "x-queuesize-limit"


class CallType(StrEnum):
    """What a call does there: only one that writes can leave us unsure whether it arrived."""

    PUSH = "push"
    READ = "read"
    MERGE = "merge"


class StatusRow(Struct, frozen=True):
    """What one status means of each call."""

    push: StatusMeaning
    read: StatusMeaning
    merge: StatusMeaning

    def of(self, call: CallType) -> StatusMeaning:
        return {CallType.PUSH: self.push, CallType.READ: self.read, CallType.MERGE: self.merge}[call]


def _all(meaning: StatusMeaning) -> StatusRow:
    return StatusRow(meaning, meaning, meaning)


_REFUSED = StatusRow(
    rejected("platform.refused_batch"), rejected("platform.refused_read"), rejected("platform.merge_refused")
)
# Nothing answers there as the Data API does; an account that is merely down says 5xx. Of a merge such an answer says
# only that this account cannot be asked for one.
_ELSEWHERE = StatusRow(
    blocking("platform.not_the_api"), blocking("platform.not_the_api"), rejected("platform.merge_refused")
)
_NOT_DONE = _all(retryable("platform.unavailable"))
_UNSURE = _all(retryable("platform.unavailable", may_have_arrived=True))

STATUSES: Mapping[int, StatusRow] = MappingProxyType(
    {
        400: _REFUSED,
        401: _all(blocking("platform.key_refused")),
        403: _all(blocking("platform.key_refused")),
        404: _ELSEWHERE,
        405: _ELSEWHERE,
        408: _UNSURE,
        409: _NOT_DONE,
        410: _ELSEWHERE,
        413: StatusRow(
            rejected("platform.too_large"), rejected("platform.refused_read"), rejected("platform.merge_refused")
        ),
        415: _REFUSED,
        422: _REFUSED,
        425: _NOT_DONE,
        429: _all(retryable("platform.rate_limited")),
        500: _UNSURE,
        502: _UNSURE,
        503: _NOT_DONE,
        504: _UNSURE,
    }
)
"""Answers by status. 500, 502, 504 and unknown ones may come from behind the point of acceptance."""

MOVED = _all(blocking("platform.not_the_api"))
OTHER_REFUSAL = _REFUSED
"""Any other 4xx."""
OTHER = _UNSURE
"""Any other answer."""

BACKLOG = retryable("platform.backlog")
"""A 429 of a queue without room for the batch."""

TOO_LARGE = "platform.too_large"
"""A push that something in front of Ometria found too large: said of the batch, not yet of a record."""

_WRITES = frozenset({CallType.PUSH, CallType.MERGE})

# The request cannot have left, or not as a whole that anyone would act on.
_BEFORE_SENDING = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
    httpx2.LocalProtocolError,
)


def error_from_response(status: int, headers: Mapping[str, str], call: CallType, said: str, sent: int = 0) -> Failure:
    """The failure that an answer outside 2xx stands for. `said` is what may be repeated of it, free of personal data.

    429 is `platform.backlog` when Ometria's queue has no room for the `sent` records, else
    `platform.rate_limited`. Header names are looked up in lower case.
    """
    detail = with_request_id(f"{call} answered {status}", headers) + (f": {said}" if said else "")
    if 300 <= status < 400:
        return MOVED.of(call).of(detail)
    row = STATUSES.get(status) or (OTHER_REFUSAL if 400 <= status < 500 else OTHER)
    meaning = row.of(call)
    if status == 429:
        room = headers.get(QUEUE_REMAINING, "").strip()
        if room.isdigit() and int(room) < max(1, sent):
            meaning = BACKLOG
    return meaning.of(detail, requested_wait(headers), is_write=call in _WRITES)


def error_from_no_response(error: httpx2.RequestError, call: CallType) -> TransientError:
    """The failure of a call without an answer. The error's own words may hold an address or a header: only its kind."""
    may_have_arrived = call in _WRITES and not isinstance(error, _BEFORE_SENDING)
    return TransientError("platform.unavailable", f"{call}: {type(error).__name__}", may_have_arrived=may_have_arrived)


def error_from_malformed_response(
    call: CallType, what: str, headers: Mapping[str, str] = MappingProxyType({})
) -> TransientError:
    """The failure of a call that was answered with success and something unreadable."""
    detail = with_request_id(f"{call}: {what}", headers)
    return TransientError("platform.unavailable", detail, may_have_arrived=call in _WRITES)
