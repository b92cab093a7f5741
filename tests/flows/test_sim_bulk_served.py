"""Bulk operations over the network: written in the background, streamed, broken off and gone on with, told of."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx2
import pytest

from served import served

RUN = "mutation($q: String!) { bulkOperationRunQuery(query: $q) { bulkOperation { id } userErrors { message } } }"
LOOK = "query($id: ID!) { bulkOperation(id: $id) { status url fileSize rootObjectCount } }"
QUERY = "{ orders { edges { node { id name lineItems { edges { node { id title } } } } } } }"


class Shop:
    """One served shop, with a token for it."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self.base, self.admin = ready["shopify"], ready["stores"][0]["admin_url"]
        token = self.control("tokens", {"shop": "uk"})["access_token"]
        self._headers = {"x-shopify-access-token": token}

    def control(self, path: str, body: dict[str, Any]) -> Any:
        return httpx2.post(f"{self.base}/_sim/{path}", json=body).raise_for_status().json()

    def ask(self, query: str, **variables: str) -> Any:
        body = {"query": query, "variables": variables}
        return httpx2.post(f"{self.admin}/admin/api/2026-10/graphql.json", json=body, headers=self._headers).json()[
            "data"
        ]

    def run(self) -> dict[str, Any]:
        """Run an operation to its end."""
        gid = self.ask(RUN, q=QUERY)["bulkOperationRunQuery"]["bulkOperation"]["id"]
        until = time.monotonic() + 20
        while (told := self.ask(LOOK, id=gid)["bulkOperation"])["status"] in ("CREATED", "RUNNING"):
            assert time.monotonic() < until, told
            time.sleep(0.05)
        assert told["status"] == "COMPLETED"
        return {**told, "id": gid}


def fetched(url: str) -> tuple[bytes, bool]:
    """What came of a download, and whether that was all."""
    had = b""
    try:
        with httpx2.stream("GET", url) as answer:
            for piece in answer.iter_bytes():
                had += piece
    except httpx2.HTTPError:
        return had, False
    return had, True


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with served("--seed", "5", "--customers", "60", "--orders", "150", "--products", "9") as told:
        yield Shop(told)


def test_a_result_is_written_in_the_background_and_fetched_without_a_token(shop: Shop) -> None:
    told = shop.run()
    raw = httpx2.get(told["url"]).raise_for_status().content
    assert len(raw) == int(told["fileSize"])
    lines = [json.loads(line) for line in raw.splitlines()]
    assert sum("__parentId" not in line for line in lines) == int(told["rootObjectCount"])


def test_a_download_that_breaks_off_goes_on_where_it_was(shop: Shop) -> None:
    told = shop.run()
    shop.control("faults", {"shopify.bulk_cut": 5000, "shopify.bulk_cuts": 1})
    had, is_whole = fetched(told["url"])
    assert not is_whole
    assert len(had) <= 5000
    rest = httpx2.get(told["url"], headers={"range": f"bytes={len(had)}-"})
    assert rest.status_code == 206
    assert had + rest.content == httpx2.get(told["url"]).content


def test_its_end_is_told_by_webhook(shop: Shop) -> None:
    heard: list[dict[str, Any]] = []
    has_come = threading.Event()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()
            has_come.set()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Door) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        uri = f"http://127.0.0.1:{server.server_port}/"
        shop.control("subscriptions", {"shop": "uk", "uri": uri, "topics": ["bulk_operations/finish"]})
        told = shop.run()
        assert has_come.wait(10)
        server.shutdown()
    assert heard[0]["admin_graphql_api_id"] == told["id"]
    assert (heard[0]["status"], heard[0]["type"], heard[0]["error_code"]) == ("completed", "query", None)
