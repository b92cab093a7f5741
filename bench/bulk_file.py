"""Results of bulk operations of any size: a simulated shop's lines, each order retold about another person."""

import json
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from isthmus.shopify.bulk import bulk_query
from sims.clock import SimClock
from sims.faults import Faults
from sims.shopify import world
from sims.shopify.app import Shopify
from sims.tape import Tape
from sims.wire import Request

ORDERS_EACH = 3
"""Orders of one customer."""

LEAST = 4_200
"""Bytes of an order with all of its lines: two or three articles, 5 to 6 KB on average."""

MIXED = 2_000
"""Lines that lie in any order, as an operation without grouping leaves them."""

_NUMBER = re.compile(rb"(gid:\\/\\/shopify\\/(?:Order|LineItem|ShippingLine|Return|Fulfillment)\\/)(\d+)")
_PERSON = re.compile(rb'("customer":\{"id":"gid:\\/\\/shopify\\/Customer\\/)\d+')
_EMAIL = re.compile(rb'"email":"[^"]*"')


class Forms:
    """The lines of orders without a refund, as one of a simulated shop's bulk operations told them."""

    def __init__(self, orders: int = 1_500) -> None:
        whole = [lines for lines in _told(orders) if sum(map(len, lines)) >= LEAST]
        self._forms = [form for lines in whole if (form := _form(lines)) is not None]

    def order(self, n: int) -> list[bytes]:
        """The lines of the n-th order; always the same."""
        person = n // ORDERS_EACH
        return [line % {b"n": n, b"person": person} for line in self._forms[n % len(self._forms)]]

    def write(self, path: Path, orders: int, mixed: int = MIXED) -> int:
        """Write a result of so many orders, `mixed` lines in any order; how many lines it has."""
        n, dice = 0, random.Random(1)
        lines = (line for order in range(orders) for line in self.order(order))
        with path.open("wb", 1 << 20) as file:
            while some := list(islice(lines, mixed)):
                dice.shuffle(some)
                file.write(b"\n".join(some) + b"\n")
                n += len(some)
        return n


def _form(lines: list[bytes]) -> list[bytes] | None:
    """Lines with places for a number and a person; None for an order that bulk cannot tell."""
    if json.loads(lines[0])["refunds"]:
        return None
    places: dict[bytes, int] = {}

    def numbered(found: "re.Match[bytes]") -> bytes:
        place = places.setdefault(found[2], len(places))
        return b"%s8%03d%%(n)08d" % (found[1], place)

    made = []
    for line in lines:
        text = _NUMBER.sub(numbered, line.replace(b"%", b"%%"))
        text = _PERSON.sub(rb"\g<1>70000%(person)08d", text)
        made.append(_EMAIL.sub(b'"email":"ann%(person)08d@example.com"', text))
    return made


def _told(orders: int) -> Iterator[list[bytes]]:
    """The lines of each order of a simulated shop."""
    clock = SimClock(datetime(2026, 11, 23, 12, tzinfo=UTC), 0)
    shop = Shopify(world.build(7, 200, orders, 60, clock), clock, Faults(1), Tape())
    token = shop.static_token("uk")

    def ask(text: str, **variables: Any) -> Any:
        body = json.dumps({"query": text, "variables": variables}).encode()
        headers = {"content-type": "application/json", "x-shopify-access-token": token}
        answer = shop.handle(Request("POST", "/admin/api/2026-10/graphql.json", {}, headers, body))
        return json.loads(answer.body)["data"]

    start = "mutation($q: String!) { r: bulkOperationRunQuery(query: $q, groupObjects: true) { bulkOperation { id } } }"
    gid = ask(start, q=bulk_query("order"))["r"]["bulkOperation"]["id"]
    found: dict[str, Any] = {"url": None}
    while found["url"] is None:
        clock.advance(5)
        found = ask("query($id: ID!) { r: bulkOperation(id: $id) { url } }", id=gid)["r"]
    path, _, asked = found["url"].partition("?")
    answer = shop.handle(Request("GET", urlsplit(path).path, dict(parse_qsl(asked)), {}, b""))
    order: list[bytes] = []
    for line in b"".join(answer.stream or ()).splitlines():
        if b'"__parentId"' not in line and order:
            yield order
            order = []
        order.append(line)
    yield order
