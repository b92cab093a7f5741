"""Callers who mean no good: thousands who say nothing, and a hundred who send far too much without a signature."""

import base64
import contextlib
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

SAID = (b"", b"POST /hooks/shopify HTTP/1.1\r\nHost: x\r\nX-Half: ", b"@HEAD@Content-Length: 5\r\n\r\n")
"""Silence, half a header, and a header whose body never comes."""
LARGE = 8 * 2**20
LOOK_EVERY = 0.5
AT_ONCE = 600
"""Connections that are replaced in one look: more than twice as many as the server's limits end."""


class Silent:
    """Connections on which nothing more is ever sent; each that the server closes is replaced by another."""

    def __init__(self, url: str, shop: str, n: int) -> None:
        self._address = (str(urlsplit(url).hostname), int(urlsplit(url).port or 80))
        self._head = head(shop, base64.b64encode(os.urandom(32)))
        self._wanted = n
        self._open: list[socket.socket] = []
        self._n_made = 0
        self.n_refused = 0
        self.n_closed = 0
        self.fewest = n
        self._over = threading.Event()
        self._keeper = threading.Thread(target=self._keep_up, daemon=True)

    def open(self) -> None:
        """Open all of them, and keep so many from now on."""
        self._replace(self._wanted)
        self._keeper.start()

    def close(self) -> None:
        self._over.set()
        self._keeper.join()
        for call in self._open:
            call.close()

    def _keep_up(self) -> None:
        while not self._over.wait(LOOK_EVERY):
            still = []
            for call in self._open:
                if _is_open(call):
                    still.append(call)
                else:
                    call.close()
            self.n_closed += len(self._open) - len(still)
            self._open = still
            self._replace(min(self._wanted - len(still), AT_ONCE))
            self.fewest = min(self.fewest, len(self._open))

    def _replace(self, n: int) -> None:
        for _ in range(n):
            self._n_made += 1
            try:
                call = socket.create_connection(self._address, timeout=10)
                call.sendall(SAID[self._n_made % len(SAID)].replace(b"@HEAD@", self._head))
                call.setblocking(False)
                self._open.append(call)
            except OSError:
                self.n_refused += 1


def _is_open(call: socket.socket) -> bool:
    try:
        while call.recv(4096):
            pass
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def head(shop: str, signature: bytes | None) -> bytes:
    """The header of a delivery of a shop that we know, without its end."""
    lines = [b"POST /hooks/shopify HTTP/1.1", b"Host: x", b"X-Shopify-Topic: orders/updated"]
    lines += [b"X-Shopify-Shop-Domain: " + shop.encode(), b"X-Shopify-Webhook-Id: nobody"]
    if signature is not None:
        lines.append(b"X-Shopify-Hmac-Sha256: " + signature)
    return b"\r\n".join(lines) + b"\r\n"


def post_large(url: str, shop: str, n: int) -> dict[str, Any]:
    """So many bodies of 8 MiB at once, none of them signed, half of them looking as if; how they were answered."""
    address = (str(urlsplit(url).hostname), int(urlsplit(url).port or 80))
    body = b"x" * LARGE

    def post(number: int) -> str:
        signature = base64.b64encode(os.urandom(32)) if number % 2 else None
        with contextlib.suppress(OSError), socket.create_connection(address, timeout=30) as call:
            call.sendall(head(shop, signature) + b"Content-Length: %d\r\n\r\n" % LARGE)
            with contextlib.suppress(OSError):
                call.sendall(body)
            return call.recv(64).split(b" ")[1].decode()
        return "closed"

    with ThreadPoolExecutor(n) as callers:
        answers = list(callers.map(post, range(n)))
    return {f"answered {answer}": answers.count(answer) for answer in sorted(set(answers))}


class Health:
    """Asks /live and /ready once a second; counts what is not answered by 200 within three."""

    def __init__(self, url: str) -> None:
        self._address = (str(urlsplit(url).hostname), int(urlsplit(url).port or 80))

    def is_answered(self, path: str) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(self._address, timeout=3) as call:
            call.sendall(f"GET /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            return call.recv(64).startswith(b"HTTP/1.1 200")
        return False

    def ask(self, seconds: float, counted: dict[str, int]) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for path in ("live", "ready"):
                counted[path] = counted.get(path, 0) + (not self.is_answered(path))
            time.sleep(1.0)
