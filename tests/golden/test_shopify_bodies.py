"""Bodies and nodes as Shopify writes them, beside the record that both must give, down to the byte."""

import json
from pathlib import Path

import msgspec
import pytest

from isthmus.model.checkout import Checkout
from isthmus.model.customer import Customer
from isthmus.model.order import Order
from isthmus.shopify import parse
from isthmus.shopify.parse import checkout_node, customer_node, order_node, product_node

PAIRS = Path(__file__).parent / "shopify"
CASES = sorted(folder.name for folder in PAIRS.iterdir() if folder.is_dir())
NODES = {
    "order": order_node.parse_order_node,
    "customer": customer_node.parse_customer_node,
    "product": product_node.parse_product_node,
    "checkout": checkout_node.parse_checkout_node,
}
ONLY_IN_NODES = ("locale", "tags", "email_consent", "sms_consent", "n_orders", "amount_spent")


def kind_of(case: str) -> str:
    return case.partition("_")[0]


def of_node(case: str):
    return NODES[kind_of(case)](json.loads((PAIRS / case / "node.json").read_text()))


def of_webhook(case: str):
    return parse.parse_webhook(kind_of(case), (PAIRS / case / "webhook.json").read_bytes())


@pytest.mark.parametrize("case", CASES)
def test_a_node_gives_the_record(case):
    expected = (PAIRS / case / "out.json").read_bytes()
    assert msgspec.json.format(msgspec.json.encode(of_node(case)), indent=1) + b"\n" == expected


@pytest.mark.parametrize("case", CASES)
def test_a_webhook_body_gives_the_same_record_as_far_as_it_can_tell(case):
    told, read = of_webhook(case), of_node(case)
    if isinstance(read, Order):
        read = msgspec.structs.replace(read, returns=None)
    elif isinstance(read, Customer):
        read = msgspec.structs.replace(read, **dict.fromkeys(ONLY_IN_NODES), is_read=False)
    elif isinstance(read, Checkout):
        read = msgspec.structs.replace(
            read, token=told.token, is_listed=False
        )  # a reading knows the cart's token alone
    assert told == read
    assert msgspec.json.encode(told) == msgspec.json.encode(read)
