"""HTTP that ends in time: connecting, sending and receiving together may not outlast one deadline.

The timeouts of an HTTP client bound each wait by itself, so that a server that sends a byte now and then can hold a
call for ever. Here the whole call has a deadline, and its body a least speed.
"""

import functools
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import httpcore2
import httpx2
from msgspec import Struct

_SLICE = 16_384
# Idle connections are kept a little; a load balancer usually keeps them 60 s, and must not be the one to close first.
_KEPT_FOR = 30.0


class Limits(Struct, frozen=True):
    """What one call may take. Seconds, and bytes as they are once unpacked.

    `within` bounds the whole call, or for a download (`is_download`) the time until its body begins. A body must bring
    `window` × `floor` bytes in every `window` seconds that are spent waiting for it, unless it ends first.
    """

    within: float
    largest: int
    window: float = 5.0
    floor: int = 8_192
    is_download: bool = False


LIMITS = "isthmus.limits"
"""The name under which a request carries its own limits."""


class SlowBodyError(httpx2.ReadTimeout):
    """A body came more slowly than the floor allows."""


@functools.cache
def _trust() -> ssl.SSLContext:
    """Whom every client of this process trusts. To read the certificates takes 15 ms, and a store has a client each."""
    return httpx2.create_ssl_context()


class PunctualTransport(httpx2.HTTPTransport):
    """An HTTP transport whose calls, body included, end in time: `limits`, or what a request carries under LIMITS.

    Only the system's name lookup is not bounded; after a late one nothing is sent. Proxies of the environment are not
    used.
    """

    def __init__(self, limits: Limits) -> None:
        context = _trust()
        super().__init__(verify=context)
        self._limits = limits
        self._deadline = _Deadline()
        self._pool = httpcore2.ConnectionPool(
            ssl_context=context, keepalive_expiry=_KEPT_FOR, network_backend=_Backend(self._deadline)
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        limits: Limits = request.extensions.get(LIMITS, self._limits)
        ends = time.monotonic() + limits.within
        self._deadline.ends = ends
        response = super().handle_request(request)
        stream = response.stream
        assert isinstance(stream, httpx2.SyncByteStream)  # noqa: S101 - a synchronous transport has no other
        response.stream = _Body(stream, self._deadline, None if limits.is_download else ends, limits)
        return response


class _Deadline(threading.local):
    """When what this thread waits for must be over."""

    ends = 0.0

    def left(self, wanted: float | None, late: type[Exception]) -> float:
        """The seconds that a wait may take, at most `wanted`; raises `late` when there are none."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise late("the call's deadline has passed")
        return left if wanted is None else min(wanted, left)


class _Body(httpx2.SyncByteStream):
    """The body of an answer, piece by piece: only the time spent waiting for it counts, not its reader's own."""

    def __init__(self, inner: httpx2.SyncByteStream, deadline: _Deadline, ends: float | None, limits: Limits) -> None:
        self._inner = inner
        self._deadline = deadline
        self._ends = ends
        self._limits = limits

    def __iter__(self) -> Iterator[bytes]:
        window, least = self._limits.window, self._limits.window * self._limits.floor
        waited, got = 0.0, 0
        pieces = iter(self._inner)
        while True:
            started = time.monotonic()
            until = started + window - waited
            self._deadline.ends = until if self._ends is None else min(until, self._ends)
            try:
                piece = next(pieces, None)
            except httpx2.ReadTimeout as error:
                raise SlowBodyError("the body came too slowly") from error
            if piece is None:
                return
            waited += time.monotonic() - started
            got += len(piece)
            if got >= least:
                waited, got = 0.0, 0
            elif waited >= window:
                raise SlowBodyError("the body came too slowly")
            yield piece

    def close(self) -> None:
        self._inner.close()


class _Stream(httpcore2.NetworkStream):
    def __init__(self, inner: httpcore2.NetworkStream, deadline: _Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.left(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _SLICE):
            left = self._deadline.left(timeout, httpcore2.WriteTimeout)
            self._inner.write(buffer[start : start + _SLICE], left)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        left = self._deadline.left(timeout, httpcore2.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore2.SyncBackend):
    def __init__(self, deadline: _Deadline) -> None:
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to the first address of a host that answers; all of them share the one wait."""
        ends = time.monotonic() + self._deadline.left(timeout, httpcore2.ConnectTimeout)
        addresses = [host]
        with suppress(OSError):  # the true attempt below reports what is wrong with the name
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses = [str(one[4][0]) for one in found] or addresses
        for n, address in enumerate(addresses):
            left = self._deadline.left(ends - time.monotonic(), httpcore2.ConnectTimeout)
            if left <= 0:
                raise httpcore2.ConnectTimeout("the call's deadline has passed")
            try:
                # Leave some of the wait for the addresses behind this one.
                share = left / (len(addresses) - n)
                stream = super().connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if n == len(addresses) - 1:
                    raise
            else:
                return _Stream(stream, self._deadline)
        raise httpcore2.ConnectError("the name has no address")
