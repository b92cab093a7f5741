"""How fast the simulated shop answers a reading of fifty orders, beside `json.loads` of the answer.

The simulated shop must not be what limits the other benchmarks.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median

import pytest

from sims.clock import SimClock
from sims.faults import Faults
from sims.shopify import world
from sims.shopify.app import Shopify
from sims.shopify.throttle import Bucket
from sims.tape import Tape
from sims.wire import Request

ORDERS = 50
ROUNDS = 15
QUERY = """query Peak($ids: [ID!]!) { nodes(ids: $ids) { ... on Order {
  id name updatedAt totalPriceSet { shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }
  currentTotalPriceSet { shopMoney { amount } } customer { id defaultEmailAddress { emailAddress } }
  lineItems(first: 50) { nodes { id quantity currentQuantity originalUnitPriceSet { shopMoney { amount } }
    discountAllocations { allocatedAmountSet { shopMoney { amount } } } product { id } variant { id } } }
  refunds(first: 50) { id refundLineItems(first: 50) { nodes { quantity subtotalSet { shopMoney { amount } } } } }
  fulfillments(first: 50) { id displayStatus trackingInfo(first: 5) { number } } } } }"""


def run() -> dict[str, float]:
    """Median milliseconds of one reading, and how many times `json.loads` of its answer that is."""
    clock = SimClock(datetime(2026, 11, 23, 10, tzinfo=UTC), 0)
    shopify = Shopify(world.build(1, 60, 120, 20, clock), clock, Faults(1), Tape())
    store = next(iter(shopify.world.stores.values()))
    ids = [f"gid://shopify/Order/{number}" for number in list(store.orders)[:ORDERS]]
    body = json.dumps({"query": QUERY, "variables": {"ids": ids}}).encode()
    headers = {"content-type": "application/json", "x-shopify-access-token": shopify.static_token("uk")}
    request = Request("POST", "/admin/api/2026-10/graphql.json", {}, headers, body)
    with pytest.MonkeyPatch.context() as patch:
        # One query of this size is refused as too expensive, and a bucket is empty after a few.
        patch.setattr("sims.shopify.answer.SINGLE_QUERY_MAX", 10**9)
        patch.setattr(Bucket, "take", lambda *_: True)
        answer = shopify.handle(request)
        assert len(answer.json()["data"]["nodes"]) == ORDERS
        took = median(_milliseconds(lambda: shopify.handle(request)) for _ in range(ROUNDS))
        floor = median(_milliseconds(lambda: json.loads(answer.body)) for _ in range(ROUNDS))
    return {"fifty_orders_ms": round(took, 1), "times_json_loads": round(took / floor, 1)}


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000
