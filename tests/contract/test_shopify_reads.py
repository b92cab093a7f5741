"""Our readings and checks over the simulated shop's wire: batches, pages, windows, access, subscriptions."""

import copy
import json
from datetime import timedelta

import httpx2
import pytest

from isthmus.kit.money import ZERO
from isthmus.model.failure import BlockedError, RejectedError, TransientError
from isthmus.model.reading import ABSENT, Found
from isthmus.shopify import access, documents
from isthmus.shopify.reads import Listed, Page, Reads
from isthmus.shopify.topics import SUBSCRIBED
from isthmus.shopify.webhooks import SubscriptionPlan
from shopify_wire import AT, Shops

URI = "https://hooks.example.com/hooks/shopify"


@pytest.fixture
def shops() -> Shops:
    return Shops(seed=5, customers=30, orders=60, products=12)


def reads(shops, **more):
    return Reads(shops.client(shops.stores[0], **more))


def test_many_records_take_few_calls(shops):
    store = shops.stores[0]
    reader = reads(shops)
    found = reader.customers(list(store.customers) * 2)
    assert set(found) == set(store.customers)
    assert shops.wire.n_requests == 2  # a token and one batch


def test_no_ids_take_no_call(shops):
    assert reads(shops).orders([]) == {}
    assert shops.wire.n_requests == 0


class Dear(httpx2.BaseTransport):
    """A shop that charges by the number of ids (ASSUMED of some) and refuses more than seven."""

    def __init__(self, wire):
        self.wire = wire
        self.asked = []

    def handle_request(self, request):
        ids = json.loads(request.read()).get("variables", {}).get("ids", [])
        if ids:
            self.asked.append(len(ids))
        if len(ids) <= 7:
            return self.wire.handle_request(request)
        error = {"message": "Query cost is 1002", "extensions": {"code": "MAX_COST_EXCEEDED", "cost": 1002}}
        return httpx2.Response(200, json={"errors": [error]})


def test_a_batch_that_a_shop_finds_too_expensive_is_halved(shops):
    shops.wire = dear = Dear(shops.wire)
    reader = reads(shops)
    numbers = list(shops.stores[0].orders)[:20]
    assert list(reader.orders(numbers)) == numbers
    assert dear.asked == [20, 10, 5, 5, 5, 5]
    reader.orders(numbers[:6])
    assert dear.asked[6:] == [5, 1]  # and remembered


def test_an_order_longer_than_its_page_is_read_whole(shops):
    store = shops.stores[0]
    order = next(one for one in store.orders.values() if one.refunds and one.refunds[0].lines)
    for n in range(399):
        line = copy.deepcopy(order.lines[0])
        line.id = 10_000 + n
        order.lines.append(line)
        back = copy.deepcopy(order.refunds[0].lines[0])
        back.id, back.line_id = 20_000 + n, line.id
        order.refunds[0].lines.append(back)
    found = reads(shops).orders([order.id])[order.id].record
    assert [line.id for line in found.lines] == [line.id for line in order.lines]
    assert [line.line_id for line in found.refunds[0].lines] == [line.line_id for line in order.refunds[0].lines]


def test_a_product_with_two_thousand_variants_is_read_whole(shops):
    store = shops.stores[0]
    product = next(iter(store.products.values()))
    for n in range(2000 - len(product.variants)):
        variant = copy.deepcopy(product.variants[0])
        variant.id, variant.position = 30_000 + n, 100 + n
        product.variants.append(variant)
        store.variants[variant.id] = variant
    found = reads(shops).products([product.id])[product.id].record
    assert sorted(variant.id for variant in found.variants) == sorted(variant.id for variant in product.variants)


@pytest.mark.parametrize("kind", ["order", "customer", "product"])
def test_a_window_lists_what_changed_in_it_oldest_first(shops, kind):
    store = shops.stores[0]
    records = {"order": store.orders, "customer": store.customers, "product": store.products}[kind]
    times = sorted(one.updated_at for one in records.values())
    since, until = times[len(times) // 3], times[2 * len(times) // 3]
    listed = list(reads(shops).changed(kind, since, until))
    assert {one.id for one in listed} == {n for n, one in records.items() if since <= one.updated_at < until}
    assert [one.updated_at for one in listed] == sorted(one.updated_at for one in listed)
    assert all(one == Listed(one.id, records[one.id].updated_at) for one in listed)


def test_a_window_longer_than_a_page_is_listed_whole():
    shops = Shops(seed=6, customers=700, orders=0, products=4)
    store = shops.stores[0]
    listed = list(reads(shops).changed("customer", AT - timedelta(days=3650)))
    assert len(listed) > 250
    assert {one.id for one in listed} == set(store.customers)


def test_the_first_load_is_listed_by_pages_that_can_be_resumed():
    shops = Shops(seed=6, customers=700, orders=0, products=4)
    store = shops.stores[0]
    first = reads(shops).all_ids("customer")
    assert first.cursor is not None
    assert len(first.listed) == 250
    rest, cursor = [], first.cursor
    while cursor is not None:
        page = reads(shops).all_ids("customer", cursor)  # each time somebody new, as after a crash
        rest += page.listed
        cursor = page.cursor
    assert [one.id for one in (*first.listed, *rest)] == sorted(store.customers)


def test_a_shop_without_records_has_one_empty_page():
    shops = Shops(seed=6, customers=4, orders=0, products=4)
    assert reads(shops).all_ids("order") == Page((), None)


def test_the_first_load_can_begin_at_a_day(shops):
    store = shops.stores[0]
    day = sorted(one.created_at for one in store.orders.values())[len(store.orders) // 2]
    page = reads(shops).all_ids("order", since=day)
    assert {one.id for one in page.listed} == {n for n, one in store.orders.items() if one.created_at >= day}


@pytest.mark.parametrize("kind", ["order", "customer", "product"])
def test_records_are_counted(shops, kind):
    store = shops.stores[0]
    records = {"order": store.orders, "customer": store.customers, "product": store.products}[kind]
    assert reads(shops).count(kind) == len(records)


def test_checkouts_left_behind_are_known_by_their_cart_and_never_by_their_own_token(shops):
    store = shops.stores[0]
    found = list(reads(shops).checkouts(AT - timedelta(days=3650)))
    by_url = {one.abandoned_checkout_url: one for one in store.checkouts.values()}
    assert found
    assert len({one.token for one in found}) == len(found)
    for checkout in found:
        there = by_url[checkout.url]
        assert checkout.token != there.token
        assert checkout.cart_token in (there.cart_token, None)
        assert (checkout.customer_id, checkout.updated_at) == (there.customer_id, there.updated_at)
        assert checkout.total > ZERO
        assert [line.variant_id for line in checkout.lines] == [line.variant_id for line in there.lines]


def test_the_order_of_a_return_is_found(shops):
    store = next(store for store in shops.stores if any(one.returns for one in store.orders.values()))
    order = next(one for one in store.orders.values() if one.returns)
    found = Reads(shops.client(store)).orders_of_returns([order.returns[0].id, 1])
    assert found == {order.returns[0].id: Found(order.id), 1: ABSENT}


def test_a_shop_that_throttles_is_waited_out(shops):
    shops.faults.set({"shopify.throttle": 0.5})
    assert len(reads(shops, patience=1e6).orders(list(shops.stores[0].orders))) == len(shops.stores[0].orders)


@pytest.mark.parametrize(
    ("knob", "failure", "code"),
    [
        ({"shopify.error": 1.0}, TransientError, "storefront.unavailable"),
        ({"shopify.internal_error": 1.0}, TransientError, "storefront.unavailable"),
        ({"shopify.timeout": 1.0}, TransientError, "storefront.unavailable"),
        ({"shopify.p_deep_json": 1.0}, TransientError, "storefront.unavailable"),
        ({"shopify.p_unexplained": 1.0}, TransientError, "storefront.unexplained"),
        ({"shopify.shop_status": 402}, BlockedError, "storefront.shop_closed"),
        ({"shopify.shop_status": 423}, BlockedError, "storefront.shop_closed"),
        ({"shopify.dropped_scopes": "read_orders"}, BlockedError, "storefront.access_denied"),
    ],
)
def test_a_fault_of_the_shop_has_its_name(shops, knob, failure, code):
    shops.faults.set(knob)
    with pytest.raises(failure) as raised:
        reads(shops).orders(list(shops.stores[0].orders)[:1])
    assert raised.value.code == code


def test_a_revoked_token_is_replaced(shops):
    reader = reads(shops)
    number = next(iter(shops.stores[0].orders))
    reader.orders([number])
    shops.app.revoke_tokens()
    assert isinstance(reader.orders([number])[number], Found)


def test_an_old_version_falls_forward_and_is_told(shops):
    told = []
    client = shops.client(shops.stores[0], api_version="2024-04", on_version=told.append)
    client.graphql(documents.COUNT["order"], {"query": None})
    assert told == ["2026-01"]


def expected(shops, **changes):
    store = shops.stores[0]
    return access.Expected(**{"domain": store.shop.domain, "currency": store.shop.currency, "uri": URI} | changes)


def test_a_shop_as_expected_gives_no_finding(shops):
    store = shops.stores[0]
    found = access.inspect_access(shops.client(store), expected(shops))
    assert found.findings == ()
    assert (found.domain, found.currency, found.timezone) == (
        store.shop.domain, store.shop.currency, store.shop.iana_timezone,
    )  # fmt: skip
    assert found.plan is None


@pytest.mark.parametrize(
    ("changes", "knob", "code", "is_blocking"),
    [
        ({"currency": "SEK"}, {}, "integration.currency_differs", True),
        ({"domain": "acme-fr.myshopify.com"}, {}, "storefront.moved", True),
        ({}, {"shopify.dropped_scopes": "read_returns,read_inventory"}, "storefront.scope_missing", True),
        ({}, {"shopify.dropped_scopes": "read_all_orders"}, "storefront.scope_missing", False),
        ({}, {"shopify.dropped_scopes": "write_customers"}, "storefront.scope_missing", False),
        ({"is_subscribed_by_app": False}, {}, "integration.subscriptions_differ", False),
    ],
)
def test_what_is_not_as_expected_is_found(shops, changes, knob, code, is_blocking):
    shops.faults.set(knob)
    found = access.inspect_access(shops.client(shops.stores[0]), expected(shops, **changes))
    wrong = [finding for finding in found.findings if not finding.is_accepted]
    assert [(finding.code, finding.is_blocking) for finding in wrong] == [(code, is_blocking)]


def test_a_version_that_is_no_longer_served_is_found(shops):
    found = access.inspect_access(shops.client(shops.stores[0], api_version="2024-04"), expected(shops))
    assert [finding.code for finding in found.findings] == ["storefront.api_version"]
    assert "2026-01" in found.findings[0].detail


def test_subscribing_is_done_once_and_seen_afterwards(shops):
    client = shops.client(shops.stores[0])
    wanted = expected(shops, is_subscribed_by_app=False)
    todo = access.inspect_access(client, wanted).plan
    assert todo == SubscriptionPlan(SUBSCRIBED, ())
    access.apply_subscription_plan(client, todo, URI)
    again = access.inspect_access(client, wanted)
    assert again.plan == SubscriptionPlan((), ())
    assert [finding.detail for finding in again.findings] == [access.COMPLIANCE]
    access.apply_subscription_plan(
        client, SubscriptionPlan((), tuple(one.id for one in access.list_subscriptions(client))), URI
    )
    assert access.list_subscriptions(client) == []


def test_privacy_topics_are_named_as_what_the_api_cannot_subscribe_to(shops):
    """Accepted, so that it is no case; where the app's configuration subscribes there is nothing to say."""
    found = access.inspect_access(shops.client(shops.stores[0]), expected(shops, is_subscribed_by_app=False)).findings
    assert [(one.is_blocking, one.is_accepted) for one in found if one.detail == access.COMPLIANCE] == [(False, True)]
    assert "shopify.app.toml" in access.COMPLIANCE
    assert access.inspect_access(shops.client(shops.stores[0]), expected(shops)).findings == ()


def test_an_address_that_shopify_refuses_is_said(shops):
    with pytest.raises(RejectedError, match=r"^integration\.subscription_refused: orders/create: "):
        access.apply_subscription_plan(
            shops.client(shops.stores[0]), SubscriptionPlan(("orders/create",), ()), "http://hooks.example.com"
        )


def test_subscriptions_on_top_of_the_apps_own_are_found(shops):
    client = shops.client(shops.stores[0])
    access.apply_subscription_plan(client, SubscriptionPlan(("orders/create",), ()), URI)
    found = access.inspect_access(client, expected(shops))
    assert [finding.code for finding in found.findings] == ["integration.subscriptions_differ"]
