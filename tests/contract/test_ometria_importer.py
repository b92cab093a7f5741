"""The native importer as a second writer: support.ometria.com/hc/en-gb/articles/17315331725085 and 9881943263389."""

from ometria_account import OmetriaAccount, contact, order

from sims.ometria.importer import COLLECTION, ShopCustomer, ShopOrder, import_customers, import_orders

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
