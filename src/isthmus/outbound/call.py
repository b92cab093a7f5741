"""One HTTP call out, by one policy: a deadline for all of it, a largest size, no redirects, its request id kept.

Both APIs and notifications go through here; what an answer means is said in a table of each
(`shopify/errors.py`, `ometria/errors.py`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2
from msgspec import Struct

from isthmus.outbound.deadline_transport import LIMITS, Limits, PunctualTransport

REQUEST_IDS = ("x-request-id", "x-ometria-request-id", "request-id", "x-amzn-requestid")
"""Headers by which support can find a call, best first."""

_LONGEST_ID = 80


class TooLargeError(httpx2.RequestError):
    """An answer is larger than any right one."""


class HttpResponse(Struct, frozen=True):
    """An answer as a whole. Header names are looked up in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class Outbound:
    """A client of one server. Safe to share between threads; raises httpx2.RequestError for any call without an answer.

    Redirects are never followed: a request with credentials must not be sent where an answer says.
    """

    def __init__(
        self,
        limits: Limits,
        timeouts: httpx2.Timeout,
        *,
        base_url: str = "",
        headers: Mapping[str, str] | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._limits = limits
        self._http = httpx2.Client(
            base_url=base_url,
            headers={"User-Agent": "isthmus", **(headers or {})},
            timeout=timeouts,
            transport=transport or PunctualTransport(limits),
            follow_redirects=False,
        )

    def close(self) -> None:
        self._http.close()

    def call(self, method: str, url: str, **request: Any) -> HttpResponse:
        """Make one call and read its answer whole."""
        with self._http.stream(method, url, **request) as response:
            content = b"".join(_capped(response, self._limits.largest))
            return HttpResponse(response.status_code, response.headers, content)

    @contextmanager
    def download(
        self, url: str, limits: Limits, headers: Mapping[str, str]
    ) -> Iterator[tuple[HttpResponse, Iterator[bytes]]]:
        """Open a long body: the answer without it, and its pieces as they come."""
        with self._http.stream("GET", url, headers=headers, extensions={LIMITS: limits}) as response:
            yield HttpResponse(response.status_code, response.headers, b""), _capped(response, limits.largest)


def _capped(response: httpx2.Response, largest: int) -> Iterator[bytes]:
    """The pieces of a body, unpacked; one that is larger than any right one ends as an error."""
    size = 0
    for piece in response.iter_bytes():
        size += len(piece)
        if size > largest:
            raise TooLargeError("the answer is too large", request=response.request)
        yield piece


def request_id(headers: Mapping[str, str]) -> str:
    """What support asks for, from an answer's headers; "" where it has none that may be repeated."""
    for name in REQUEST_IDS:
        found = headers.get(name, "").strip()
        if found and len(found) <= _LONGEST_ID and all(c.isalnum() or c in "-_:.=" for c in found):
            return found
    return ""


def with_request_id(detail: str, headers: Mapping[str, str]) -> str:
    """A detail of a failure with the request id behind it."""
    found = request_id(headers)
    return f"{detail} (request {found})" if found else detail
