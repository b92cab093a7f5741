"""The native importer as a second writer: support.ometria.com/hc/en-gb/articles/17315331725085 and 9881943263389."""

from datetime import UTC, datetime
from typing import Any

import pytest
from ometria_account import OmetriaAccount, contact, order

from sims.clock import SimClock
from sims.native import script
from sims.neighbourhood import Neighbourhood, Sizes
from sims.ometria.importer import COLLECTION, ShopCustomer, ShopOrder, import_customers, import_orders
from sims.ometria.unsubscribes import opt_out

ADA = ShopCustomer("1", "a1@example.com", subscribed=True)


def imported(account: OmetriaAccount) -> int:
    return import_customers(account.platform.account, [ADA], "uk:", account.clock.now())


def test_it_is_off_by_default(account: OmetriaAccount) -> None:
    """ours"""
    assert imported(account) == 0
    assert account.get("/v2/contacts") == []


def test_it_writes_other_ids_with_its_namespace_for_the_same_people_and_orders() -> None:
    """support.ometria.com/hc/en-gb/articles/17315331725085; collection and order ids are assumed"""
    account = OmetriaAccount(native_importer=True)
    account.settled(contact(1))
    account.settled(order(1, web_id="#1001"))
    assert imported(account) == 1
    copy = ShopOrder("1", "#1001", "2026-11-01T10:00:00Z", 50.0, "GBP", "1", "a1@example.com")
    assert import_orders(account.platform.account, [copy], "uk:", account.clock.now()) == 1
    assert account.listing("uk:1", COLLECTION)["source"] == "importer"
    assert len(account.get("/v2/profiles/")) == 1
    assert [one["web_id"] for one in account.get("/v2/orders")] == ["#1001", "#1001"]


def test_its_consent_never_overrides_a_forced_listing() -> None:
    """support.ometria.com/hc/en-gb/articles/9881943263389"""
    account = OmetriaAccount(native_importer=True)
    account.settled(contact(1, marketing_optin="EXPLICITLY_OPTEDOUT", **{"@force_optin": True}))
    imported(account)
    assert account.profile("a1@example.com")["marketing_optin"] == "EXPLICITLY_OPTEDOUT"


def test_one_listing_of_its_that_is_opted_out_keeps_a_person_out_beside_ours() -> None:
    """support.ometria.com/hc/en-gb/articles/9881943263389; what it writes is nobody's own word at that moment"""
    account = OmetriaAccount(native_importer=True)
    account.settled(contact(1, marketing_optin="EXPLICITLY_OPTEDIN"))
    gone = ShopCustomer("1", "a1@example.com", subscribed=False)
    import_customers(account.platform.account, [gone], "uk:", account.clock.now())
    assert account.profile("a1@example.com")["marketing_optin"] == "EXPLICITLY_OPTEDOUT"
    assert account.get("/v2/unsubscribes") == []
    said = account.platform.statements
    assert said.of("a1@example.com") == []
    assert [one.way for one in said.of("a1@example.com", is_people_only=False)] == ["api", "importer"]
    account.settled(contact(1, marketing_optin="EXPLICITLY_OPTEDIN", **{"@force_optin": True}))
    import_customers(account.platform.account, [gone], "uk:", account.clock.now())
    assert account.profile("a1@example.com")["marketing_optin"] == "EXPLICITLY_OPTEDIN"  # the trap


@pytest.mark.parametrize(
    ("switched", "own"),
    [
        ({}, "uk:shopify_1"),
        ({"importer_ids": "shopify"}, "uk:1"),
        ({"importer_ids": "shopify", "importer_namespace": False}, "1"),
        ({"importer_ids": "name"}, "uk:1001"),
    ],
)
def test_its_order_ids_are_of_the_sort_that_is_switched_on(switched: dict[str, Any], own: str) -> None:
    """assumed"""
    account = OmetriaAccount(native_importer=True, **switched)
    copy = ShopOrder("1", "#1001", "2026-11-01T10:00:00Z", 50.0, "GBP", "1", "a1@example.com")
    import_orders(account.platform.account, [copy], "uk:", account.clock.now())
    assert [one["id"] for one in account.get("/v2/orders")] == [own]


@pytest.mark.parametrize(("totals", "told"), [("first", (50.0, True)), ("net", (0.0, False))])
def test_it_tells_of_a_refunded_order_what_is_switched_on(totals: str, told: tuple[float, bool]) -> None:
    """assumed"""
    account = OmetriaAccount(native_importer=True, importer_totals=totals)
    back = ShopOrder("1", "#1001", "2026-11-01T10:00:00Z", 50.0, "GBP", net=0.0, is_kept=False)
    import_orders(account.platform.account, [back], "uk:", account.clock.now())
    assert [(one["grand_total"], one["is_valid"]) for one in account.get("/v2/orders")] == [told]


def test_it_runs_beside_everybody_and_takes_opt_outs_back_to_the_shop() -> None:
    """support.ometria.com/hc/en-gb/articles/17315331725085: every five minutes, for people known by Shopify's id"""
    clock = SimClock(datetime(2026, 11, 23, 9, tzinfo=UTC), rate=0)
    town = Neighbourhood(clock, 1, Sizes(customers=8, orders=8, products=3))
    town.ometria.turn({
        "native_importer": True, "importer_every": 60, "native_unsubscriptions": True, "phone_rule": "possible",
    })  # fmt: skip
    town.tick()
    account = town.ometria.account
    assert len(account.orders) == sum(
        not one.test for store in town.world.stores.values() for one in store.orders.values()
    )
    fan = next(
        one
        for store in town.world.stores.values()
        for one in store.customers.values()
        if one.email_consent.state == "SUBSCRIBED"
    )
    (person,) = account.people.by_email(fan.email or "")
    opt_out(account, person, clock.now())
    clock.advance(301)
    town.tick()
    assert fan.email_consent.state == "UNSUBSCRIBED"
    ways = [(one.side, one.way) for one in town.statements.of(fan.email or "", is_people_only=False)]
    assert ways[-2:] == [("ometria", "preferences_centre"), ("shopify", "native_unsubscriptions")]


def test_an_agencys_script_marks_orders_and_makes_its_own() -> None:
    """assumed"""
    account = OmetriaAccount()
    account.settled(order(1, web_id="#1001", customer={"email": "a1@example.com"}))
    assert script(account.platform.account, account.clock.now(), 1) == {"altered": 1, "orders": 1, "contacts": 1}
    assert [one["id"] for one in account.get("/v2/orders")] == ["uk:1", "agency-1"]
