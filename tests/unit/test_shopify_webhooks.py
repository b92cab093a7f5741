"""Whose delivery it is, and which subscriptions should be there."""

import base64
from datetime import UTC, datetime

import pytest

from isthmus.shopify import webhooks
from isthmus.shopify.webhooks import Subscription

BODY = b'{"id": 1, "note": "\xc3\xa9"}'
URI = "https://hooks.example.com/hooks/shopify"


def signed(secret: str, body: bytes = BODY) -> str:
    return base64.b64encode(webhooks.sign_body(body, secret)).decode()


def test_the_signature_of_the_present_secret_is_found_first():
    assert webhooks.verify_signature(BODY, signed("new"), ["new", "old"]) == 0


def test_the_signature_of_an_older_secret_tells_which_one():
    assert webhooks.verify_signature(BODY, signed("old"), ["new", "old"]) == 1


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "not base64!",
        "AAAA",
        "Zm9v" * 11,
        "é",
        webhooks.sign_body(BODY, "new").hex(),
        " " + base64.b64encode(webhooks.sign_body(BODY, "new")).decode(),
        base64.b64encode(webhooks.sign_body(BODY, "new")).decode() + "\n",
        base64.b64encode(webhooks.sign_body(BODY, "new")).decode().rstrip("="),
        base64.b64encode(webhooks.sign_body(BODY, "stranger")).decode(),
    ],
)
def test_any_other_signature_is_refused(signature):
    assert webhooks.verify_signature(BODY, signature, ["new", "old"]) is None


def test_a_changed_body_is_refused():
    assert webhooks.verify_signature(BODY + b" ", signed("new"), ["new"]) is None


def test_an_empty_secret_signs_nothing():
    assert webhooks.verify_signature(BODY, signed(""), [""]) is None


def test_stray_bits_behind_an_honest_signature_are_refused():
    honest = signed("new")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = alphabet.index(honest[-2])
    assert webhooks.verify_signature(BODY, honest[:-2] + alphabet[last ^ 1] + "=", ["new"]) is None


@pytest.mark.parametrize("prefix", ["x-shopify-", "shopify-"])
def test_both_header_families_are_read(prefix):
    delivery = webhooks.read_delivery_headers(
        {
            prefix + "topic": "orders/create",
            prefix + "shop-domain": "Acme-UK.myshopify.com",
            prefix + "hmac-sha256": "c2ln",
            prefix + "webhook-id": "w-1",
            prefix + "event-id": "e-1",
            prefix + "api-version": "2026-10",
            prefix + "triggered-at": "2026-11-23T10:00:00.5Z",
        }
    )
    assert delivery == webhooks.DeliveryHeaders(
        topic="orders/create",
        shop="acme-uk.myshopify.com",
        signature="c2ln",
        webhook_id="w-1",
        event_id="e-1",
        api_version="2026-10",
        triggered_at=datetime(2026, 11, 23, 10, 0, 0, 500000, tzinfo=UTC),
    )


@pytest.mark.parametrize("when", ["yesterday", "2026-11-23T10:00:00", ""])
def test_a_time_that_cannot_be_trusted_is_left_out(when):
    assert webhooks.read_delivery_headers({"x-shopify-triggered-at": when}).triggered_at is None


def test_a_delivery_without_headers_names_nothing():
    assert webhooks.read_delivery_headers({}) == webhooks.DeliveryHeaders(
        topic="", shop="", signature="", webhook_id=None
    )


def test_a_plan_creates_what_is_missing_and_replaces_what_hides_something():
    listed = [
        Subscription("1", "ORDERS_CREATE", URI),
        Subscription("2", "ORDERS_CREATE", URI),
        Subscription("3", "ORDERS_UPDATED", URI, include_fields=("id",)),
        Subscription("4", "ORDERS_PAID", URI, filter="total_price:>10"),
        Subscription("5", "THEMES_PUBLISH", URI),
        Subscription("6", "ORDERS_UPDATED", "https://somebody.example.org/hook"),
    ]
    plan = webhooks.plan_subscriptions(
        listed, URI, ["orders/create", "orders/updated", "orders/paid", "customer.tags_added"]
    )
    assert plan.create == ("orders/updated", "orders/paid", "customer.tags_added")
    assert plan.delete == ("2", "3", "4", "5")


def test_a_plan_carried_out_leaves_nothing_to_do():
    listed = [Subscription(str(n), name, URI) for n, name in enumerate(["ORDERS_CREATE", "SHOP_UPDATE"])]
    assert webhooks.plan_subscriptions(listed, URI, ["orders/create", "shop/update"]) == webhooks.SubscriptionPlan(
        (), ()
    )
