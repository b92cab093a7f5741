"""Tokens, scopes, versions and shut shops of the simulated Shopify."""

from urllib.parse import urlencode

import pytest

from admin_api import Admin
from sims.wire import TIMEOUT_STATUS

SHOP = "query { shop { name } }"


@pytest.fixture
def admin() -> Admin:
    return Admin.open(4, 4, 2)


def credentials(admin: Admin, **changes: str) -> dict[str, str]:
    shop = admin.store.shop
    told = {"client_id": shop.client_id, "client_secret": shop.client_secret, "grant_type": "client_credentials"}
    return {**told, **changes}


def test_client_credentials_buy_a_token_for_a_day(admin: Admin) -> None:
    told = admin.send("POST", "/admin/oauth/access_token", credentials(admin)).json()
    assert told["expires_in"] == 86399
    assert "read_orders" in told["scope"].split(",")
    admin.token = told["access_token"]
    assert admin.token.startswith("shpat_")
    assert admin.data(SHOP)["shop"]["name"]
    admin.clock.advance(86_398)
    assert admin.post(SHOP).status == 200
    admin.clock.advance(2)
    assert admin.post(SHOP).status == 401


def test_a_form_buys_a_token_too(admin: Admin) -> None:
    body = urlencode(credentials(admin)).encode()
    headers = {"content_type": "application/x-www-form-urlencoded"}
    assert admin.send("POST", "/admin/oauth/access_token", body, **headers).status == 200


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "wrong"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_wrong_credentials_are_refused_by_name(admin: Admin, changes: dict[str, str], error: str) -> None:
    response = admin.send("POST", "/admin/oauth/access_token", credentials(admin, **changes))
    assert response.status == 400
    assert response.json()["error"] == error


def test_an_unknown_token_is_told_as_captured(admin: Admin) -> None:
    response = admin.post(SHOP, x_shopify_access_token="shpat_no")
    assert response.status == 401
    assert response.json() == {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}


def test_a_token_opens_only_its_own_shop(admin: Admin) -> None:
    admin.token = admin.shopify.static_token("int")
    assert admin.post(SHOP).status == 401


def test_revoked_tokens_open_nothing(admin: Admin) -> None:
    assert admin.shopify.revoke_tokens("uk") == 1
    assert admin.post(SHOP).status == 401


def test_scopes_are_listed_with_what_writing_implies(admin: Admin) -> None:
    told = admin.send("GET", "/admin/oauth/access_scopes.json", x_shopify_access_token=admin.token).json()
    handles = {each["handle"] for each in told["access_scopes"]}
    assert {"write_customers", "read_customers", "read_orders"} <= handles
    installed = admin.data("{ currentAppInstallation { accessScopes { handle } } }")["currentAppInstallation"]
    assert {each["handle"] for each in installed["accessScopes"]} == handles


def test_a_lost_scope_denies_its_fields_and_no_others(admin: Admin) -> None:
    admin.turn(dropped_scopes="read_customers")
    order = next(each for each in admin.store.orders.values() if each.customer_id)
    told = admin.ask(
        "query Q($id: ID!) { order(id: $id) { name customer { id } } }", {"id": f"gid://shopify/Order/{order.id}"}
    )
    assert told["data"] == {"order": {"name": order.name, "customer": None}}
    assert told["errors"] == [
        {
            "message": "Access denied for customer field. Required access: `read_customers` access scope.",
            "locations": [{"line": 1, "column": 43}],
            "extensions": {
                "code": "ACCESS_DENIED",
                "documentation": "https://shopify.dev/api/usage/access-scopes",
                "requiredAccess": "`read_customers` access scope.",
            },
            "path": ["order", "customer"],
        }
    ]


def test_a_denied_field_that_cannot_be_null_takes_the_answer_with_it(admin: Admin) -> None:
    admin.turn(dropped_scopes="read_products")
    told = admin.ask("{ products(first: 1) { nodes { id } } }")
    assert told["data"] is None
    assert told["errors"][0]["path"] == ["products"]


def test_of_many_nodes_only_the_denied_ones_are_null(admin: Admin) -> None:
    admin.turn(dropped_scopes="read_customers")
    order, customer = next(iter(admin.store.orders)), next(iter(admin.store.customers))
    ids = [f"gid://shopify/Order/{order}", f"gid://shopify/Customer/{customer}"]
    told = admin.ask("query Q($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ids})
    assert told["data"]["nodes"] == [{"id": ids[0]}, None]
    assert told["errors"][0]["path"] == ["nodes", 1]


def test_without_all_orders_only_two_months_are_seen(admin: Admin) -> None:
    admin = Admin.open()
    every = admin.data("{ ordersCount { count } }")["ordersCount"]["count"]
    admin.turn(dropped_scopes="read_all_orders")
    assert 0 < admin.data("{ ordersCount { count } }")["ordersCount"]["count"] < every


@pytest.mark.parametrize(
    ("asked", "served"),
    [("2026-10", "2026-10"), ("2026-04", "2026-04"), ("2025-07", "2026-01"), ("nonsense", "2026-01")],
)
def test_an_unsupported_version_falls_forward_to_the_oldest(admin: Admin, asked: str, served: str) -> None:
    response = admin.post(SHOP, version=asked)
    assert response.status == 200
    assert response.headers["X-Shopify-API-Version"] == served


@pytest.mark.parametrize("status", [402, 404, 423])
def test_a_shut_shop_answers_everything_alike(admin: Admin, status: int) -> None:
    admin.turn(shop_status=status)
    assert admin.post(SHOP).status == status
    assert admin.send("POST", "/admin/oauth/access_token", credentials(admin)).status == status
    assert admin.shopify.faults.injected["shopify.shop_status"] == 2


def test_a_store_is_found_by_prefix_host_or_as_the_first(admin: Admin) -> None:
    domain = "acme-int.myshopify.com"
    token = admin.shopify.static_token("int")
    body = {"query": "{ shop { myshopifyDomain } }"}
    path = "/admin/api/2026-10/graphql.json"
    by_prefix = admin.send("POST", f"/{domain}{path}", body, x_shopify_access_token=token)
    by_host = admin.send("POST", path, body, x_shopify_access_token=token, host=f"{domain}:80")
    first = admin.send("POST", path, body, x_shopify_access_token=admin.token)
    told = [each.json()["data"]["shop"]["myshopifyDomain"] for each in (by_prefix, by_host, first)]
    assert told == [domain, domain, "acme-uk.myshopify.com"]
    assert admin.send("POST", f"/nobody.myshopify.com{path}", body, x_shopify_access_token=token).status == 404


def test_faults_of_the_transport_strike_as_told(admin: Admin) -> None:
    admin.turn(error=1.0)
    assert admin.post(SHOP).status == 502
    admin.turn(error=0.0, timeout_after=1.0)
    assert admin.post(SHOP).status == TIMEOUT_STATUS
    admin.turn(timeout_after=0.0, internal_error=1.0)
    assert admin.ask(SHOP)["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"


def test_a_write_that_times_out_afterwards_was_done(admin: Admin) -> None:
    admin.turn(timeout_after=1.0)
    wish = {"uri": "https://example.com/hook"}
    admin.post(
        "mutation M($w: WebhookSubscriptionInput!) { webhookSubscriptionCreate(topic: ORDERS_CREATE, "
        "webhookSubscription: $w) { webhookSubscription { id } } }",
        {"w": wish},
    )
    assert [each.uri for each in admin.store.subscriptions.values()] == [wish["uri"]]


def test_the_tape_keeps_calls_but_no_secret(admin: Admin) -> None:
    admin.send("POST", "/admin/oauth/access_token", credentials(admin))
    admin.ask("query Named { shop { name } }")
    bought, asked = admin.shopify.tape.read()
    assert bought["body"] is None
    assert asked["summary"] == {"operation": "Named", "cost": 1, "errors": 0}
    assert asked["account"] == "acme-uk.myshopify.com"
