"""The network shell: two ports in front of plain external APIs, which never know that they are served.

Neighbours are synchronous and run in a thread pool; a hanging answer sleeps in the event loop and holds no thread.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from starlette.requests import Request as HttpRequest
from starlette.responses import Response as HttpResponse
from starlette.types import Receive, Scope, Send

from sims.control import PREFIX, Control
from sims.neighbourhood import Neighbourhood
from sims.wire import TIMEOUT_HEADER, TIMEOUT_STATUS, Request, Response

HOST = "127.0.0.1"
THREADS = 16
TICK_FOR = 0.05
"""Seconds between two looks at what is due."""

Neighbour = Callable[[Request], Response]


@dataclass(frozen=True, slots=True)
class Doors:
    """The listening sockets of Shopify and Ometria."""

    shopify: socket.socket
    ometria: socket.socket


def open_doors(shopify_port: int, ometria_port: int) -> Doors:
    """Bind both ports on the loopback; 0 lets the system choose."""
    return Doors(_listen(shopify_port), _listen(ometria_port))


def url(door: socket.socket) -> str:
    """Return the address a door is reached at."""
    host, port = door.getsockname()[:2]
    return f"http://{host}:{port}"


async def serve(town: Neighbourhood, doors: Doors, ready: Callable[[], None]) -> None:
    """Serve both ports until interrupted; `ready` is called once both answer."""
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="sims")
    by_port: dict[int, Neighbour] = {
        doors.shopify.getsockname()[1]: town.handle_shopify,
        doors.ometria.getsockname()[1]: town.ometria.handle,
    }
    shell = _Shell(by_port, Control(town).handle, pool)
    config = uvicorn.Config(shell, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    logging.getLogger("uvicorn.error").addFilter(_is_no_fault_of_ours)
    stop = threading.Event()
    clockwork = threading.Thread(target=_turn, args=(town, stop), name="sims-clockwork", daemon=True)
    clockwork.start()
    town.start()
    serving = asyncio.create_task(server.serve(sockets=[doors.shopify, doors.ometria]))
    try:
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        if server.started:
            ready()
        await serving
    finally:
        stop.set()
        town.stop()
        pool.shutdown(wait=False, cancel_futures=True)


class _Shell:
    """The ASGI application of both ports: control paths to the control, the rest to the port's neighbour."""

    def __init__(self, by_port: dict[int, Neighbour], control: Neighbour, pool: ThreadPoolExecutor) -> None:
        self._by_port, self._control, self._pool = by_port, control, pool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        http = HttpRequest(scope, receive)
        path = scope.get("raw_path", b"").split(b"?")[0].decode("latin-1") or scope["path"]
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        request = Request(http.method, path, query, dict(http.headers), await http.body())
        neighbour = self._control if path.startswith(PREFIX) else self._by_port[scope["server"][1]]
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._pool, neighbour, request)
        if answer.status == TIMEOUT_STATUS:
            await asyncio.sleep(float(answer.headers[TIMEOUT_HEADER]))
            answer = Response(504)
        if answer.late:
            await asyncio.sleep(answer.late)
        if answer.drip:
            await _drip(answer, receive, send)
            return
        if answer.stream is not None:
            await self._stream(answer, answer.stream, send)
            return
        await HttpResponse(answer.body, answer.status, dict(answer.headers))(scope, receive, send)

    async def _stream(self, answer: Response, pieces: Iterator[bytes], send: Send) -> None:
        """Send a long body; one that ends too early is left unfinished, so that the connection is closed on it."""
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        left, loop = int(answer.headers.get("Content-Length", 0)), asyncio.get_running_loop()
        while piece := await loop.run_in_executor(self._pool, next, pieces, b""):
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if left <= 0:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _drip(answer: Response, receive: Receive, send: Send) -> None:
    """Send a body a byte at a time for as long as somebody is there to take it."""
    body = answer.body or b"".join(answer.stream or ())
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
    headers = [one for one in headers if one[0] != b"content-length"]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    gone = asyncio.create_task(_gone(receive))
    for place in range(len(body)):
        if gone.done():
            return
        await send({"type": "http.response.body", "body": body[place : place + 1], "more_body": True})
        await asyncio.sleep(1 / answer.drip)
    gone.cancel()
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    """Wait until the caller has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _turn(town: Neighbourhood, stop: threading.Event) -> None:
    """Do what is due and let the shop live at its rate, until told to stop."""
    owed, last = 0.0, time.monotonic()
    while not stop.wait(TICK_FOR):
        town.tick()
        now = time.monotonic()
        owed = owed + (now - last) * town.life_rate if town.life_rate else 0.0
        last = now
        if owed >= 1.0:
            town.live(int(owed))
            owed -= int(owed)


def _is_no_fault_of_ours(record: logging.LogRecord) -> bool:
    """Keep quiet about a download that was broken off on purpose."""
    return "returned without completing response" not in record.getMessage()


def _listen(port: int) -> socket.socket:
    # Named as TCP, or asyncio does not switch Nagle's delay off and every answer waits 40 ms for an acknowledgement.
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind((HOST, port))
    door.listen(1024)
    return door


def ready_line(town: Neighbourhood, doors: Doors) -> dict[str, Any]:
    """Return what a caller needs to connect: both addresses, the stores with their credentials, the API key."""
    shopify = url(doors.shopify)
    stores = [{**one, "admin_url": f"{shopify}/{one['domain']}"} for one in town.stores()]
    return {
        "shopify": shopify,
        "ometria": url(doors.ometria),
        "stores": stores,
        "api_key": town.ometria.settings.api_key,
    }
