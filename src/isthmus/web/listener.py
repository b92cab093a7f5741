"""The HTTP server with limits: how long a request may take to arrive, and which of too many connections goes.

uvicorn limits neither the time of a header or a body nor what a silent connection may hold, and its cap on connections
also shuts out those who ask for health. Here the oldest connection that says nothing makes room for the newest.
"""

import logging
import resource
from asyncio import Transport
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


class Connection(HttpToolsProtocol):
    """One connection of a client, and the time by which the client must have said more."""

    limits: "Listener"

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._is_head = True
        self._has_body = False
        self._head_bytes = 0
        self.due_at = self.loop.time() + HEAD_WITHIN
        self.limits.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.limits.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_head:
            if self.due_at == _NEVER:
                self.due_at = self.loop.time() + HEAD_WITHIN
            self._head_bytes += len(data)
        super().data_received(data)
        if self._is_head and self._head_bytes > MAX_HEAD_BYTES:
            self.transport.abort()

    def on_headers_complete(self) -> None:
        self._is_head = False
        self._has_body = False
        self.due_at = self.loop.time() + FIRST_BYTE_WITHIN
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._has_body:
            self._has_body = True
            self.due_at = self.loop.time() + BODY_WITHIN
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_head = True
        self._head_bytes = 0
        self.due_at = _NEVER
        self.limits.forget(self)
        super().on_message_complete()
        self._rest_if_done()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._rest_if_done()

    def _rest_if_done(self) -> None:
        """Between two requests it is the client's turn again; uvicorn's keep-alive ends the connection after 5 s."""
        if self.due_at == _NEVER and self.cycle.response_complete and not self.pipeline:
            self.limits.rest(self)


class Listener(uvicorn.Server):
    """A uvicorn server whose connections are limited."""

    def __init__(self, config: uvicorn.Config, max_connections: int) -> None:
        super().__init__(config)
        self._max = max_connections
        self._quiet: dict[Connection, None] = {}  # those whose turn it is to speak, in the order since when

    def admit(self, connection: Connection) -> None:
        """Take a new connection; where there are too many, the one that owes us its request for longest goes."""
        self._quiet[connection] = None
        if len(self.server_state.connections) > self._max:
            oldest = next(iter(self._quiet))
            self.forget(oldest)
            oldest.transport.abort()

    def rest(self, connection: Connection) -> None:
        self._quiet[connection] = None

    def forget(self, connection: Connection) -> None:
        self._quiet.pop(connection, None)

    async def on_tick(self, counter: int) -> bool:
        if counter % SWEEP_TICKS == 0:
            self._close_overdue()
        return await super().on_tick(counter)

    def _close_overdue(self) -> None:
        connections: set[Any] = self.server_state.connections
        now = next(iter(connections)).loop.time() if connections else 0.0
        for connection in [one for one in connections if one.due_at < now]:
            connection.transport.abort()


def listener(app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0, max_connections: int | None = None) -> Listener:
    """A server for this application. Raises the process's soft limit of open files as far as it may."""
    room = _files() - SPARE_FILES
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        ws="none",
        lifespan="on",
        access_log=False,
        log_level=logging.WARNING,
        timeout_graceful_shutdown=5,
        server_header=False,
        proxy_headers=False,  # nothing here depends on who says to be calling
    )
    made = Listener(config, max_connections or max(50, min(MAX_CONNECTIONS, room)))
    config.http = type("LimitedConnection", (Connection,), {"limits": made})
    return made


def _files() -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + SPARE_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft
