"""The webhook endpoint, on a real server and a real database: every answer it gives, and what it promises by 200."""

import asyncio
import base64
import contextlib
import hmac
import http.client
import json
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import psycopg
import pytest
from prometheus_client import CollectorRegistry

from isthmus.db.autocommit_connection import AutocommitConnection
from isthmus.db.embedded import Embedded
from isthmus.db.migrate import migrate, required_version
from isthmus.db.pool import Database
from isthmus.db.readiness import prove
from isthmus.db.sql import read_counters
from isthmus.flows.ingest import ingest
from isthmus.kit.compression import Packer
from isthmus.model.event import Delivery
from isthmus.model.lane import Lane
from isthmus.web.listener import make_listener
from isthmus.web.server import Server
from isthmus.web.webhooks.bodies import LARGEST
from isthmus.web.webhooks.verify import StoreSecret, WebhookVerifier

SHOP = "acme-uk.myshopify.com"
NEW, OLD, OTHERS, HOOK = "shpss_new", "shpss_old", "shpss_others", "hook-secret"
BODY = b'{"id": 820982911946154508, "email": "jon@example.com"}'


@dataclass
class Web:
    """A running web process, or rather thread, and what it rang."""

    url: str
    dsn: str
    registry: CollectorRegistry
    bells: list[tuple[str, Lane]] = field(default_factory=list)

    def told(
        self,
        body: bytes = BODY,
        *,
        secret: str = NEW,
        topic: str = "orders/create",
        shop: str = SHOP,
        webhook_id: str | None = None,
        prefix: str = "X-Shopify-",
        **changed: str | None,
    ) -> int:
        """Deliver as Shopify does; the status answered. A header changed to None is left out."""
        headers = signed(
            body, secret, topic=topic, shop=shop, webhook_id=webhook_id or str(uuid.uuid4()), prefix=prefix
        )
        headers |= {name: value for name, value in changed.items() if value is not None}
        headers = {name: value for name, value in headers.items() if changed.get(name, "") is not None}
        return httpx2.post(f"{self.url}/hooks/shopify", content=body, headers=headers).status_code

    def events(self) -> list[dict[str, object]]:
        with Database(self.dsn, pool_size=1) as db, db.transaction() as tx:
            rows = tx.fetch_all("SELECT * FROM event JOIN event_body ON event_id = id ORDER BY id")
        return [row | {"body": Packer().unpack(row["body"])} for row in rows]

    def tallies(self) -> dict[str, int]:
        with Database(self.dsn, pool_size=1) as db, db.transaction() as tx:
            return read_counters(tx, "acme")

    def answered(self, answer: str) -> float:
        return self.registry.get_sample_value("hooks_requests_total", {"answer": answer}) or 0.0


def signed(
    body: bytes, secret: str, *, topic: str, shop: str, webhook_id: str, prefix: str = "X-Shopify-"
) -> dict[str, str]:
    return {
        f"{prefix}Topic": topic,
        f"{prefix}Shop-Domain": shop,
        f"{prefix}Hmac-Sha256": base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode(),
        f"{prefix}Webhook-Id": webhook_id,
        f"{prefix}Event-Id": "98880550-7158-44d4-b7cd-2c97c8a091b5",
        f"{prefix}Triggered-At": "2026-11-20T12:00:06.123456789Z",
        f"{prefix}API-Version": "2026-10",
        "Content-Type": "application/json",
    }


async def _is_ready() -> bool:
    return True


@contextlib.contextmanager
def serving(dsn: str, doors: WebhookVerifier, *, max_connections: int | None = None) -> Iterator[Web]:
    """The webhook endpoint on a port of its own, in a thread with its own event loop."""
    line, packer, registry = AutocommitConnection(dsn), Packer(), CollectorRegistry()
    web = Web("", dsn, registry)

    async def keep(deliveries: Sequence[Delivery]) -> list[bool]:
        return await ingest(line, deliveries, datetime.now(UTC), packer)

    def ring(connection: str, lane: Lane) -> None:
        web.bells.append((connection, lane))

    app = Server(doors=lambda: doors, keep=keep, ring=ring, is_ready=_is_ready, registry=registry, close=line.close)
    with socket.create_server(("127.0.0.1", 0)) as door:
        web.url = f"http://127.0.0.1:{door.getsockname()[1]}"
        server = make_listener(app, max_connections=max_connections)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
        thread.start()
        try:
            yield web
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def web(db_url: str) -> Iterator[Web]:
    """The endpoint of a connection with one store, a shop of somebody else's, and an old secret of a store gone."""
    doors = WebhookVerifier(
        [StoreSecret("acme", "uk", SHOP, NEW, OLD), StoreSecret("others", "main", "others.myshopify.com", OTHERS)],
        past=[("acme", "shpss_ancient")],
        hook_secrets={"acme": HOOK},
    )
    with serving(db_url, doors) as web:
        yield web


def eventually(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


# -- kept ----------------------------------------------------------------------------------------------------------


def test_a_signed_delivery_is_kept_as_it_came_and_rings_its_lane(web: Web) -> None:
    assert web.told(webhook_id="w1") == 200
    (event,) = web.events()
    assert (event["connection"], event["store"], event["topic"], event["webhook_id"]) == (
        "acme",
        "uk",
        "orders/create",
        "w1",
    )
    assert (event["body"], event["lane"], event["state"]) == (BODY, Lane.REALTIME.rank, "waiting")
    assert event["triggered_at"] == datetime(2026, 11, 20, 12, 0, 6, 123456, tzinfo=UTC)
    assert event["action_id"] == "98880550-7158-44d4-b7cd-2c97c8a091b5"
    assert eventually(lambda: web.bells == [("acme", Lane.REALTIME)])


def test_f32_both_header_families_are_accepted(web: Web) -> None:
    assert web.told(prefix="X-Shopify-") == 200
    assert web.told(prefix="shopify-") == 200
    assert len(web.events()) == 2


def test_f25_five_copies_at_once_are_one_event(web: Web) -> None:
    with ThreadPoolExecutor(5) as callers:
        answers = list(callers.map(lambda _: web.told(webhook_id="w1"), range(5)))
    assert answers == [200] * 5
    assert len(web.events()) == 1
    assert web.tallies() == {"event.received": 5, "event.duplicate": 4}


def test_f27_a_repeated_delivery_rings_no_bell(web: Web) -> None:
    assert [web.told(webhook_id="w1"), web.told(webhook_id="w1")] == [200, 200]
    assert eventually(lambda: web.bells == [("acme", Lane.REALTIME)])
    assert web.told(webhook_id="w2", topic="products/update") == 200
    assert eventually(lambda: web.bells == [("acme", Lane.REALTIME), ("acme", Lane.ENRICHMENT)])


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe\x00 no text", b"[]", b"null", b"x" * 100_000])
def test_whatever_is_signed_is_kept_byte_for_byte(web: Web, body: bytes) -> None:
    assert web.told(body) == 200
    assert [event["body"] for event in web.events()] == [body]


def test_an_unknown_topic_is_kept_for_later(web: Web) -> None:
    assert web.told(topic="moons/rise") == 200
    assert [(event["topic"], event["state"]) for event in web.events()] == [("moons/rise", "waiting")]


def test_a_delivery_without_an_id_is_known_by_its_content(web: Web) -> None:
    lost = {"X-Shopify-Webhook-Id": None}
    assert [web.told(**lost), web.told(**lost), web.told(b"{}", **lost)] == [200, 200, 200]
    assert len(web.events()) == 2


def test_odd_optional_headers_do_not_cost_the_delivery(web: Web) -> None:
    assert web.told(**{"X-Shopify-Triggered-At": "yesterday", "X-Shopify-Event-Id": "x" * 300}) == 200
    assert [(event["triggered_at"], event["action_id"]) for event in web.events()] == [(None, None)]


def test_the_largest_body_is_kept(web: Web) -> None:
    assert web.told(b"x" * LARGEST) == 200
    assert [len(event["body"]) for event in web.events()] == [LARGEST]  # type: ignore[arg-type]


# -- refused -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"X-Shopify-Hmac-Sha256": None},
        {"X-Shopify-Hmac-Sha256": "nonsense"},
        {"X-Shopify-Hmac-Sha256": hmac.digest(NEW.encode(), BODY, "sha256").hex()},
        {"X-Shopify-Hmac-Sha256": base64.b64encode(hmac.digest(NEW.encode(), BODY + b" ", "sha256")).decode()},
    ],
    ids=["none", "nonsense", "hex", "tampered"],
)
def test_f32_a_wrong_signature_is_never_accepted(web: Web, changed: dict[str, str | None]) -> None:
    assert web.told(**changed) == 401
    assert web.told(secret="shpss_somebody") == 401
    assert web.told(secret=OTHERS) == 401
    assert (web.events(), web.answered("unsigned")) == ([], 3)


def test_the_previous_secret_opens_and_sounds_the_alarm(web: Web) -> None:
    assert web.told(secret=NEW) == 200
    assert web.registry.get_sample_value("hooks_previous_secret_total", {"connection": "acme"}) is None
    assert web.told(secret=OLD) == 200
    assert web.registry.get_sample_value("hooks_previous_secret_total", {"connection": "acme"}) == 1
    assert web.told(secret="shpss_ancient") == 401


def test_an_unknown_shop_is_told_so(web: Web) -> None:
    assert web.told(shop="nobody.myshopify.com") == 404
    assert (web.events(), web.answered("unknown_shop")) == ([], 1)


@pytest.mark.parametrize("topic", ["customers/data_request", "customers/redact", "shop/redact"])
def test_a_privacy_request_is_never_turned_away_for_its_shop_or_the_age_of_its_secret(web: Web, topic: str) -> None:
    assert web.told(topic=topic, shop="gone.myshopify.com", secret="shpss_ancient") == 200
    assert web.told(topic=topic, shop="gone.myshopify.com", secret=OTHERS) == 200
    assert web.told(topic=topic, shop=SHOP, secret="shpss_ancient") == 200
    assert web.told(topic=topic, shop=SHOP) == 200
    assert [(event["connection"], event["store"]) for event in web.events()] == [
        ("acme", ""),
        ("others", ""),
        ("acme", "uk"),
        ("acme", "uk"),
    ]
    assert web.told(topic=topic, shop="gone.myshopify.com", secret="shpss_somebody") == 401
    assert web.told(topic=topic, shop="gone.myshopify.com", **{"X-Shopify-Hmac-Sha256": None}) == 401


@pytest.mark.parametrize(
    "changed",
    [
        {"X-Shopify-Topic": None},
        {"X-Shopify-Shop-Domain": None},
        {"X-Shopify-Topic": "x" * 300},
        {"X-Shopify-Webhook-Id": "w\t1"},
    ],
    ids=["no topic", "no shop", "long topic", "control character"],
)
def test_nonsense_is_called_so(web: Web, changed: dict[str, str | None]) -> None:
    assert web.told(**changed) == 400
    assert (web.events(), web.answered("nonsense")) == ([], 1)


def test_only_plain_posts_are_deliveries(web: Web) -> None:
    answer = httpx2.get(f"{web.url}/hooks/shopify")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert web.told(**{"Content-Encoding": "gzip"}) == 415
    assert (web.answered("wrong_method"), web.answered("encoded")) == (1, 1)


def test_an_oversized_body_is_refused_by_its_announced_length_alone(web: Web) -> None:
    assert heard(web, b"Content-Length: %d\r\n\r\n" % (LARGEST + 1)) == 413
    assert web.answered("too_large") == 1


def test_an_oversized_body_without_a_length_is_refused_once_it_passes_the_limit(web: Web) -> None:
    chunk = b"%x\r\n%s\r\n" % (2**20, b"x" * 2**20)
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        yield b"Transfer-Encoding: chunked\r\n\r\n"
        while True:
            yield chunk
            sent += 1

    assert heard(web, *[], endless=chunks()) == 413
    assert LARGEST / 2**20 <= sent < 64
    assert web.told() == 200


def head(secret: str = NEW, shop: str = SHOP) -> bytes:
    """The header of a delivery, without its end and without a length."""
    headers = signed(BODY, secret, topic="orders/create", shop=shop, webhook_id=str(uuid.uuid4()))
    return b"".join(f"{name}: {value}\r\n".encode() for name, value in headers.items())


def heard(web: Web, *parts: bytes, endless: Iterator[bytes] | None = None, signature: bytes | None = None) -> int:
    """Send a delivery's head and then these parts until the webhook endpoint answers; the status."""
    host, _, port = web.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as call:
        call.sendall(b"POST /hooks/shopify HTTP/1.1\r\nHost: x\r\n" + (head() if signature is None else signature))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for part in endless or parts:
                call.sendall(part)
        answer = http.client.HTTPResponse(call)
        answer.begin()
        return answer.status


# -- several connections, and Ometria ------------------------------------------------------------------------------


def test_one_shop_that_feeds_two_connections_makes_an_event_for_each_whose_secret_signed(db_url: str) -> None:
    doors = WebhookVerifier(
        [
            StoreSecret("acme", "uk", SHOP, NEW),
            StoreSecret("staging", "uk", SHOP, NEW),
            StoreSecret("third", "uk", SHOP, OLD),
        ]
    )
    with serving(db_url, doors) as web:
        assert web.told(webhook_id="w1") == 200
        assert sorted(str(event["connection"]) for event in web.events()) == ["acme", "staging"]
        assert web.told(webhook_id="w1", secret=OLD) == 200
        assert sorted(str(event["connection"]) for event in web.events()) == ["acme", "staging", "third"]


def test_an_ometria_automation_calls_with_its_shared_secret(web: Web) -> None:
    def call(connection: str, secret: str | bytes | None) -> int:
        headers = {} if secret is None else {"X-Isthmus-Secret": secret}
        return httpx2.post(
            f"{web.url}/hooks/ometria/{connection}", json={"email": "a@b.c"}, headers=headers
        ).status_code

    assert call("acme", HOOK) == 200
    assert [call("acme", None), call("acme", ""), call("acme", HOOK + "x"), call("acme", "é".encode())] == [401] * 4
    assert [call("others", HOOK), call("others", "")] == [404, 404]
    assert httpx2.get(f"{web.url}/hooks/ometria/acme").status_code == 405
    (event,) = web.events()
    assert (event["topic"], event["connection"], event["lane"]) == ("ometria/hook", "acme", 0)
    assert json.loads(event["body"]) == {"email": "a@b.c"}  # type: ignore[arg-type]


def test_equal_calls_of_an_automation_are_events_of_their_own(web: Web) -> None:
    for _ in range(2):
        httpx2.post(f"{web.url}/hooks/ometria/acme", content=b"{}", headers={"X-Isthmus-Secret": HOOK})
    assert len(web.events()) == 2


def test_the_process_tells_that_it_is_up_and_what_it_answered(web: Web) -> None:
    web.told()
    assert httpx2.get(f"{web.url}/live").status_code == 200
    assert httpx2.get(f"{web.url}/ready").status_code == 200
    assert 'hooks_requests_total{answer="kept"} 1.0' in httpx2.get(f"{web.url}/metrics").text


# -- limits of time and memory --------------------------------------------------------------------------------------


@contextlib.contextmanager
def opened(web: Web, said: bytes) -> Iterator[socket.socket]:
    """A connection on which so much was sent, and no more."""
    host, _, port = web.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as call:
        call.sendall(said)
        yield call


def is_closed(call: socket.socket) -> bool:
    """Whether the server has let go of a connection, possibly after an answer."""
    try:
        call.setblocking(False)
        while call.recv(4096):
            pass
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
    return True


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"POST /hooks/sho",
        b"POST /hooks/shopify HTTP/1.1\r\nHost: x\r\nX-Half: ",
        b"GET /live HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
        b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n\r\n",
        b"POST /hooks/shopify HTTP/1.1\r\nHost: x\r\n" + b"@HEAD@" + b"Content-Length: 5\r\n\r\n",
        b"POST /hooks/shopify HTTP/1.1\r\nHost: x\r\n" + b"@HEAD@" + b"Content-Length: 5\r\n\r\n{",
    ],
    ids=["silent", "half a line", "half a header", "no body for health", "newlines", "no first byte", "half a body"],
)
def test_a_connection_that_owes_us_its_request_is_closed(
    web: Web, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HEAD_WITHIN", "FIRST_BYTE_WITHIN", "BODY_WITHIN"):
        monkeypatch.setattr(f"isthmus.web.listener.{name}", 0.2)
    monkeypatch.setattr("isthmus.web.webhooks.bodies.BODY_WITHIN", 0.2)
    with opened(web, said.replace(b"@HEAD@", head())) as call:
        assert eventually(lambda: is_closed(call), 8.0)
    assert web.told() == 200


def test_a_body_that_begins_and_does_not_end_is_answered_408(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.web.webhooks.bodies.BODY_WITHIN", 0.1)
    assert heard(web, b"Content-Length: 5\r\n\r\n{") == 408
    assert web.answered("too_slow") == 1


def test_a_header_without_end_is_cut_off(web: Web) -> None:
    with opened(web, b"GET /live HTTP/1.1\r\nX-Long: ") as call, contextlib.suppress(OSError):
        for _ in range(40):
            call.sendall(b"x" * 4096)
    with opened(web, b"") as call:
        call.close()
    assert web.told() == 200


def test_silent_connections_beyond_the_limit_keep_nobody_out(db_url: str) -> None:
    doors = WebhookVerifier([StoreSecret("acme", "uk", SHOP, NEW)])
    waiting = b"POST /hooks/shopify HTTP/1.1\r\nHost: x\r\n" + head() + b"Content-Length: 5\r\n\r\n"
    with serving(db_url, doors, max_connections=20) as web, contextlib.ExitStack() as silent:
        calls = [silent.enter_context(opened(web, (b"", b"GET /li", waiting)[n % 3])) for n in range(60)]
        assert web.told() == 200
        assert httpx2.get(f"{web.url}/live").status_code == 200
        assert httpx2.get(f"{web.url}/ready").status_code == 200
        assert eventually(lambda: sum(map(is_closed, calls)) >= 40)


def test_health_is_answered_when_there_are_too_many_calls(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.web.server.MOST_CALLS", 0)
    assert web.told() == 503
    assert httpx2.get(f"{web.url}/metrics").status_code == 503
    assert httpx2.get(f"{web.url}/live").status_code == 200
    assert httpx2.get(f"{web.url}/ready").status_code == 200


def test_a_caller_who_cannot_be_a_shop_of_ours_is_refused_before_the_body_is_read(web: Web) -> None:
    length = b"Content-Length: %d\r\n\r\n" % LARGEST  # of which not a byte comes
    assert heard(web, length, signature=b"") == 400
    assert heard(web, length, signature=head(shop="nobody.myshopify.com")) == 404
    assert heard(web, length, signature=head().replace(b"Hmac-Sha256: ", b"Hmac-Sha256: x")) == 401


def test_bodies_that_are_too_large_together_cost_the_largest_and_never_a_usual_one(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isthmus.web.webhooks.bodies.MOST_AT_ONCE", 2 * 2**20)
    length = b"Content-Length: %d\r\n\r\n" % LARGEST
    said = b"POST /hooks/shopify HTTP/1.1\r\nHost: x\r\n" + head() + length
    with (
        serving(web.dsn, WebhookVerifier([StoreSecret("acme", "uk", SHOP, NEW)])) as small,
        contextlib.ExitStack() as large,
    ):
        calls = [large.enter_context(opened(small, said + b"x" * 2**20)) for _ in range(4)]
        assert eventually(lambda: small.answered("overloaded") >= 2)
        assert small.told() == 200
        assert small.told(b"x" * 300_000) == 200
        assert sum(not is_closed(call) for call in calls) <= 2


@pytest.mark.parametrize(
    "at",
    ["9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00", "1970-01-01T00:00:00Z", "x" * 5000, "2026-02-30T00:00Z"],
    ids=lambda at: at[:12],
)
def test_an_absurd_time_of_the_trigger_is_as_good_as_none(web: Web, at: str) -> None:
    assert web.told(secret="shpss_somebody", **{"X-Shopify-Triggered-At": at}) == 401
    assert web.told(**{"X-Shopify-Triggered-At": at}) == 200
    assert [event["triggered_at"] for event in web.events()] == [None]


# -- the database goes away ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def away(dsn: str) -> Iterator[None]:
    """The test's own database refuses everyone, and has thrown out who was in."""
    name = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
    with psycopg.connect(psycopg.conninfo.make_conninfo(dsn, dbname="postgres"), autocommit=True) as outside:
        outside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        outside.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        try:
            yield
        finally:
            outside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def test_f31_while_the_database_is_away_nothing_is_acknowledged_and_then_all_is_well(
    web: Web, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert web.told(webhook_id="before") == 200
    with away(web.dsn):
        answer = httpx2.post(
            f"{web.url}/hooks/shopify",
            content=BODY,
            headers=signed(BODY, NEW, topic="orders/create", shop=SHOP, webhook_id="during"),
        )
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert web.told(webhook_id="during") == 200
    assert [event["webhook_id"] for event in web.events()] == ["before", "during"]
    # Wherever logs go in this process: another test may have configured them.
    said = "".join((*capfd.readouterr(), caplog.text))
    assert "webhook deliveries not persisted" in said
    assert not any(private in said for private in ("jon@example.com", NEW, "during", SHOP))


def test_f31_a_delivery_that_arrives_during_a_blink_of_the_database_is_only_slower(web: Web) -> None:
    assert web.told() == 200
    with ThreadPoolExecutor(1) as caller:
        with away(web.dsn):
            answer = caller.submit(web.told, webhook_id="during")
            time.sleep(0.3)
        assert answer.result() == 200


def test_f31_after_a_spell_in_which_the_database_was_read_only_deliveries_are_kept_again(web: Web) -> None:
    name = psycopg.conninfo.conninfo_to_dict(web.dsn)["dbname"]
    assert web.told(webhook_id="before") == 200
    with psycopg.connect(psycopg.conninfo.make_conninfo(web.dsn, dbname="postgres"), autocommit=True) as outside:
        outside.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        outside.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (name,))
        assert [web.told(webhook_id="during"), web.told(webhook_id="during")] == [503, 503]
        outside.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        assert web.told(webhook_id="during") == 200
    assert [event["webhook_id"] for event in web.events()] == ["before", "during"]


def test_ready_is_a_write_that_just_succeeded_and_a_schema_this_program_works_with(db_url: str) -> None:
    def why(known: int) -> str | None:
        async def ask() -> str | None:
            async with AutocommitConnection(db_url) as line:
                return await prove(line, "web", datetime.now(UTC), known, ENGINE)

        return asyncio.run(ask())

    ENGINE: list[str] = []  # noqa: N806
    assert why(required_version()) is None
    with psycopg.connect(db_url, autocommit=True) as other:
        assert other.execute("SELECT role FROM readiness").fetchall() == [("web",)]
        # A disk without room takes the small row all the same, in place; what needs a new page is refused.
        name = psycopg.conninfo.conninfo_to_dict(db_url)["dbname"]
        other.execute(f"ALTER DATABASE \"{name}\" SET temp_file_limit = '100kB'")
        assert why(required_version()) == "the database does not take a write: ConfigurationLimitExceeded"
        other.execute(f'ALTER DATABASE "{name}" RESET temp_file_limit')
        assert why(required_version()) is None
        ENGINE.append("99_post_unknown.sql")
        assert why(required_version()) == "the job engine lacks its tables; run `isthmus migrate`"
        ENGINE.clear()
        assert "run `isthmus migrate`" in str(why(required_version() + 1))
        newer = required_version() + 1
        other.execute("INSERT INTO schema_version VALUES (%s, 'new', '', now(), %s)", (newer, required_version()))
        assert why(required_version()) is None
        other.execute("UPDATE schema_version SET compatible_from = %s WHERE version = %s", (newer, newer))
        assert (
            why(required_version())
            == f"the database is at schema {newer}, this isthmus knows {required_version()}; install a newer isthmus"
        )
        other.execute("DELETE FROM schema_version WHERE version = %s", (newer,))
        name = psycopg.conninfo.conninfo_to_dict(db_url)["dbname"]
        other.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        assert why(required_version()) == "the database does not take a write: ReadOnlySqlTransaction"
        other.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        assert why(required_version()) is None


def test_f31_a_database_that_hangs_is_answered_for_in_two_seconds(web: Web) -> None:
    assert web.told() == 200
    with psycopg.connect(web.dsn) as holder:
        holder.execute("LOCK TABLE event_key IN ACCESS EXCLUSIVE MODE")
        with ThreadPoolExecutor(3) as callers:
            answers = list(callers.map(lambda n: web.told(webhook_id=f"w{n}"), range(3)))
        assert answers == [503] * 3
    assert eventually(lambda: web.told(webhook_id="w0") == 200)
    assert eventually(lambda: web.told(webhook_id="w1") == 200)
    assert len([event for event in web.events() if event["webhook_id"] in ("w0", "w1")]) == 2


def test_f31_nothing_acknowledged_is_lost_when_the_database_is_killed_in_mid_flush(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    server = Embedded(tmp_path / "server")
    dsn = server.start()
    try:
        with Database(dsn, pool_size=1) as db:
            migrate(db)
        server.watch()
        stop, acknowledged, refused = threading.Event(), [], []

        def deliver(caller: int) -> None:
            n = 0
            while not stop.is_set():
                n += 1
                try:
                    answer = web.told(webhook_id=f"{caller}-{n}")
                except httpx2.TimeoutException:
                    answer = 0  # of a busy machine; Shopify would send it again
                (acknowledged if answer == 200 else refused).append(f"{caller}-{n}")

        with (
            serving(dsn, WebhookVerifier([StoreSecret("acme", "uk", SHOP, NEW)])) as web,
            ThreadPoolExecutor(4) as callers,
        ):
            for caller in range(4):
                callers.submit(deliver, caller)
            try:
                for _ in range(3):
                    before = len(acknowledged)
                    assert eventually(lambda: len(acknowledged) > before + 20, 60.0)  # noqa: B023
                    kill_server(dsn)
                before = len(acknowledged)
                assert eventually(lambda: len(acknowledged) > before + 20, 60.0)
            finally:
                stop.set()
        events = web.events()
        kept = [str(event["webhook_id"]) for event in events]
        assert set(acknowledged) <= set(kept)
        assert len(kept) == len(set(kept))
        counted = web.tallies()
        assert counted["event.received"] - counted.get("event.duplicate", 0) == len(kept)
    finally:
        server.erase()


def kill_server(dsn: str) -> None:
    with psycopg.connect(dsn) as asking:
        row = asking.execute("SELECT pg_read_file('postmaster.pid')").fetchone()
    assert row is not None
    os.kill(int(row[0].splitlines()[0]), signal.SIGKILL)
