"""What each topic does, and which record a body is about."""

import json

import pytest

from isthmus.model.failure import RejectedError
from isthmus.model.lane import Lane
from isthmus.shopify import topics
from isthmus.shopify.topics import Action, TopicKind


@pytest.mark.parametrize(
    ("topic", "body", "about"),
    [
        ("orders/create", {"id": 5}, ("order", "5")),
        ("orders/edited", {"order_edit": {"id": 1, "order_id": 5}}, ("order", "5")),
        ("refunds/create", {"id": 9, "order_id": 5}, ("order", "5")),
        ("fulfillments/update", {"id": 9, "order_id": 5}, ("order", "5")),
        ("fulfillment_events/create", {"id": 9, "fulfillment_id": 8, "order_id": 5}, ("order", "5")),
        ("returns/request", {"id": 9, "order": {"id": 5}}, ("order", "5")),
        ("returns/close", {"id": 9, "order_id": 5}, ("order", "5")),
        ("returns/update", {"admin_graphql_api_id": "gid://shopify/Return/9"}, ("return", "9")),
        ("returns/process", {}, None),
        ("customers/update", {"id": 7}, ("customer", "7")),
        ("customer.tags_added", {"customerId": "gid://shopify/Customer/7", "tags": ["a"]}, ("customer", "7")),
        ("customers/purchasing_summary", {"customerId": "gid://shopify/Customer/7"}, ("customer", "7")),
        ("customers_email_marketing_consent/update", {"customer_id": 7}, ("customer", "7")),
        ("customers_marketing_consent/update", {"id": 7}, ("customer", "7")),
        ("checkouts/update", {"token": "abc"}, ("checkout", "abc")),
        ("products/delete", {"id": 3}, ("product", "3")),
        ("variants/in_stock", {"id": 4, "product_id": 3}, ("product", "3")),
        ("inventory_levels/update", {"inventory_item_id": 6}, ("inventory_item", "6")),
        ("customers/redact", {"shop_id": 1, "customer": {"id": 7, "email": "a@example.com"}}, ("customer", "7")),
        ("shop/redact", {"shop_id": 1}, ("shop", "1")),
        ("app/scopes_update", {"id": 1, "shop_id": "gid://shopify/Shop/2"}, ("shop", "2")),
        ("app/uninstalled", {"id": 2}, ("shop", "2")),
        ("themes/publish", {"id": 2}, None),
    ],
)
def test_a_body_names_its_record(topic, body, about):
    assert topics.record_of_body(topic, json.dumps(body).encode()) == about


def test_a_merge_is_about_the_kept_and_the_lost_customer():
    body = json.dumps(
        {
            "admin_graphql_api_customer_kept_id": "gid://shopify/Customer/1",
            "admin_graphql_api_customer_deleted_id": "gid://shopify/Customer/2",
        }
    ).encode()
    assert topics.records_of_body("customers/merge", body) == (("customer", "1"), ("customer", "2"))


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"id": {}}', b"\xff\xfe", b'{"id": "gid://shopify/Order/x"}'])
def test_a_body_that_names_nothing_readable_is_refused(body):
    with pytest.raises(RejectedError, match=r"storefront\.unreadable_body"):
        topics.record_of_body("orders/create", body)


@pytest.mark.parametrize("verb", ["create", "updated", "paid", "fulfilled", "partially_fulfilled", "cancelled"])
def test_orders_come_whole_and_first_in_line(verb):
    row = topics.TOPICS[f"orders/{verb}"]
    assert (row.action, row.lane) == (Action.APPLY, Lane.REALTIME)


@pytest.mark.parametrize("topic", ["orders/delete", "customers/delete", "products/delete", "customers/merge"])
def test_nothing_is_gone_before_a_reading_says_so(topic):
    assert topics.TOPICS[topic].action is Action.READ


def test_what_is_ignored_says_why_and_is_not_subscribed():
    ignored = [row for row in topics.TOPICS.values() if row.action is Action.IGNORE]
    assert ignored
    assert all(row.why for row in ignored)
    # It changes no record, but a load that waits hears of it.
    assert [row.name for row in ignored if row.is_subscribed] == ["bulk_operations/finish"]


def test_privacy_topics_become_cases_and_are_subscribed_by_the_app_configuration_alone():
    assert topics.COMPLIANCE == ("customers/data_request", "customers/redact", "shop/redact")
    assert all(topics.TOPICS[name].action is Action.CASE for name in topics.COMPLIANCE)
    assert not set(topics.COMPLIANCE) & set(topics.SUBSCRIBED)


def test_every_row_is_there_once():
    assert len(topics.TOPICS) == len(topics._ROWS)


def test_consent_topics_are_claims():
    claims = {row.name for row in topics.TOPICS.values() if row.action is Action.CLAIM}
    assert claims == {"customers_email_marketing_consent/update", "customers_marketing_consent/update"}
    assert all(topics.TOPICS[name].kind is TopicKind.CONSENT for name in claims)


@pytest.mark.parametrize(
    ("topic", "name"),
    [("orders/create", "ORDERS_CREATE"), ("customer.tags_added", "CUSTOMER_TAGS_ADDED")],
)
def test_a_topic_has_its_graphql_spelling(topic, name):
    assert topics.topic_enum_name(topic) == name
