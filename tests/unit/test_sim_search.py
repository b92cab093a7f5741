"""Searching the simulated shop: terms, ranges, warnings, what trails behind, and pages."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin_api import AT, Admin
from sims.shopify import search
from sims.shopify.filters import ORDERS
from sims.shopify.pages import whole, window


@pytest.fixture(scope="module")
def admin() -> Admin:
    return Admin.open()


def names(admin: Admin, query: str) -> set[str]:
    admin.clock.advance(10)
    told = admin.data("query Q($q: String) { orders(first: 250, query: $q) { nodes { name } } }", {"q": query})
    return {each["name"] for each in told["orders"]["nodes"]}


def wanted(admin: Admin, test: Any) -> set[str]:
    return {each.name for each in admin.store.orders.values() if test(each)}


@pytest.mark.parametrize(
    ("query", "test"),
    [
        ("", lambda _: True),
        ("financial_status:paid", lambda x: x.financial_status == "PAID"),
        ("financial_status:paid,pending", lambda x: x.financial_status in ("PAID", "PENDING")),
        ("financial_status:paid OR financial_status:pending", lambda x: x.financial_status in ("PAID", "PENDING")),
        ("NOT financial_status:paid", lambda x: x.financial_status != "PAID"),
        ("-financial_status:paid test:false", lambda x: x.financial_status != "PAID" and not x.test),
        ("(status:cancelled OR test:true) AND currency:GBP", lambda x: bool(x.cancelled_at) or x.test),
        ("created_at:>=2026-06-01", lambda x: x.created_at >= datetime(2026, 6, 1, tzinfo=UTC)),
        ("created_at:>'2026-06-01T00:00:00Z'", lambda x: x.created_at > datetime(2026, 6, 1, tzinfo=UTC)),
        (
            "created_at:>=2026-06-01 created_at:<2026-09-01",
            lambda x: datetime(2026, 6, 1, tzinfo=UTC) <= x.created_at < datetime(2026, 9, 1, tzinfo=UTC),
        ),
        ("current_total_price:>100", lambda x: x.current_total > 100),
        ("name:1001", lambda x: x.name == "#1001"),
        ("tag:nothing", lambda _: False),
    ],
)
def test_terms_find_what_they_say(admin: Admin, query: str, test: Any) -> None:
    if "current_total" in query:
        read = ORDERS["current_total_price"].read
        assert names(admin, query) == wanted(admin, lambda x: read(x) > 100)
    else:
        assert names(admin, query) == wanted(admin, test)


def test_an_unknown_field_finds_everything_and_warns(admin: Admin) -> None:
    told = admin.ask('{ orders(first: 5, query: "nonsense:1") { nodes { id } } }')
    assert len(told["data"]["orders"]["nodes"]) == 5
    assert told["extensions"]["search"] == [
        {
            "path": ["orders"],
            "query": "nonsense:1",
            "parsed": {"field": "nonsense", "match_all": "1"},
            "warnings": [
                {"field": "nonsense", "message": "Invalid search field for this query.", "code": "invalid_field"}
            ],
        }
    ]


def test_a_value_that_is_not_accepted_finds_nothing_and_warns(admin: Admin) -> None:
    told = admin.ask('{ mine: orders(first: 5, query: "status:sideways") { nodes { id } } }')
    assert told["data"]["mine"]["nodes"] == []
    warned = told["extensions"]["search"][0]
    assert warned["path"] == ["mine"]
    assert warned["warnings"][0]["message"] == "Input `sideways` is not an accepted value."


def test_counting_customers_ignores_email_with_a_warning(admin: Admin) -> None:
    told = admin.ask('{ customersCount(query: "email:nobody@example.com") { count precision } }')
    assert told["data"]["customersCount"] == {"count": len(admin.store.customers), "precision": "EXACT"}
    assert told["extensions"]["search"][0]["warnings"][0]["code"] == "invalid_field"


def test_a_search_without_warnings_is_told_only_when_asked(admin: Admin) -> None:
    query = '{ orders(first: 1, query: "status:open") { nodes { id } } }'
    assert "search" not in admin.ask(query)["extensions"]
    told = admin.ask(query, shopify_search_query_debug="1")["extensions"]["search"]
    assert told == [{"path": ["orders"], "query": "status:open", "parsed": {"field": "status", "match_all": "open"}}]


def test_a_date_that_is_none_is_an_error(admin: Admin) -> None:
    told = admin.ask('{ orders(first: 1, query: "created_at:not-a-date") { nodes { id } } }')
    assert told["data"] is None
    assert told["errors"][0]["message"] == "Invalid timestamp for query filter `created_at`."
    assert told["errors"][0]["extensions"] == {"code": "BAD_REQUEST"}


def test_an_email_is_found_whole_or_by_its_parts(admin: Admin) -> None:
    one = next(each for each in admin.store.customers.values() if each.email)
    query = "query Q($q: String) { customers(first: 50, query: $q) { nodes { id } } }"
    exact = admin.data(query, {"q": f'email:"{one.email}"'})["customers"]["nodes"]
    parts = admin.data(query, {"q": "email:example.com"})["customers"]["nodes"]
    assert exact == [{"id": f"gid://shopify/Customer/{one.id}"}]
    assert len(parts) > 1


def test_search_trails_behind_by_as_much_as_told() -> None:
    admin = Admin.open(10, 4, 2)
    admin.turn(search_lag=60.0)
    one = next(each for each in admin.store.customers.values() if each.email)
    one.created_at = one.updated_at = AT - timedelta(seconds=30)
    admin.store.version += 1
    query = "query Q($q: String, $id: ID!) { customers(first: 9, query: $q) { nodes { id } } customer(id: $id) { id } }"
    asked = {"q": f'email:"{one.email}"', "id": f"gid://shopify/Customer/{one.id}"}
    told = admin.data(query, asked)
    assert told == {"customers": {"nodes": []}, "customer": {"id": asked["id"]}}
    admin.clock.advance(31)
    assert admin.data(query, asked)["customers"]["nodes"] == [{"id": asked["id"]}]


@pytest.mark.parametrize("sort_key", ["ID", "UPDATED_AT", "PROCESSED_AT", "TOTAL_PRICE", "FINANCIAL_STATUS"])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("query", [None, "updated_at:>=2026-03-01"])
def test_pages_walk_every_record_once(admin: Admin, sort_key: str, reverse: bool, query: str | None) -> None:
    text = """query P($after: String, $key: OrderSortKeys, $reverse: Boolean, $q: String) {
      orders(first: 7, after: $after, sortKey: $key, reverse: $reverse, query: $q) {
        nodes { id } pageInfo { hasNextPage hasPreviousPage endCursor } } }"""
    seen: list[str] = []
    after = None
    while True:
        admin.clock.advance(10)
        page = admin.data(text, {"after": after, "key": sort_key, "reverse": reverse, "q": query})["orders"]
        seen += [each["id"] for each in page["nodes"]]
        assert page["pageInfo"]["hasPreviousPage"] == (after is not None)
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    since = datetime(2026, 3, 1, tzinfo=UTC)
    count = len([each for each in admin.store.orders.values() if query is None or each.updated_at >= since])
    assert len(seen) == len(set(seen)) == count


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "you must provide one of first or last"),
        ("(first: 1, last: 1)", "providing both first and last is not supported"),
        ("(first: 251)", "first must be between 0 and 250"),
        ('(first: 1, after: "x")', "Invalid cursor for current pagination sort: x."),
    ],
)
def test_a_bad_window_is_refused(admin: Admin, arguments: str, message: str) -> None:
    told = admin.ask(f"{{ orders{arguments} {{ nodes {{ id }} }} }}")
    assert told["data"] is None
    assert told["errors"][0]["message"] == message
    assert told["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


@given(
    n=st.integers(0, 30),
    first=st.integers(0, 12),
    reverse=st.booleans(),
    keep=st.sets(st.integers(0, 29)),
    at=st.integers(0, 29),
)
def test_a_searched_window_is_the_window_of_what_is_found(
    n: int, first: int, reverse: bool, keep: set[int], at: int
) -> None:
    places = [(number // 3, number) for number in range(n)]
    found = [place for place in places if place[1] in keep]
    cursor = whole(list(range(30)), lambda item: item, first=30).edges[at].cursor if n > at else None
    lazy = window(places, lambda place: place[1], first=first, reverse=reverse, matches=lambda place: place[1] in keep)
    plain = window(found, lambda place: place[1], first=first, reverse=reverse)
    assert list(lazy.nodes) == list(plain.nodes)
    assert lazy.page_info["hasNextPage"] == plain.page_info["hasNextPage"]
    assert cursor is None or isinstance(cursor, str)


def test_a_query_knows_from_when_to_when_it_can_match() -> None:
    found = search.parse("updated_at:>=2026-01-02 updated_at:<'2026-01-03T04:05:06Z' status:open", ORDERS)
    low, high = found.bounds["updated_at"]
    assert low == datetime(2026, 1, 2, tzinfo=UTC)
    assert high == datetime(2026, 1, 3, 4, 5, 7, tzinfo=UTC)
    assert search.parse("updated_at:>2026-01-02 OR status:open", ORDERS).bounds == {}
