"""The simulators as a process of their own: `python -m sims`, two ports, one JSON line when ready."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import httpx2
import pytest

KEY = {"X-Ometria-Auth": "sim-ometria-key"}
CONTACT = {"@type": "contact", "@collection": "shopify", "id": "uk:1 2", "email": "a@example.com"}
COMMAND = [sys.executable, "-m", "sims", "--shopify-port", "0", "--ometria-port", "0", "--seed", "5"]
SIZES = ["--customers", "6", "--orders", "9", "--products", "4"]


@pytest.fixture(scope="module")
def ready() -> Iterator[dict[str, Any]]:
    process = subprocess.Popen([*COMMAND, *SIZES], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        process.stdout.close()


@pytest.fixture
def ometria(ready: dict[str, Any]) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=ready["ometria"], headers=KEY) as client:
        assert client.post("/_sim/reset", json={}).status_code == 200
        yield client


def test_both_ports_answer_and_share_one_control(ready: dict[str, Any]) -> None:
    httpx2.post(f"{ready['shopify']}/_sim/faults", json={"ometria.hang_seconds": 7.0})
    assert httpx2.get(f"{ready['ometria']}/_sim/faults").json()["ometria.hang_seconds"] == 7.0


def test_the_ready_line_names_everything_a_caller_needs(ready: dict[str, Any]) -> None:
    assert set(ready) == {"shopify", "ometria", "stores", "api_key"}
    keys = {"name", "domain", "admin_url", "client_id", "client_secret", "namespace", "currency"}
    assert all(set(store) == keys for store in ready["stores"])


def test_what_is_pushed_over_http_is_applied_by_itself(ometria: httpx2.Client) -> None:
    assert ometria.post("/v2/push", json=[CONTACT]).json()["accepted"] == 1
    ometria.post("/_sim/clock", json={"advance": 5})
    stored = ometria.get("/v2/contacts/shopify/uk:1%202")
    assert stored.json()["id"] == "uk:1 2"
    assert ometria.get("/v2/profiles", params={"email": "a@example.com"}).json()[0]["email"] == "a@example.com"


def test_a_wrong_key_is_403(ometria: httpx2.Client) -> None:
    assert ometria.get("/v2/orders", headers={"X-Ometria-Auth": "x"}).status_code == 403


def test_a_hanging_answer_holds_nobody_else_up(ometria: httpx2.Client) -> None:
    ometria.post("/_sim/faults", json={"ometria.p_timeout_after_accept": 1.0, "ometria.hang_seconds": 60.0})
    for _ in range(3):
        with pytest.raises(httpx2.ReadTimeout):
            ometria.post("/v2/push", json=[CONTACT], timeout=0.1)
    assert ometria.get("/v2/orders", timeout=30).status_code == 200  # far less than the others hang
    assert ometria.get("/_sim/report").json()["injected"] == {"ometria.p_timeout_after_accept": 3}


def test_a_body_comes_a_byte_at_a_time_and_holds_nobody_else_up(ometria: httpx2.Client) -> None:
    ometria.post("/_sim/faults", json={"ometria.p_drip": 1.0})
    with ometria.stream("GET", "/v2/orders") as slow:
        pieces = slow.iter_raw(chunk_size=1)
        assert len(next(pieces)) == 1
        ometria.post("/_sim/faults", json={"ometria.p_drip": 0.0})
        assert ometria.get("/v2/orders").status_code == 200


def test_a_shop_grants_a_token_and_answers_graphql(ready: dict[str, Any]) -> None:
    for store in ready["stores"]:
        form = {"grant_type": "client_credentials"} | {key: store[key] for key in ("client_id", "client_secret")}
        granted = httpx2.post(f"{store['admin_url']}/admin/oauth/access_token", data=form).json()
        answer = httpx2.post(
            f"{store['admin_url']}/admin/api/2026-10/graphql.json",
            headers={"X-Shopify-Access-Token": granted["access_token"]},
            json={"query": "{ shop { myshopifyDomain currencyCode } }"},
        )
        assert answer.json()["data"]["shop"] == {"myshopifyDomain": store["domain"], "currencyCode": store["currency"]}


class Receiver(ThreadingHTTPServer):
    """A server that lets more callers wait than the five of its kind."""

    request_queue_size = 64


class Hooks(BaseHTTPRequestHandler):
    """Answers every delivery with 200 and remembers its topic."""

    topics: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.topics.append(self.headers["X-Shopify-Topic"])
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Stay silent."""


def test_what_happens_in_a_shop_is_posted_to_who_subscribed(ometria: httpx2.Client) -> None:
    with Receiver(("127.0.0.1", 0), Hooks) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        uri = f"http://127.0.0.1:{server.server_port}/hooks/shopify"
        wanted = {"uri": uri, "topics": ["orders/create", "orders/updated"]}
        for shop in ("uk", "int"):
            assert ometria.post("/_sim/subscriptions", json={"shop": shop, **wanted}).status_code == 200
        ometria.post("/_sim/life", json={"steps": 100})
        until = time.monotonic() + 10
        while (told := ometria.get("/_sim/report").json()["deliveries"])["pending"] and time.monotonic() < until:
            time.sleep(0.02)
        server.shutdown()
    assert told["made"] == told["ok"] == len(Hooks.topics) > 0
    assert set(Hooks.topics) <= set(wanted["topics"])
