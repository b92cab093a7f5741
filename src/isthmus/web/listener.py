"""The HTTP server with limits: how long a request may take to arrive, and which of too many connections goes.

uvicorn limits neither the time of a header or a body nor what a silent connection may hold, and its cap on connections
also shuts out those who ask for health. Here the oldest connection that says nothing makes room for the newest.
"""

import logging
import resource
from asyncio import Transport
from collections.abc import Callable
from socket import socket
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_WITHIN = 10.0
"""Seconds from the connection, or the first byte of a further request, to the end of the header."""
FIRST_BYTE_WITHIN = 5.0
"""Seconds from the end of the header to the first byte of the body; Shopify gives the whole call five."""
BODY_WITHIN = 20.0
"""Seconds from there to the end of the body, whoever reads it; webhooks have less (hooks/bodies.py)."""
MAX_HEAD_BYTES = 64 * 2**10
MAX_CONNECTIONS = 4_000
SPARE_FILES = 200
"""Open files that are left to everything but connections: the database, log, event loop."""
SWEEP_TICKS = 5
"""uvicorn ticks ten times a second."""

_NEVER = float("inf")


class ClientConnection(HttpToolsProtocol):
    """One connection of a client, and the time by which the client must have said more.

    A delivery that arrives in one piece, as nearly all do, costs no more than a look.
    """

    limits: "Listener"

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._part = _HEAD
        self._n_head = 0
        self.due_at = self.loop.time() + HEAD_WITHIN
        self.limits.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.limits.quiet.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        _feed(self, data)
        cycle = self.cycle
        if cycle is None or cycle.more_body or cycle.response_complete or cycle.scope is not self.scope:
            self._wait_for_more(len(data))
        else:  # the request is whole, and it is our turn
            self.due_at = _NEVER
            self.limits.quiet.pop(self, None)

    def on_response_complete(self) -> None:
        _end(self)
        if not self.pipeline:
            # The client's turn again; where it says nothing, uvicorn's keep-alive ends the connection.
            self._part = _HEAD
            self._n_head = 0
            self.limits.quiet[self] = None

    def _wait_for_more(self, size: int) -> None:
        """A part of a request is here: until when the next must be."""
        if self.cycle is None or self.cycle.scope is not self.scope:
            self._n_head += size
            if self._n_head > MAX_HEAD_BYTES:
                self.transport.abort()
            within = HEAD_WITHIN if self.due_at == _NEVER else None
        elif self._part == _HEAD:
            self._part = _FIRST_BYTE
            within = FIRST_BYTE_WITHIN
        elif self._part == _FIRST_BYTE:
            self._part = _BODY
            within = BODY_WITHIN
        else:
            within = None
        if within is not None:
            self.due_at = self.loop.time() + within


_HEAD, _FIRST_BYTE, _BODY = range(3)
_feed = HttpToolsProtocol.data_received
_end = HttpToolsProtocol.on_response_complete


class Listener(uvicorn.Server):
    """A uvicorn server whose connections are limited."""

    def __init__(
        self, config: uvicorn.Config, max_connections: int, on_up: Callable[[str, int], None] | None = None
    ) -> None:
        super().__init__(config)
        self._max = max_connections
        self._on_up = on_up
        self.quiet: dict[ClientConnection, None] = {}  # those whose turn it is to speak, in the order since when

    def admit(self, connection: ClientConnection) -> None:
        """Take a new connection; where there are too many, the one that owes us its request for longest goes."""
        self.quiet[connection] = None
        if len(self.server_state.connections) > self._max:
            oldest = next(iter(self.quiet))
            del self.quiet[oldest]
            oldest.transport.abort()

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Listen, and say where once that is so."""
        await super().startup(sockets=sockets)
        if self.started and self._on_up is not None:
            host, port = next(one.getsockname()[:2] for server in self.servers for one in server.sockets)
            self._on_up(host, port)

    async def on_tick(self, counter: int) -> bool:
        if counter % SWEEP_TICKS == 0:
            self._close_overdue()
        return await super().on_tick(counter)

    def _close_overdue(self) -> None:
        connections: set[Any] = self.server_state.connections
        now = next(iter(connections)).loop.time() if connections else 0.0
        for connection in [one for one in connections if one.due_at < now]:
            connection.transport.abort()


def make_listener(
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    max_connections: int | None = None,
    on_up: Callable[[str, int], None] | None = None,
) -> Listener:
    """A server for this application. Raises the process's soft limit of open files as far as it may; `on_up` is called
    with the address once it listens.
    """
    room = _files() - SPARE_FILES
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,  # its own handlers would write the words of an error, which may quote a value
        log_level=logging.WARNING,
        timeout_graceful_shutdown=5,
        server_header=False,
        proxy_headers=False,  # nothing here depends on who says to be calling
    )
    made = Listener(config, max_connections or max(50, min(MAX_CONNECTIONS, room)), on_up)
    config.http = type("LimitedConnection", (ClientConnection,), {"limits": made})
    return made


def _files() -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + SPARE_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft
