"""The read paths: docs.ometria.com/docs/contacts-endpoint, /orders-endpoint, /product-endpoint, profiles, lists."""

import pytest
from ometria_account import AT, OmetriaAccount, contact, event, line, order, product

from sims.ometria.account import StaticList


@pytest.mark.parametrize(
    "path",
    ["contacts/shopify/x", "orders/x", "products/x", "custom-events/x", "profiles/x", "lists/7", "lists/7/changes"],
)
def test_what_is_not_there_is_404_in_words(account: OmetriaAccount, path: str) -> None:
    """ "List with specified ID was not found", support.ometria.com/hc/en-gb/articles/360011619778"""
    answer = account.call("GET", f"/v2/{path}")
    assert answer.status == 404
    assert answer.json()["message"].endswith("with specified ID was not found")


def test_a_path_that_is_not_there_is_no_answer_of_the_api(account: OmetriaAccount) -> None:
    """assumed"""
    answer = account.call("GET", "/v2/nothing")
    assert (answer.status, answer.headers["Content-Type"]) == (404, "text/html")


def test_collections_are_listed_with_their_counts(account: OmetriaAccount) -> None:
    """docs.ometria.com/docs/contacts-endpoint; item as in Fivetran's schema"""
    account.settled(contact(1), contact(2), {**contact(1), "@collection": "forms"})
    assert account.get("/v2/contacts") == [{"id": "shopify", "count": 2}, {"id": "forms", "count": 1}]


def test_a_contact_comes_back_with_what_the_platform_knows(account: OmetriaAccount) -> None:
    """Fivetran's Ometria schema, contact"""
    account.settled(contact(firstname="Ada", timestamp_acquired="2026-01-01T00:00:00Z"))
    account.settled(contact(firstname="Ada", timestamp_acquired="2026-01-01T00:00:00Z"))
    stored = account.listing("uk:1")
    assert (stored["firstname"], stored["collection"], stored["object_version"], stored["source"]) == (
        "Ada",
        "shopify",
        2,
        "api",
    )
    assert stored["timestamp_acquired"] == "2026-01-01T00:00:00+00:00"
    assert stored["profile_id"] == account.profile("a1@example.com")["id"]


def test_times_come_back_as_sent_by_switch() -> None:
    """how records' own times are written on reading is not documented"""
    account = OmetriaAccount(timestamps_out="as_sent")
    account.settled(order())
    assert account.get("/v2/orders/uk:1")["timestamp"] == "2026-11-01T10:00:00Z"


def test_pages_are_ten_by_default_and_250_at_most(account: OmetriaAccount) -> None:
    """docs.ometria.com/docs/ometria-data-api-introduction; cutting instead of refusing is assumed"""
    for start in (0, 100, 200):
        account.settled(*[order(n) for n in range(start, start + 100)])
    assert len(account.get("/v2/orders")) == 10
    assert len(account.get("/v2/orders?limit=999")) == 250
    assert [one["id"] for one in account.get("/v2/orders?limit=2&offset=298")] == ["uk:298", "uk:299"]


@pytest.mark.parametrize("query", ["limit=x", "limit=0", "offset=-1", "updateSince=soon"])
def test_a_query_that_makes_no_sense_is_400(account: OmetriaAccount, query: str) -> None:
    """assumed"""
    assert account.call("GET", f"/v2/profiles/?{query}").status == 400


@pytest.mark.parametrize("path", ["/v2/contacts/shopify", "/v2/profiles/"])
def test_what_changed_since_comes_by_id_or_by_change(account: OmetriaAccount, path: str) -> None:
    """docs.ometria.com/docs/ometria-data-api-introduction (sorting), support…/360011514197 (updateSince)"""
    for number in (1, 2, 3):
        account.settled(contact(number))
    since = account.clock.now().strftime("%Y-%m-%dT%H:%M:%S")
    account.settled(contact(2))
    account.settled(contact(1))
    asked = f"{path}?updateSince={since}"
    assert [one["customer_id"] for one in account.get(asked)] == ["uk:1", "uk:2"]
    assert [one["customer_id"] for one in account.get(f"{asked}&orderby=timestamp_update")] == ["uk:2", "uk:1"]


def test_products_are_filtered_by_activity_and_variants_are_hidden(account: OmetriaAccount) -> None:
    """support.ometria.com/hc/en-gb/articles/360011508117"""
    account.settled(
        product(1, is_active=True), product(2, is_active=False), product(3, is_active=True, is_variant=True)
    )
    assert [one["id"] for one in account.get("/v2/products")] == ["uk:1", "uk:2"]
    assert [one["id"] for one in account.get("/v2/products?active=false")] == ["uk:2"]
    assert [one["id"] for one in account.get("/v2/products?active=true&includeVariants=true")] == ["uk:1", "uk:3"]


def test_an_order_comes_back_with_its_counted_units_and_refunds(account: OmetriaAccount) -> None:
    """Fivetran's Ometria schema, orders"""
    account.settled(order(lineitems=[line(quantity=2, quantity_refunded=1, refunded=25.5), line()]))
    stored = account.get("/v2/orders/uk:1")
    assert (stored["total_unit_quantity"], stored["total_unit_quantity_refunded"], stored["total_refunded"]) == (
        3,
        1,
        25.5,
    )


def test_profiles_by_email_are_a_list_or_by_switch_one_object() -> None:
    """support.ometria.com/hc/en-gb/articles/360011514197 says an object, live code reads the first of a list"""
    account = OmetriaAccount()
    account.settled(contact())
    assert [one["email"] for one in account.get("/v2/profiles?email=A1@example.com")] == ["a1@example.com"]
    assert account.get("/v2/profiles?email=nobody@example.com") == []
    account.platform.turn({"profiles_email": "object"})
    assert account.get("/v2/profiles?email=a1@example.com")["customer_id"] == "uk:1"
    account.clock.advance(1)
    assert account.call("GET", "/v2/profiles?email=nobody@example.com").status == 404


def test_a_profile_counts_valid_orders_apart_from_attempted_ones(account: OmetriaAccount) -> None:
    """support.ometria.com/hc/en-gb/articles/360011514197 (stats); that `orders` are the valid ones is inferred"""
    named = {"id": "uk:1", "email": "a1@example.com"}
    refunded = line(quantity_refunded=1, refunded=10.0)
    account.settled(contact(firstname="Ada", lastname="Byron"))
    account.settled(
        order(1, customer=named),
        order(2, customer=named, lineitems=[refunded]),
        order(3, customer=named, status="cancelled", is_valid=False),
    )
    profile = account.profile("a1@example.com")
    assert profile["name"] == "Ada Byron"
    assert (profile["stats"]["orders"], profile["stats"]["orders_attempted"]) == (2, 3)
    assert (profile["stats"]["revenue"], profile["stats"]["aov"]) == (90.0, 45.0)
    account.platform.turn({"refunds_deducted": False})
    assert account.profile("a1@example.com")["stats"]["revenue"] == 100.0


def test_events_are_listed_with_the_profile_they_belong_to(account: OmetriaAccount) -> None:
    """Fivetran's Ometria schema, custom_event"""
    account.settled(contact())
    account.settled(event())
    (listed,) = account.get("/v2/custom-events/")
    assert listed["profile_id"] == account.profile("a1@example.com")["id"]


def test_lists_are_joined_and_left_by_listings(account: OmetriaAccount) -> None:
    """support.ometria.com/hc/en-gb/articles/360011619778; @add_to_lists as in a retailer's client"""
    account.platform.account.lists[5] = StaticList(5, "VIP", AT)
    account.settled(contact(**{"@add_to_lists": [5]}))
    assert [(one["id"], one["size"]) for one in account.get("/v2/lists")] == [(5, 1)]
    account.settled(contact(**{"@remove_from_lists": [5]}))
    assert account.get("/v2/lists/5")["size"] == 0
    assert [one["event"] for one in account.get("/v2/lists/5/changes")] == ["list_enter", "list_exit"]
