"""What happens behind our back: records altered and deleted on either side, subscriptions and deliveries lost."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from sims.clock import SimClock
from sims.control import Control
from sims.neighbourhood import Neighbourhood, Sizes
from sims.ometria.shelf import Shelf, Stored
from sims.shopify.state import MoneyBag
from sims.wire import Request

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
KEY = {"x-ometria-auth": "sim-ometria-key"}
CONTACT = {"@type": "contact", "@collection": "shopify", "id": "uk:1", "email": "a@example.com"}
ORDER = {
    "@type": "order",
    "id": "uk:9",
    "timestamp": "2026-11-01T10:00:00Z",
    "grand_total": 10.0,
    "currency": "GBP",
    "customer": {"email": "a@example.com"},
}


class Town:
    """A frozen neighbourhood, its control, and one subscribed shop."""

    def __init__(self) -> None:
        self.sims = Neighbourhood(SimClock(AT, rate=0), seed=3, sizes=Sizes(8, 12, 3))
        self.control = Control(self.sims)
        self.store = self.sims.store("uk")
        self.sims.subscribe("uk", "https://isthmus.example/hooks", ["orders/create", "customers/update"])

    def post(self, path: str, body: Any) -> Any:
        answer = self.control.handle(Request("POST", f"/_sim/{path}", {}, {}, msgspec.json.encode(body)))
        assert answer.status == 200, answer.body
        return answer.json()

    def push(self, *records: dict[str, Any]) -> None:
        assert (
            self.sims.ometria.handle(Request("POST", "/v2/push", {}, KEY, msgspec.json.encode(records))).status == 200
        )
        self.sims.clock.advance(5)
        self.sims.tick()

    def read(self, path: str, **query: str) -> Any:
        return self.sims.ometria.handle(Request("GET", f"/v2/{path}", query, KEY)).json()


@pytest.fixture
def town() -> Town:
    return Town()


def test_a_platform_record_is_altered_by_somebody_else(town: Town) -> None:
    town.push(CONTACT)
    town.push(ORDER)
    town.post("tamper", {"side": "ometria", "kind": "order", "id": "uk:9", "set": {"grand_total": 4.0}})
    town.post(
        "tamper",
        {"side": "ometria", "kind": "contact", "id": "uk:1", "collection": "shopify", "set": {"lastname": "Else"}},
    )
    assert town.read("orders/uk:9")["grand_total"] == 4.0
    assert town.read("contacts/shopify/uk:1")["lastname"] == "Else"
    assert town.sims.ometria.account.automations == []


def test_a_change_without_a_date_is_in_no_listing_by_time(town: Town) -> None:
    town.push(ORDER)
    town.sims.clock.advance(3600)
    town.sims.tamper("ometria", "order", "uk:9", {"grand_total": 4.0}, dated=False)
    assert town.read("orders", updateSince="2026-11-23T09:30:00") == []
    assert town.read("orders/uk:9")["grand_total"] == 4.0


def test_a_platform_record_is_deleted(town: Town) -> None:
    town.push(CONTACT)
    town.push(ORDER)
    town.post("tamper", {"side": "ometria", "kind": "order", "id": "uk:9", "delete": True})
    town.sims.tamper("ometria", "contact", "uk:1", collection="shopify", delete=True)
    assert (town.read("orders"), town.read("contacts/shopify"), town.read("profiles")) == ([], [], [])


def test_a_shop_record_changes_and_vanishes_without_a_webhook(town: Town) -> None:
    order = next(iter(town.store.orders.values()))
    person = next(each for each in town.store.customers.values() if each.email)
    told = {"side": "shopify", "shop": "uk", "kind": "customer", "id": person.id}
    was = person.updated_at
    town.post("tamper", {**told, "set": {"email": "new@example.com", "email_consent.state": "SUBSCRIBED"}})
    assert town.store.by_email["new@example.com"] == person.id
    assert person.email_consent.state == "SUBSCRIBED"
    assert person.updated_at > was
    town.sims.tamper("shopify", "orders", order.id, {"lines.0.price": "3.00", "tags": ["x"]}, shop="uk", dated=False)
    assert order.lines[0].price == MoneyBag(*[type(order.lines[0].price.shop)("3.00")] * 2)
    town.post("tamper", {"side": "shopify", "shop": "uk", "kind": "order", "id": order.id, "delete": True})
    assert order.id not in town.store.orders
    assert town.sims.deliveries.pending == 0


def test_what_is_not_there_cannot_be_tampered_with(town: Town) -> None:
    for wrong in (
        {"side": "ometria", "kind": "order", "id": "x", "delete": True},
        {"side": "ometria", "kind": "hat", "id": "x", "set": {}},
        {"side": "shopify", "shop": "uk", "kind": "order", "id": 1, "set": {}},
        {"side": "ometria", "kind": "order", "id": "x"},
        {"side": "moon", "kind": "order", "id": "x", "set": {}},
    ):
        raw = msgspec.json.encode(wrong)
        assert town.control.handle(Request("POST", "/_sim/tamper", {}, {}, raw)).status == 400


def test_every_delivery_of_a_topic_is_lost(town: Town) -> None:
    town.sims.faults.set({"shopify.drop_topics": ["orders/create"]})
    town.sims.live(60)
    waiting = {each.topic for each in town.sims.deliveries.due(AT)}
    assert "customers/update" in waiting
    assert "orders/create" not in waiting
    assert town.sims.faults.injected["shopify.drop_topics"] > 0


def test_subscriptions_are_lost_by_topic_and_by_owner(town: Town) -> None:
    assert town.post("subscriptions", {"shop": "uk", "lose": ["orders/create"], "owner": "api"}) == {"lost": []}
    assert town.post("subscriptions", {"shop": "uk", "lose": ["orders/create"]}) == {"lost": ["orders/create"]}
    assert town.post("subscriptions", {"shop": "uk", "lose": True}) == {"lost": ["customers/update"]}


def test_accepted_records_vanish_without_an_error(town: Town) -> None:
    town.sims.faults.set({"ometria.vanish_ids": ["uk:9"]})
    town.push(ORDER)
    assert town.read("orders") == []
    assert town.sims.ometria.account.errors.total == 0
    town.sims.faults.set({"ometria.vanish_ids": [], "ometria.p_vanish": 1.0})
    town.push(ORDER)
    assert town.read("orders") == []
    assert town.sims.faults.injected == {"ometria.vanish_ids": 1, "ometria.p_vanish": 1}


def test_application_is_slow_by_the_record(town: Town) -> None:
    town.sims.faults.set({"ometria.slow_per_record": 10.0})
    town.push(ORDER, {**ORDER, "id": "uk:10"})
    assert town.read("orders") == []
    town.sims.clock.advance(20)
    assert len(town.read("orders", limit="10")) == 2


def test_a_shelf_keeps_its_listings_right_over_any_change() -> None:
    shelf: Shelf[Stored] = Shelf()
    clock = SimClock(AT, rate=0)
    rows: dict[str, Stored] = {}
    for step in range(6000):
        key = str(step * 7919 % 613)
        clock.advance(1)
        if step % 17 == 0 and key in rows:
            shelf.drop(key)
            del rows[key]
            continue
        row = rows.setdefault(key, Stored(key, 0, {}, AT, AT))
        row.seq = row.seq or shelf.next_seq()
        row.updated_at = clock.now()
        shelf.put(key, row)
        if step % 500 == 0:
            middle = sorted(each.updated_at for each in rows.values())[len(rows) // 2]
            for since in (middle, AT):
                newer = [each for each in rows.values() if each.updated_at >= since]
                assert shelf.page(5000, 0, since, False) == sorted(newer, key=lambda each: each.seq)
                assert shelf.page(5000, 0, since, True) == sorted(newer, key=lambda each: each.updated_at)
            assert len(shelf.page(5000, 0, None, False)) == len(rows) == len(shelf)
