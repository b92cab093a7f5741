"""Shopify's published sample bodies, read by our parsers."""

import json
from decimal import Decimal

import pytest
from sources import need

from isthmus.model.order import Order
from isthmus.shopify import parse


def sample(topic: str) -> bytes:
    return json.dumps(json.loads((need("webhook-samples-2026-07") / f"{topic}.json").read_text())["response"]).encode()


@pytest.mark.parametrize("verb", ["create", "updated", "paid", "fulfilled", "partially_fulfilled", "cancelled"])
def test_an_order_body_is_read_whole(verb):
    order = parse.parse_webhook("order", sample(f"orders/{verb}"))
    assert isinstance(order, Order)
    assert order.lines
    assert order.total.shop > Decimal(0)
    assert order.shipping_method == "Generic Shipping"


@pytest.mark.parametrize("verb", ["create", "update", "enable", "disable"])
def test_a_customer_body_is_read(verb):
    assert parse.parse_webhook("customer", sample(f"customers/{verb}")).email == "bob@biller.com"


@pytest.mark.parametrize("verb", ["create", "update"])
def test_a_product_body_is_read(verb):
    assert parse.parse_webhook("product", sample(f"products/{verb}")).title == "Example T-Shirt"


@pytest.mark.parametrize("verb", ["create", "update"])
def test_a_checkout_body_is_read(verb):
    checkout = parse.parse_webhook("checkout", sample(f"checkouts/{verb}"))
    assert checkout.total > 0
    assert checkout.lines


@pytest.mark.parametrize("topic", ["customers_email_marketing_consent/update", "customers_marketing_consent/update"])
def test_a_consent_body_is_read(topic):
    told = parse.parse_claim(topic, sample(topic))
    assert isinstance(told, parse.NeedsFetch) or told.customer_id


def test_a_refund_body_names_its_own_number():
    assert parse.own_id(sample("refunds/create"))
