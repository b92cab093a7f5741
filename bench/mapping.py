"""How many orders a second one core turns into what is sent: from the canonical record, and from the webhook's body."""

import json
import time
import timeit
from collections.abc import Callable
from typing import TypeVar

from bench.bodies import NEW_ORDER_BYTES, told
from bench.rig import settle

from isthmus.mapping.order import map_order
from isthmus.mapping.rules import Rules
from isthmus.model.lane import Lane
from isthmus.model.order import Order
from isthmus.shopify.parse import order_webhook

RULES = Rules(
    store="uk", namespace="uk:", domain="acme-uk.myshopify.com", currency="GBP", reporting_currency="GBP", hash_key=b"k"
)
LINES = 3
T = TypeVar("T")
ROUNDS, AT_ONCE = 7, 3000
"""The best of the rounds counts: the others were disturbed by something that is not ours."""


def run() -> dict[str, float]:
    """Records per second of one core's time; bodies are the simulated shop's own, with every key Shopify publishes."""
    orders = told()
    settle()
    plain = [body for body, made in orders if len(made.lines) == LINES and not made.refunds]
    refunded = [body for body, made in orders if made.refunds]
    new = [body for body, made in orders if len(body) <= NEW_ORDER_BYTES]
    figures: dict[str, float] = {
        "map_encode_per_second": _rate(_mapping, [_parsed(body) for body in plain]),
        "map_encode_refunded_per_second": _rate(_mapping, [_parsed(body) for body in refunded]),
        "new_order_body_bytes": round(sum(map(len, new)) / len(new)),
        "new_order_decode_per_second": _rate(order_webhook.parse_order_webhook, new),
        "new_order_decode_map_encode_per_second": _rate(pipeline, new),
        "large_order_body_bytes": round(sum(map(len, plain)) / len(plain)),
        "large_order_decode_map_encode_per_second": _rate(pipeline, plain),
    }
    for name, some in (("new", new), ("large", plain)):
        floor = f"{name}_order_json_loads_per_second"
        figures[floor] = _rate(json.loads, some)
        whole = figures[f"{name}_order_decode_map_encode_per_second"]
        figures[f"{name}_order_decode_map_encode_to_json_loads"] = round(whole / figures[floor], 4)
    return figures


def _parsed(body: bytes) -> Order:
    made = order_webhook.parse_order_webhook(body)
    assert isinstance(made, Order)
    return made


def _mapping(record: Order) -> None:
    map_order(record, "uk:1", RULES, Lane.REALTIME)


def pipeline(body: bytes) -> None:
    """From the webhook's body to the record that is sent."""
    map_order(_parsed(body), "uk:1", RULES, Lane.REALTIME)


def _rate(work: Callable[[T], object], given: list[T]) -> int:
    times = AT_ONCE // len(given) + 1

    def once() -> None:
        for _ in range(times):
            for one in given:
                work(one)

    return round(times * len(given) / min(timeit.repeat(once, number=1, repeat=ROUNDS, timer=time.process_time)))


if __name__ == "__main__":
    for name, figure in run().items():
        print(f"{name:42} {figure:10,}")
