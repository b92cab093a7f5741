"""A body that asks a person to act has the shape of its topic, whoever signed it."""

import json

import pytest

from isthmus.shopify.parse.topic_shape import is_of_another_topic

BODIES = {
    "customers/redact": {"shop_id": 1, "shop_domain": "a", "customer": {"id": 2}, "orders_to_redact": [3]},
    "customers/data_request": {
        "shop_id": 1, "shop_domain": "a", "customer": {"id": 2}, "orders_requested": [3], "data_request": {"id": 4},
    },
    "shop/redact": {"shop_id": 1, "shop_domain": "a"},
    "app/uninstalled": {"id": 1, "name": "Acme", "domain": "a", "myshopify_domain": "a", "created_at": None},
    "orders/create": {"id": 1, "admin_graphql_api_id": "gid", "customer": {"id": 2}, "line_items": []},
    "customers/update": {"id": 2, "email": "a@example.com", "created_at": None, "updated_at": None},
    "products/update": {"id": 3, "admin_graphql_api_id": "gid", "variants": []},
    "refunds/create": {"id": 4, "order_id": 1, "created_at": None},
    "checkouts/create": {"token": "abc", "customer": {"id": 2}, "created_at": None},
    "app/scopes_update": {"id": 1, "shop_id": "gid", "previous": [], "current": [], "updated_at": None},
}  # fmt: skip
MATTERS = [topic for topic in BODIES if "redact" in topic or topic in ("customers/data_request", "app/uninstalled")]


@pytest.mark.parametrize("topic", MATTERS)
@pytest.mark.parametrize("sent", sorted(BODIES))
def test_a_signed_body_of_another_topic_is_told_from_its_own(topic: str, sent: str) -> None:
    assert is_of_another_topic(topic, json.dumps(BODIES[sent]).encode()) is (sent != topic)


@pytest.mark.parametrize("topic", MATTERS)
@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff"])
def test_a_body_that_says_nothing_is_of_any_topic(topic: str, body: bytes) -> None:
    assert not is_of_another_topic(topic, body)


@pytest.mark.parametrize("topic", ["customers/redact", "customers/data_request", "shop/redact"])
@pytest.mark.parametrize("body", [b'{"customer": {"id": "a"}}', b'{"shop_domain": "a"}'])
def test_a_privacy_request_of_which_a_part_is_missing_is_a_duty(topic: str, body: bytes) -> None:
    assert not is_of_another_topic(topic, body)


def test_other_topics_are_not_judged() -> None:
    assert not is_of_another_topic("orders/create", b'{"shop_id": 1}')
