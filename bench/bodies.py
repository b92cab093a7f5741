"""Order webhooks by the thousand: a simulated shop's bodies, each retold about another order of another person."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from isthmus.model.order import Order
from isthmus.shopify.parse import order_webhook
from sims.shopify import world
from sims.shopify.rest.order import order as rendered

NEW_ORDER_BYTES = 7500
"""An order that was just placed, with one line; parcels and further lines make it twice as long."""

ORDERS_EACH = 3
"""Orders of one customer, far enough apart that no two of them meet in one batch."""


class _Noon:
    def now(self) -> datetime:
        return datetime(2026, 11, 23, 12, tzinfo=UTC)


KEPT = "ISTHMUS_BENCH_BODIES"
"""The variable that names a file written by `write`: two versions are measured on the same bodies."""


ODD = (b'"discount_codes":null', b'"shipping_lines":null', b'"financial_status":null')
"""What shops send now and then, and early versions of isthmus refused."""


def write(path: Path, orders: int = 3000) -> None:
    """Keep the bodies of a shop's orders, one a line; only those that every version can read."""
    path.write_bytes(b"\n".join(body for body in _rendered(orders) if not any(odd in body for odd in ODD)))


def told(orders: int = 1200) -> list[tuple[bytes, Order]]:
    """The bodies of a shop's orders, each with its record; without those that only a reading can tell."""
    kept = os.environ.get(KEPT)
    bodies = Path(kept).read_bytes().split(b"\n")[:orders] if kept else _rendered(orders)
    pairs = []
    for body in bodies:
        made = order_webhook.parse_order_webhook(body)
        if isinstance(made, Order):
            pairs.append((body, made))
    return pairs


def _rendered(orders: int) -> list[bytes]:
    shops = world.build(seed=7, customers=100, orders=orders, products=60, clock=_Noon())
    uk = next(iter(shops.stores.values()))
    return [
        json.dumps(rendered(shops, uk, one), default=str, separators=(",", ":")).encode() for one in uk.orders.values()
    ]


class Bodies:
    """As many distinct bodies of about 7 KB as anybody wants; the n-th is always the same."""

    def __init__(self, most: int) -> None:
        """`most` is how many will be asked for: a third as many people order."""
        bodies = [body for body, _ in told(3000) if len(body) <= NEW_ORDER_BYTES]
        self._forms = [_form(body) for body in bodies]
        self._people = max(1, most // ORDERS_EACH)

    def body(self, n: int) -> bytes:
        return self._forms[n % len(self._forms)] % {b"n": n, b"person": self.customer(n)}

    def customer(self, n: int) -> int:
        return n % self._people

    def customers(self) -> Iterator[tuple[int, str]]:
        """Everybody who orders: number and address."""
        for person in range(self._people):
            yield PEOPLE + person, f"ann{person:08}@example.com"


PEOPLE = 7_000_000_000_000
_N, _PERSON = "%(n)08d", "%(person)08d"


def _form(body: bytes) -> bytes:
    """A body as a form to be filled in: whose it is, and every number that is the order's own."""
    whole: dict[str, Any] = json.loads(body.replace(b"%", b"%%"))
    whole |= {
        "id": f"§60000{_N}§",
        "admin_graphql_api_id": f"gid://shopify/Order/60000{_N}",
        "name": f"#{_N}",
        "email": f"ann{_PERSON}@example.com",
        "contact_email": f"ann{_PERSON}@example.com",
        "token": f"{whole['token'][:24]}{_N}",
        "checkout_token": f"{whole['token'][8:]}{_N}",
    }
    whole["customer"] = (whole["customer"] or {}) | {"id": f"§70000{_PERSON}§", "email": f"ann{_PERSON}@example.com"}
    for place, line in enumerate(whole["line_items"]):
        line["id"] = f"§8{place:04}{_N}§"
    text = json.dumps(whole, separators=(",", ":"), ensure_ascii=False)
    return text.replace('"§', "").replace('§"', "").encode()
