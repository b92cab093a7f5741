"""The webhook subscription API and the consent writes of the simulated shop, beyond what was captured."""

from datetime import timedelta
from typing import Any

import pytest

from admin_api import AT, Admin
from sims.shopify.deeds import app

CREATE = """mutation C($topic: WebhookSubscriptionTopic!, $wish: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $wish) {
    webhookSubscription { id topic uri apiVersion { handle } } userErrors { field message } } }"""
CONSENT = """mutation E($input: CustomerEmailMarketingConsentUpdateInput!) {
  customerEmailMarketingConsentUpdate(input: $input) {
    customer { id defaultEmailAddress { marketingState marketingUpdatedAt } } userErrors { field code message } } }"""
LIST = "query L($topics: [WebhookSubscriptionTopic!]) { webhookSubscriptions(first: 50, topics: $topics) { nodes { id topic uri } } }"  # noqa: E501


@pytest.fixture
def admin() -> Admin:
    return Admin.open(10, 4, 2)


def create(admin: Admin, topic: str, **wish: Any) -> dict[str, Any]:
    told: dict[str, Any] = admin.data(CREATE, {"topic": topic, "wish": wish})["webhookSubscriptionCreate"]
    return told


def messages(told: dict[str, Any]) -> list[str]:
    return [each["message"] for each in told["userErrors"]]


def test_a_subscription_is_kept_by_its_slash_topic_and_listed(admin: Admin) -> None:
    made = create(admin, "CUSTOMER_TAGS_ADDED", uri="https://example.com/hook")["webhookSubscription"]
    assert made["apiVersion"] == {"handle": "2026-10"}
    assert [each.topic for each in admin.store.subscriptions.values()] == ["customer.tags_added"]
    assert admin.data(LIST)["webhookSubscriptions"]["nodes"] == [
        {"id": made["id"], "topic": "CUSTOMER_TAGS_ADDED", "uri": "https://example.com/hook"}
    ]
    assert admin.data(LIST, {"topics": ["ORDERS_CREATE"]})["webhookSubscriptions"]["nodes"] == []


def test_the_apps_own_subscriptions_cannot_be_seen_or_deleted(admin: Admin) -> None:
    world = admin.shopify.world
    app.deploy(world, admin.store, "https://example.com/own", ["orders/create"], world.now())
    number = next(iter(admin.store.subscriptions))
    assert admin.data(LIST)["webhookSubscriptions"]["nodes"] == []
    told = admin.data(
        "mutation D($id: ID!) { webhookSubscriptionDelete(id: $id) { userErrors { message } } }",
        {"id": f"gid://shopify/WebhookSubscription/{number}"},
    )["webhookSubscriptionDelete"]
    assert messages(told) == ["Webhook subscription does not exist"]
    assert number in admin.store.subscriptions


def test_http_on_the_loopback_is_taken_only_when_the_knob_says_so(admin: Admin) -> None:
    told = create(admin, "ORDERS_CREATE", uri="http://127.0.0.1:8080/hooks/shopify")
    assert messages(told) == ["Address protocol http:// is not supported"]
    admin.turn(insecure_callbacks=True)
    assert messages(create(admin, "ORDERS_CREATE", uri="http://127.0.0.1:8080/hooks/shopify")) == []
    told = create(admin, "ORDERS_CREATE", uri="http://example.com/hooks/shopify")
    assert messages(told) == ["Address protocol http:// is not supported"]


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("https://acme.myshopify.com/x", "Address cannot be a Shopify or an internal domain"),
        ("https://10.0.0.7/x", "Address cannot be a Shopify or an internal domain"),
        ("example.com/x", "Address is invalid"),
        ("", "Address can't be blank"),
    ],
)
def test_a_bad_address_is_named(admin: Admin, uri: str, message: str) -> None:
    assert messages(create(admin, "ORDERS_CREATE", uri=uri)) == [message]


def test_a_topic_needs_its_scope(admin: Admin) -> None:
    admin.turn(dropped_scopes="read_returns")
    assert messages(create(admin, "RETURNS_REQUEST", uri="https://example.com/x")) != []
    assert messages(create(admin, "ORDERS_CREATE", uri="https://example.com/x")) == []


def test_consent_that_is_written_fires_its_topic(admin: Admin) -> None:
    one = next(
        each for each in admin.store.customers.values() if each.email and each.email_consent.state != "SUBSCRIBED"
    )
    told = write(admin, one.id, "SUBSCRIBED", AT - timedelta(minutes=1))
    assert told["customer"]["defaultEmailAddress"] == {
        "marketingState": "SUBSCRIBED",
        "marketingUpdatedAt": "2026-11-23T09:59:00Z",
    }
    assert [each.topic for each in admin.events] == ["customers_email_marketing_consent/update", "customers/update"]


def test_consent_that_says_nothing_new_moves_nothing(admin: Admin) -> None:
    one = next(each for each in admin.store.customers.values() if each.email)
    write(admin, one.id, "UNSUBSCRIBED", AT - timedelta(hours=2))
    admin.events.clear()
    told = write(admin, one.id, "UNSUBSCRIBED", AT - timedelta(hours=1))
    assert told["customer"]["defaultEmailAddress"]["marketingUpdatedAt"] == "2026-11-23T08:00:00Z"
    assert admin.events == []


def test_older_consent_changes_nothing(admin: Admin) -> None:
    one = next(each for each in admin.store.customers.values() if each.email)
    write(admin, one.id, "UNSUBSCRIBED", AT - timedelta(hours=1))
    told = write(admin, one.id, "SUBSCRIBED", AT - timedelta(hours=2))
    assert told["userErrors"] == []
    assert told["customer"]["defaultEmailAddress"]["marketingState"] == "UNSUBSCRIBED"


def test_consent_of_an_unknown_customer_is_refused(admin: Admin) -> None:
    told = write(admin, 1, "SUBSCRIBED", AT)
    assert told["customer"] is None
    assert told["userErrors"] == [
        {"field": ["input", "customerId"], "code": "INVALID", "message": "Customer not found"}
    ]


def write(admin: Admin, number: int, state: str, at: Any) -> dict[str, Any]:
    consent = {"marketingState": state, "marketingOptInLevel": "SINGLE_OPT_IN", "consentUpdatedAt": at.isoformat()}
    wish = {"customerId": f"gid://shopify/Customer/{number}", "emailMarketingConsent": consent}
    told: dict[str, Any] = admin.data(CONSENT, {"input": wish})["customerEmailMarketingConsentUpdate"]
    return told
