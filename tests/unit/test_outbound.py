"""Calls to servers that answer slowly, without end, or elsewhere: real sockets, short limits, no stopwatch.

None of these servers ends an answer by itself, so that a call that returns has ended for our own reasons.
"""

import gzip
import itertools
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import httpx2
import msgspec
import pytest

from isthmus.kit.clock import SystemClock
from isthmus.model.failure import SlowError, TransientError
from isthmus.outbound.call import Outbound, TooLargeError
from isthmus.outbound.deadline_transport import Limits, SlowBodyError
from isthmus.shopify import documents
from isthmus.shopify.bulk import TRIES, Bulk
from isthmus.shopify.client import Credentials, Shopify

TIMEOUTS = httpx2.Timeout(30.0)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
SHORT = Limits(within=0.6, largest=10_000_000, window=0.2, floor=1_000)

Pieces = Callable[[], Iterable[bytes]]


@contextmanager
def server(answer: Pieces, *, every: float = 0.02) -> Iterator[tuple[str, list[bytes]]]:
    """A server that sends one piece after the other, slowly; its address, and what it was asked."""
    over, asked = threading.Event(), []

    def serve(peer: socket.socket) -> None:
        with peer:
            asked.append(peer.recv(65_536))
            for piece in answer():
                try:
                    peer.sendall(piece)
                except OSError:
                    return
                if over.wait(every):
                    return
            over.wait(30)

    with socket.create_server(("127.0.0.1", 0)) as door:

        def accept() -> None:
            while True:
                try:
                    peer, _ = door.accept()
                except OSError:
                    return
                if over.is_set():
                    peer.close()
                    return
                threading.Thread(target=serve, args=(peer,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        address = door.getsockname()
        yield f"http://127.0.0.1:{address[1]}", asked
        over.set()
        socket.create_connection(address).close()
        thread.join()


def dripping() -> Iterable[bytes]:
    return itertools.chain([HEAD], itertools.repeat(b"x"))


def silent() -> Iterable[bytes]:
    return ()


def head_only() -> Iterable[bytes]:
    return [HEAD]


def endless_head() -> Iterable[bytes]:
    return itertools.chain([b"HTTP/1.1 200 OK\r\nX-A: "], itertools.repeat(b"a"))


def shopify(url: str) -> Shopify:
    return Shopify(
        url, "2026-10", Credentials(access_token="t"), SystemClock(), limits=SHORT,
        file_limits=msgspec.structs.replace(SHORT, is_download=True),
    )  # fmt: skip


@pytest.mark.parametrize("answer", [silent, head_only, dripping, endless_head])
def test_a_call_ends_whatever_the_server_does(answer: Pieces) -> None:
    with server(answer) as (url, _):
        client = Outbound(SHORT, TIMEOUTS)
        with pytest.raises(httpx2.ReadTimeout):
            client.call("GET", url)
        client.close()


def test_a_body_below_the_floor_is_not_waited_for_until_the_deadline() -> None:
    limits = msgspec.structs.replace(SHORT, within=3600.0)
    with server(dripping) as (url, _):
        client = Outbound(limits, TIMEOUTS)
        with pytest.raises(SlowBodyError):
            client.call("GET", url)
        client.close()


def test_an_answer_that_takes_long_to_begin_is_waited_for() -> None:
    body = b'{"a":1}'
    late = [b"", b"", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n" + body]
    with server(lambda: late, every=0.1) as (url, _):
        client = Outbound(msgspec.structs.replace(SHORT, within=20.0), TIMEOUTS)
        assert client.call("GET", url).content == body
        client.close()


def test_a_download_goes_on_for_longer_than_a_call_as_long_as_it_moves() -> None:
    size = 40 * 1_000
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()
    with server(lambda: [head, *itertools.repeat(b"x" * 1_000, 40)]) as (url, _), shopify(url) as client:
        assert sum(map(len, client.fetch(url))) == size  # 0.8 s at the least, 0.6 s to begin


def test_a_download_that_brings_a_byte_at_a_time_is_given_up() -> None:
    with server(dripping) as (url, asked), shopify(url) as client:
        client.pause = lambda _: None  # type: ignore[method-assign]
        with pytest.raises(SlowError, match=r"storefront\.unavailable"):
            list(Bulk(client).lines(url))
        assert len(asked) == TRIES


def test_a_shop_that_drips_is_tried_again() -> None:
    with server(dripping) as (url, _), shopify(url) as client, pytest.raises(TransientError) as raised:
        client.graphql(documents.SHOP, {})
    assert raised.value.code == "storefront.unavailable"


def test_a_download_and_a_call_of_one_thread_have_deadlines_of_their_own() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n"
    with (
        server(lambda: [head, *itertools.repeat(b"x" * 1_000, 4)]) as (url, _),
        server(silent) as (other, _),
        shopify(url) as near,
        shopify(other) as far,
    ):
        pieces = near.fetch(url)
        got = len(next(pieces))
        with pytest.raises(TransientError):
            far.graphql(documents.SHOP, {})  # its deadline has passed when the download goes on
        assert got + sum(map(len, pieces)) == 4_000


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_an_answer_larger_than_any_right_one_is_not_kept(encoding: str) -> None:
    body = b"x" * 2_000_000
    packed = gzip.compress(body) if encoding == "gzip" else body
    answer = httpx2.Response(200, content=packed, headers={"Content-Encoding": encoding})
    client = Outbound(Limits(within=5, largest=1_000_000), TIMEOUTS, transport=httpx2.MockTransport(lambda _: answer))
    with pytest.raises(TooLargeError):
        client.call("GET", "https://api.example/")


def test_a_redirect_is_an_answer_and_takes_no_credentials_elsewhere() -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return httpx2.Response(307, headers={"Location": "https://elsewhere.example/"})

    client = Outbound(SHORT, TIMEOUTS, headers={"X-Key": "k"}, transport=httpx2.MockTransport(answer))
    assert client.call("POST", "https://api.example/").status == 307
    assert asked == ["https://api.example/"]


def test_an_address_that_does_not_answer_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(lambda: [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]) as (url, _):
        port = int(url.rpartition(":")[2])
        known = socket.getaddrinfo

        def two(host: str, asked: int, *more: object, **named: object) -> object:
            if host != "both.example":
                return known(host, asked, *more, **named)  # type: ignore[arg-type]
            kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*kind, ("::1", port)), (*kind, ("127.0.0.1", port))]  # nobody listens at the first

        monkeypatch.setattr(socket, "getaddrinfo", two)
        client = Outbound(SHORT, TIMEOUTS)
        assert client.call("GET", f"http://both.example:{port}/").content == b"ok"
        client.close()
