"""The client against the simulated platform in process, and against hand-made answers where only those misbehave."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import msgspec
import pytest

from isthmus.model.failure import BlockedError, Failure, RejectedError, TransientError
from isthmus.ometria import errors
from isthmus.ometria.client import OmetriaClient
from sims.clock import SimClock
from sims.faults import Faults
from sims.ometria.app import Ometria as Platform
from sims.ometria.app import Settings
from sims.tape import Tape
from sims.wire import TIMEOUT_STATUS, Request

KEY = "sim-ometria-key"
AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


class InProcess(httpx2.BaseTransport):
    """Hands every request to a simulated platform."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = self._platform.handle(
            Request(request.method, request.url.path, dict(request.url.params), dict(request.headers), request.read())
        )
        if answer.status == TIMEOUT_STATUS:
            raise httpx2.ReadTimeout("no answer", request=request)
        return httpx2.Response(answer.status, headers=dict(answer.headers), content=answer.body)


class Neighbour:
    """One simulated platform with a frozen clock, and a client that speaks with it."""

    def __init__(self) -> None:
        self.clock = SimClock(AT, rate=0)
        self.faults = Faults()
        self.platform = Platform(self.clock, self.faults, Tape(), Settings(api_key=KEY))
        self.client = OmetriaClient("https://api.ometria.example/v2", KEY, transport=InProcess(self.platform))

    def settle(self) -> None:
        self.clock.advance(10)
        self.platform.tick()


@pytest.fixture
def neighbour() -> Neighbour:
    return Neighbour()


def contact(number: int, **more: Any) -> bytes:
    record = {"@type": "contact", "@collection": "shopify", "id": f"uk:{number}", "email": f"a{number}@example.com"}
    return msgspec.json.encode(record | more)


def answering(status: int, body: bytes = b"{}", headers: dict[str, str] | None = None) -> OmetriaClient:
    return speaking(lambda _request: httpx2.Response(status, headers=headers, content=body))


def speaking(answer: Callable[[httpx2.Request], httpx2.Response]) -> OmetriaClient:
    return OmetriaClient("https://api.ometria.example/v2", "secret-key", transport=httpx2.MockTransport(answer))


def failing(error: type[httpx2.RequestError]) -> OmetriaClient:
    def answer(request: httpx2.Request) -> httpx2.Response:
        raise error(f"trouble with {request.url} and secret-key", request=request)

    return speaking(answer)


def test_a_push_is_one_array_and_tells_what_was_received(neighbour: Neighbour) -> None:
    pushed = neighbour.client.push([contact(1), contact(2)])
    assert (pushed.accepted, pushed.rejected) == (2, 0)
    assert pushed.request_id
    assert (pushed.queue_limit, pushed.queue_remaining) == (50_000, 49_998)


def test_a_pushed_record_can_be_read_back_once_it_is_applied(neighbour: Neighbour) -> None:
    neighbour.client.push([contact(1)])
    assert neighbour.client.contact("shopify", "uk:1") is None
    neighbour.settle()
    found = neighbour.client.contact("shopify", "uk:1")
    assert found is not None
    assert found["email"] == "a1@example.com"
    assert [one["id"] for one in neighbour.client.contacts("shopify")] == ["uk:1"]


def test_absent_records_of_every_kind_are_none(neighbour: Neighbour) -> None:
    client = neighbour.client
    assert [client.order("uk:9"), client.product("uk:9"), client.event("e9")] == [None, None, None]


def test_what_is_read_back_of_money_is_exact(neighbour: Neighbour) -> None:
    order = {"@type": "order", "id": "uk:5", "timestamp": "2026-11-01T00:00:00Z", "grand_total": 0.1, "currency": "GBP"}
    neighbour.client.push([msgspec.json.encode(order)])
    neighbour.settle()
    found = neighbour.client.order("uk:5")
    assert found is not None
    assert found["grand_total"] == Decimal("0.1")


@pytest.mark.parametrize("shape", ["nested", "flat"])
def test_the_error_feed_is_read_in_both_shapes(neighbour: Neighbour, shape: str) -> None:
    neighbour.platform.turn({"errors_shape": shape})
    pushed = neighbour.client.push([contact(1), contact(2, lastname=7)])
    neighbour.settle()
    (entry,) = neighbour.client.errors()
    assert (entry.request_id, entry.record_type, entry.record_id) == (pushed.request_id, "contact", "uk:2")
    assert entry.path == "root > lastname"
    assert entry.message == "not a valid value"
    assert entry.timestamp is not None
    assert entry.timestamp >= AT
    assert entry.fingerprint == neighbour.client.errors()[0].fingerprint


def test_entries_that_name_no_push_prove_no_overlap(neighbour: Neighbour) -> None:
    neighbour.platform.turn({"errors_shape": "bare"})
    neighbour.client.push([contact(2, lastname=7)])
    neighbour.settle()
    (entry,) = neighbour.client.errors()
    assert entry.fingerprint is None
    assert entry.path == "root > lastname"


def test_an_error_message_keeps_no_address_and_no_number() -> None:
    entry = {"request_id": "r", "record_id": "uk:1", "message": {"error": "'jo@x.org' or +44 20 7946 0999 is bad"}}
    (read,) = answering(200, msgspec.json.encode([entry])).errors()
    assert read.message == "… or … is bad"


@pytest.mark.parametrize("shape", ["array", "object"])
def test_profiles_by_email_come_as_a_list_either_way(neighbour: Neighbour, shape: str) -> None:
    neighbour.platform.turn({"profiles_email": shape})
    neighbour.client.push([contact(1)])
    neighbour.settle()
    assert [one["email"] for one in neighbour.client.profiles(email="a1@example.com")] == ["a1@example.com"]
    assert neighbour.client.profiles(email="nobody@example.com") == []


def test_listings_are_paged(neighbour: Neighbour) -> None:
    neighbour.client.push([contact(n) for n in range(5)])
    neighbour.settle()
    first = neighbour.client.contacts("shopify", limit=3)
    rest = neighbour.client.contacts("shopify", limit=3, offset=3)
    assert [one["id"] for one in first + rest] == [f"uk:{n}" for n in range(5)]


def test_unsubscriptions_are_read_with_their_postgres_times() -> None:
    item = {"email_address": "a@example.com", "profile_id": "p", "reason": None, "type": "app", "new": 1}
    seen: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.url.params["since"])
        return httpx2.Response(200, json=[item | {"timestamp": "2017-05-17 22:08:07+00"}])

    (found,) = speaking(answer).unsubscribes(since=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert found.at == datetime(2017, 5, 17, 22, 8, 7, tzinfo=UTC)
    assert (found.email, found.profile_id, found.kind) == ("a@example.com", "p", "app")
    assert seen == ["2026-01-02T03:04:05"]


def test_a_wrong_key_blocks_the_connection(neighbour: Neighbour) -> None:
    stranger = OmetriaClient("https://api.ometria.example/v2", "wrong", transport=InProcess(neighbour.platform))
    with pytest.raises(BlockedError, match=r"platform\.key_refused"):
        stranger.push([contact(1)])


@pytest.mark.parametrize("key", ["", "  ", "ké", "a\nb"])
def test_a_key_that_no_header_can_carry_is_refused_without_being_told(key: str) -> None:
    with pytest.raises(BlockedError) as raised:
        OmetriaClient("https://api.ometria.example/v2", key)
    assert raised.value.code == "platform.key_refused"


ANSWERS: list[tuple[int, dict[str, str], type[Failure], str, bool]] = [
    (301, {"location": "/"}, BlockedError, "platform.not_the_api", False),
    (400, {}, RejectedError, "platform.refused_batch", False),
    (401, {}, BlockedError, "platform.key_refused", False),
    (403, {}, BlockedError, "platform.key_refused", False),
    (404, {}, BlockedError, "platform.not_the_api", False),
    (405, {}, BlockedError, "platform.not_the_api", False),
    (408, {}, TransientError, "platform.unavailable", True),
    (409, {}, TransientError, "platform.unavailable", False),
    (410, {}, BlockedError, "platform.not_the_api", False),
    (413, {}, RejectedError, "platform.too_large", False),
    (415, {}, RejectedError, "platform.refused_batch", False),
    (418, {}, RejectedError, "platform.refused_batch", False),
    (422, {}, RejectedError, "platform.refused_batch", False),
    (425, {}, TransientError, "platform.unavailable", False),
    (429, {}, TransientError, "platform.rate_limited", False),
    (429, {"X-QueueSize-Remaining": "50"}, TransientError, "platform.rate_limited", False),
    (429, {"X-QueueSize-Remaining": "0"}, TransientError, "platform.backlog", False),
    (500, {}, TransientError, "platform.unavailable", True),
    (502, {}, TransientError, "platform.unavailable", True),
    (503, {}, TransientError, "platform.unavailable", False),
    (504, {}, TransientError, "platform.unavailable", True),
    (599, {}, TransientError, "platform.unavailable", True),
]


def test_every_row_of_the_table_is_tried_here() -> None:
    assert set(errors.STATUSES) <= {status for status, *_ in ANSWERS}


READS: list[tuple[int, type[Failure], str]] = [
    (301, BlockedError, "platform.not_the_api"),
    (400, RejectedError, "platform.refused_read"),
    (401, BlockedError, "platform.key_refused"),
    (403, BlockedError, "platform.key_refused"),
    (405, BlockedError, "platform.not_the_api"),
    (408, TransientError, "platform.unavailable"),
    (409, TransientError, "platform.unavailable"),
    (410, BlockedError, "platform.not_the_api"),
    (413, RejectedError, "platform.refused_read"),
    (415, RejectedError, "platform.refused_read"),
    (422, RejectedError, "platform.refused_read"),
    (425, TransientError, "platform.unavailable"),
    (429, TransientError, "platform.rate_limited"),
    (500, TransientError, "platform.unavailable"),
    (502, TransientError, "platform.unavailable"),
    (503, TransientError, "platform.unavailable"),
    (504, TransientError, "platform.unavailable"),
]


@pytest.mark.parametrize(("status", "kind", "code"), READS)
def test_every_answer_to_a_read_is_one_failure(status: int, kind: type[Failure], code: str) -> None:
    with pytest.raises(Failure) as raised:
        answering(status).errors()
    assert (type(raised.value), raised.value.code) == (kind, code)
    assert getattr(raised.value, "may_have_arrived", False) is False


@pytest.mark.parametrize("status", [404, 405, 410])
def test_an_account_that_cannot_be_asked_for_a_merge_is_not_shut_for_it(status: int) -> None:
    with pytest.raises(RejectedError, match=r"platform\.merge_refused"):
        answering(status).merge("a", ["b"])


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize("body", [DEEP, b'{"request_id":' + DEEP + b"}", b'["\xff"]'])
def test_an_answer_nested_without_end_is_no_answer(body: bytes) -> None:
    with pytest.raises(TransientError, match=r"platform\.unavailable"):
        answering(200, body).errors()
    with pytest.raises(TransientError) as raised:
        answering(200, body).push([contact(1)])
    assert raised.value.may_have_arrived
    with pytest.raises(RejectedError, match=r"platform\.refused_batch"):
        answering(400, body).push([contact(1)])


def test_a_failure_names_the_request_that_support_can_find() -> None:
    with pytest.raises(TransientError) as raised:
        answering(502, headers={"X-Request-ID": "8f1d-42"}).push([contact(1)])
    assert raised.value.detail == "push answered 502 (request 8f1d-42)"


@pytest.mark.parametrize(("status", "headers", "kind", "code", "may_have_arrived"), ANSWERS)
def test_every_answer_to_a_push_is_one_failure(
    status: int, headers: dict[str, str], kind: type[Failure], code: str, may_have_arrived: bool
) -> None:
    with pytest.raises(Failure) as raised:
        answering(status, headers=headers).push([contact(1)])
    assert type(raised.value) is kind
    assert raised.value.code == code
    assert getattr(raised.value, "may_have_arrived", False) is may_have_arrived


def test_a_queue_with_less_room_than_the_batch_is_a_backlog() -> None:
    with pytest.raises(TransientError, match=r"platform\.backlog"):
        answering(429, headers={"X-QueueSize-Remaining": "1"}).push([contact(1), contact(2)])


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_read_never_may_have_arrived(status: int) -> None:
    with pytest.raises(TransientError) as raised:
        answering(status).errors()
    assert raised.value.may_have_arrived is False


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "7"}, timedelta(seconds=7)),
        (
            {"Retry-After": "Mon, 23 Nov 2026 09:00:30 GMT", "Date": "Mon, 23 Nov 2026 09:00:00 GMT"},
            timedelta(seconds=30),
        ),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_honoured_in_both_spellings(headers: dict[str, str], wait: timedelta | None) -> None:
    with pytest.raises(TransientError) as raised:
        answering(429, headers=headers).push([contact(1)])
    assert raised.value.retry_after == wait


@pytest.mark.parametrize(
    ("error", "may_have_arrived"),
    [
        (httpx2.ConnectError, False),
        (httpx2.ConnectTimeout, False),
        (httpx2.PoolTimeout, False),
        (httpx2.ReadTimeout, True),
        (httpx2.ReadError, True),
        (httpx2.WriteTimeout, True),
        (httpx2.RemoteProtocolError, True),
    ],
)
def test_silence_tells_whether_the_push_may_have_arrived(
    error: type[httpx2.RequestError], may_have_arrived: bool
) -> None:
    with pytest.raises(TransientError) as raised:
        failing(error).push([contact(1)])
    assert raised.value.code == "platform.unavailable"
    assert raised.value.may_have_arrived is may_have_arrived


def test_a_push_that_times_out_after_acceptance_was_applied(neighbour: Neighbour) -> None:
    neighbour.faults.set({"ometria.p_timeout_after_accept": 1.0})
    with pytest.raises(TransientError) as raised:
        neighbour.client.push([contact(1)])
    assert raised.value.may_have_arrived
    neighbour.settle()
    assert neighbour.client.contact("shopify", "uk:1") is not None


def test_success_without_a_readable_answer_may_have_arrived() -> None:
    with pytest.raises(TransientError) as raised:
        answering(200, b"<html>").push([contact(1)])
    assert raised.value.may_have_arrived


@pytest.mark.parametrize(
    ("body", "accepted", "rejected"),
    [
        (b'{"status":"OK","request_id":"r","accepted":1,"rejected":1}', 1, 1),
        (b'{"status":"OK","request_id":"r"}', 2, 0),
        (b'{"success":false}', 0, 2),
        (b'{"status":"ERROR"}', 0, 2),
        (b'{"status":"OK","rejected":2,"note":{"new":true}}', 0, 2),
    ],
)
def test_a_push_answer_without_counts_is_read_by_its_status(body: bytes, accepted: int, rejected: int) -> None:
    pushed = answering(202, body).push([contact(1), contact(2)])
    assert (pushed.accepted, pushed.rejected) == (accepted, rejected)


def test_a_404_page_says_nothing_about_the_record() -> None:
    with pytest.raises(TransientError, match=r"platform\.read_path_unknown"):
        answering(404, b"<html>no such page</html>").order("uk:1")


def test_a_listing_that_is_not_there_is_not_an_empty_listing() -> None:
    with pytest.raises(TransientError, match=r"platform\.read_path_unknown"):
        answering(404, b'{"message":"not found"}').orders()


def test_an_error_tells_neither_the_key_nor_the_address_asked_for() -> None:
    with pytest.raises(TransientError) as raised:
        failing(httpx2.ConnectError).profiles(email="jo@example.com")
    shown = f"{raised.value!r} {raised.value.__cause__!r} {raised.value.__suppress_context__}"
    assert "secret-key" not in shown
    assert "jo@" not in shown
    assert shown.endswith("None True")


@pytest.fixture
def dribbling() -> Iterator[str]:
    """The address of a server that never finishes its header but always sends a little more."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(65_536)
                peer.sendall(b"HTTP/1.1 200 OK\r\nX-A: ")
                while not over.wait(0.05):
                    try:
                        peer.sendall(b"a")
                    except OSError:
                        return

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v2"
        over.set()
        thread.join()


def test_a_call_ends_in_time_although_bytes_keep_coming(dribbling: str) -> None:
    # The server never ends by itself: that this returns at all is what is tested.
    with OmetriaClient(dribbling, "key", within=0.4) as client, pytest.raises(TransientError) as raised:
        client.push([contact(1)])
    assert raised.value.may_have_arrived


class _Answering(BaseHTTPRequestHandler):
    """Accepts every push on a connection that is kept open."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"status":"OK","request_id":"r","accepted":1,"rejected":0}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *said: object) -> None:
        """Say nothing."""


@pytest.fixture
def answering_server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answering) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v2"
        server.shutdown()
        thread.join()


def test_the_deadline_is_each_calls_own(answering_server: str) -> None:
    started = time.monotonic()
    with OmetriaClient(answering_server, "key", within=0.3) as client:
        while time.monotonic() - started < 0.5:
            assert client.push([contact(1)]).accepted == 1


def test_a_large_push_is_sent_whole(answering_server: str) -> None:
    with OmetriaClient(answering_server, "key") as client:
        assert client.push([contact(n, note="x" * 55_000) for n in range(100)]).accepted == 1
