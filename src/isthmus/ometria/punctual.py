"""HTTP that ends in time: connecting, sending and receiving together may not outlast one deadline.

The timeouts of an HTTP client bound each wait by itself, so that a neighbour that sends a byte now and then can hold a
call for ever. A lease must not be outlived by the push it covers, hence the whole call is bounded here.
"""

import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any

import httpcore2
import httpx2

_SLICE = 65_536
# Idle connections are kept a little; a load balancer usually keeps them 60 s, and must not be the one to close first.
_KEPT_FOR = 30.0


class PunctualTransport(httpx2.HTTPTransport):
    """An HTTP transport whose calls, body included, end within `within` seconds of their start.

    Only the system's name lookup is not bounded; after a late one nothing is sent. Proxies of the environment are not
    used.
    """

    def __init__(self, within: float) -> None:
        context = httpx2.create_ssl_context()
        super().__init__(verify=context)
        self._deadline = _Deadline(within)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=context, keepalive_expiry=_KEPT_FOR, network_backend=_Backend(self._deadline)
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self._deadline.begin()
        return super().handle_request(request)


class _Deadline(threading.local):
    """When the call that this thread makes must be over."""

    def __init__(self, within: float) -> None:
        self._within = within
        self._ends = 0.0

    def begin(self) -> None:
        self._ends = time.monotonic() + self._within

    def left(self, wanted: float | None, late: type[Exception]) -> float:
        """The seconds that a wait may take, at most `wanted`; raises `late` when there are none."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise late("the call's deadline has passed")
        return left if wanted is None else min(wanted, left)


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
        left = self._deadline.left(timeout, httpcore2.ConnectTimeout)
        return _Stream(super().connect_tcp(host, port, left, local_address, socket_options), self._deadline)
