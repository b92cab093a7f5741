"""What is wrong with a shop's webhook subscriptions, in numbers, and what must go before what is made again."""

from isthmus.shopify import webhooks
from isthmus.shopify.webhooks import Subscription, SubscriptionPlan

URI = "https://isthmus.example.com/hooks/shopify"
TOPICS = ("orders/create", "orders/updated", "orders/paid", "shop/update")


def test_each_sort_of_wrong_subscription_is_counted() -> None:
    listed = [
        Subscription("1", "ORDERS_CREATE", URI, api_version="2026-07"),
        Subscription("2", "ORDERS_CREATE", URI),
        Subscription("3", "ORDERS_UPDATED", URI, include_fields=("id",)),
        Subscription("4", "ORDERS_PAID", "https://old.example.com/hooks/shopify", api_version="2020-01"),
        Subscription("5", "THEMES_PUBLISH", URI),
    ]
    found = webhooks.audit_subscriptions(listed, URI, TOPICS, "2026-10")
    assert found.missing == ("orders/paid", "shop/update")
    assert found.elsewhere == ("orders/paid",)
    assert found.trimmed == ("orders/updated",)
    assert (found.doubled, found.foreign, found.versions) == (1, 1, ("2026-07",))
    assert found.plan == SubscriptionPlan(("orders/updated", "orders/paid", "shop/update"), ("2", "3", "5"), ("3",))
    assert found.detail == (
        "2 missing (orders/paid, shop/update), 1 of them lead to another address, 1 filtered or cut (orders/updated),"
        " 1 doubled, 1 of topics nobody asked for"
    )


def test_what_is_as_it_should_be_needs_no_words() -> None:
    listed = [Subscription(topic, webhooks.topic_enum_name(topic), URI, api_version="2026-10") for topic in TOPICS]
    found = webhooks.audit_subscriptions(listed, URI, TOPICS, "2026-10")
    assert found.plan.is_done
    assert (found.detail, found.versions) == ("", ())


def test_only_what_shopify_would_call_taken_goes_first() -> None:
    """An address is taken once for a topic and format: one in XML stands in nobody's way."""
    listed = [
        Subscription("1", "ORDERS_CREATE", URI, format="XML"),
        Subscription("2", "ORDERS_PAID", URI, filter="total_price:>10"),
        Subscription("3", "ORDERS_UPDATED", URI),
        Subscription("4", "ORDERS_UPDATED", URI, filter="test:true"),
    ]
    found = webhooks.plan_subscriptions(listed, URI, ("orders/create", "orders/paid", "orders/updated"))
    assert found == SubscriptionPlan(("orders/create", "orders/paid"), ("1", "2", "4"), ("2",))
    assert not found.is_done
