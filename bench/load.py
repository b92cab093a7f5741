"""A load generator for the webhook endpoint: signed deliveries over kept-alive connections, at full speed or at a rate.

Run in a process of its own, so that it never shares an interpreter with what it measures.
"""

import argparse
import asyncio
import base64
import hmac
import json
import random
import time
from decimal import Decimal

import uvloop

PATH = "/hooks/shopify"


def order(seed: int, size: int = 6000) -> bytes:
    """A body of about `size` bytes with the keys, repetitions and randomness of an order webhook."""
    rng = random.Random(seed)

    def money(amount: Decimal) -> dict[str, object]:
        shop = {"amount": str(amount), "currency_code": "GBP"}
        return {"shop_money": shop, "presentment_money": shop}

    def line() -> dict[str, object]:
        price = Decimal(rng.randrange(100, 20000)) / 100
        number = rng.randrange(10**13, 10**14)
        return {
            "id": number,
            "admin_graphql_api_id": f"gid://shopify/LineItem/{number}",
            "current_quantity": 1,
            "fulfillable_quantity": 1,
            "fulfillment_status": None,
            "name": f"{rng.choice(('Linen', 'Wool', 'Silk'))} {rng.choice(('shirt', 'coat'))} {rng.random():.9f}",
            "price": str(price),
            "price_set": money(price),
            "product_id": rng.randrange(10**12, 10**13),
            "sku": f"SKU-{rng.randrange(10**6)}",
            "taxable": True,
            "total_discount_set": money(Decimal("0.00")),
            "variant_id": rng.randrange(10**13, 10**14),
            "vendor": "Acme",
            "tax_lines": [{"price": str(price / 5), "rate": 0.2, "title": "VAT", "price_set": money(price / 5)}],
        }

    address = {
        "first_name": "Ann",
        "last_name": f"Other{rng.randrange(10**6)}",
        "address1": f"{rng.randrange(999)} High Street",
        "city": "Leeds",
        "zip": f"LS{rng.randrange(9)} {rng.randrange(9)}AA",
        "country_code": "GB",
        "phone": f"+4477009{rng.randrange(10**5):05}",
    }
    number = rng.randrange(10**12, 10**13)
    body: dict[str, object] = {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/Order/{number}",
        "name": f"#{rng.randrange(10**5)}",
        "email": f"ann{rng.randrange(10**6)}@example.com",
        "created_at": "2026-11-20T12:00:00+00:00",
        "updated_at": "2026-11-20T12:00:05+00:00",
        "token": f"{rng.getrandbits(128):032x}",
        "checkout_token": f"{rng.getrandbits(128):032x}",
        "currency": "GBP",
        "financial_status": "paid",
        "total_price_set": money(Decimal(rng.randrange(10**5)) / 100),
        "billing_address": address,
        "shipping_address": address,
        "line_items": [],
    }
    lines: list[object] = []
    body["line_items"] = lines
    while len(json.dumps(body)) < size - 500:
        lines.append(line())
    return json.dumps(body).encode()


class Tally:
    """What the connections of one run share."""

    def __init__(self, requests: list[tuple[bytes, bytes]], rate: float | None, connections: int) -> None:
        self.requests = requests
        self.every = connections / rate if rate else None
        self.sent = 0
        self.answered = 0
        self.refused = 0
        self.waits: list[float] = []
        self.is_over = False
        self.prefix = f"{time.time_ns():x}-"


class Caller(asyncio.Protocol):
    """One kept-alive connection with one delivery on its way at a time."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.due = time.perf_counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.WriteTransport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        tally, now = self.tally, time.perf_counter()
        tally.waits.append(now - self.due)
        tally.answered += 1
        if not data.startswith(b"HTTP/1.1 200"):
            tally.refused += 1
        if tally.is_over:
            return
        if tally.every is None:
            self.due = now
            self.send()
            return
        # A wait counts from when the delivery was due, so that a stall is not hidden by the sending it held up.
        self.due += tally.every
        wait = self.due - now
        if wait > 0:
            asyncio.get_running_loop().call_later(wait, self.send)
        else:
            self.send()

    def send(self) -> None:
        tally = self.tally
        tally.sent += 1
        head, rest = tally.requests[tally.sent % len(tally.requests)]
        self.transport.write(b"%s%s%d%s" % (head, tally.prefix.encode(), tally.sent, rest))


async def run(
    host: str, port: int, secret: str, shop: str, connections: int, seconds: float, rate: float | None
) -> dict[str, float]:
    requests = []
    for seed in range(64):
        body = order(seed)
        signature = base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()
        head = "\r\n".join(
            (
                f"POST {PATH} HTTP/1.1",
                f"Host: {host}",
                "Content-Type: application/json",
                f"Content-Length: {len(body)}",
                "User-Agent: Shopify-Captain-Hook",
                "X-Shopify-Topic: orders/updated",
                f"X-Shopify-Hmac-Sha256: {signature}",
                f"X-Shopify-Shop-Domain: {shop}",
                "X-Shopify-API-Version: 2026-10",
                "X-Shopify-Triggered-At: 2026-11-20T12:00:06.123456789Z",
                f"X-Shopify-Event-Id: 98880550-7158-44d4-b7cd-{seed:012}",
                "X-Shopify-Webhook-Id: ",
            )
        )
        requests.append((head.encode(), b"\r\n\r\n" + body))
    tally = Tally(requests, rate, connections)
    loop = asyncio.get_running_loop()
    callers = [(await loop.create_connection(lambda: Caller(tally), host, port))[1] for _ in range(connections)]
    start = time.perf_counter()
    for place, caller in enumerate(callers):
        caller.due = start + (tally.every or 0) * place / connections
        loop.call_later(caller.due - start, caller.send)
    await asyncio.sleep(seconds)
    elapsed = time.perf_counter() - start
    tally.is_over = True
    answered = tally.answered
    waits = sorted(tally.waits)
    await asyncio.sleep(0.2)
    for caller in callers:
        caller.transport.close()
    return {
        "per_second": answered / elapsed,
        "refused": tally.refused,
        "p50_ms": 1000 * waits[len(waits) // 2],
        "p99_ms": 1000 * waits[len(waits) * 99 // 100],
        "max_ms": 1000 * waits[-1],
        "cpu_seconds": time.process_time(),
    }


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--secret", required=True)
    options.add_argument("--shop", required=True)
    options.add_argument("--connections", type=int, default=32)
    options.add_argument("--seconds", type=float, default=4)
    options.add_argument("--rate", type=float)
    print(json.dumps(uvloop.run(run(**vars(options.parse_args())))))
