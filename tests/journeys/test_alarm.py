"""An alarm in real processes: from its cause to our own webhook within a minute, and a checklist that says the same."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from machine import NAME, Machine, machine, until

WITHIN = 60.0


class Ear(BaseHTTPRequestHandler):
    """Somebody's webhook: keeps what it is sent."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append(json.loads(body))  # type: ignore[attr-defined]
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the interface's own
        pass


@pytest.fixture
def heard() -> Iterator[tuple[list[dict[str, Any]], str]]:
    """What our webhook hears, and its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Ear) as server:
        server.heard = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.heard, f"http://127.0.0.1:{server.server_address[1]}/s3cret"  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


@pytest.fixture
def fresh() -> Iterator[Machine]:
    with machine(seed=11, customers=4, orders=4, products=2) as made:
        made.write_settings(processes=1)
        made.write_connection(mode="live", subscriptions="api")
        yield made


def test_f95_an_alarm_reaches_our_own_webhook_within_a_minute(
    fresh: Machine, heard: tuple[list[dict[str, Any]], str]
) -> None:
    """F95: what the shop's owner is mailed, nobody reads; what we are told arrives."""
    messages, address = heard
    fresh.environment["NIGHT_DUTY"] = address
    settings = fresh.home / "isthmus.toml"
    settings.write_text(settings.read_text() + '\n[notify]\nurl = "env:NIGHT_DUTY"\ndigest_at = 00:00:00\n')

    fresh.start("serve")
    until(fresh.is_ready, 20)
    tried = fresh.run("check", "notify")
    assert tried.returncode == 0, tried.stderr
    assert "s3cret" not in tried.stdout + tried.stderr
    assert [message["what"] for message in messages] == ["test"]

    assert fresh.told("connect", f"{NAME}.toml")["stored"]
    until(lambda: any(message["what"] == "digest" for message in messages), WITHIN, "the digest of the day")
    told = fresh.run("check", "daily", NAME, "--json")
    found = {item["key"]: item for item in json.loads(told.stdout)["items"]}
    assert found["open"]["result"] == "ok"
    assert found["versions"]["result"] == "ok"
    assert found["subscriptions"]["result"] == "ok"
    assert found["secrets"]["result"] == "ok"

    fresh.post("faults", {"shopify.shop_status": 402})
    took = until(
        lambda: any(m.get("code") == "storefront.shop_closed" and m["state"] == "opened" for m in messages), WITHIN
    )
    assert took < WITHIN
    (alarm, *_) = [message for message in messages if message.get("code") == "storefront.shop_closed"]
    assert alarm["severity"] == "urgent"
    assert alarm["owner"] == "store team"
    assert len({message["id"] for message in messages}) == len(messages), "nothing is told twice"

    shut = fresh.run("check", "daily", NAME)
    assert shut.returncode == 1
    assert "storefront.shop_closed" in shut.stdout
    noted = fresh.told("check", "sign-off", NAME, "alarm_test", "--by", "ada")
    assert noted["item"] == "alarm_test"
    monthly = json.loads(fresh.run("check", "monthly", NAME, "--json").stdout)
    assert {item["key"]: item["result"] for item in monthly["items"]}["alarm_test"] == "ok"
    assert fresh.run("check", "sign-off", NAME, "restore_tset").returncode == 2
