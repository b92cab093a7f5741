"""Who is one person: support.ometria.com/hc/en-gb/articles/360013407877 and 360019604358, docs.ometria.com/docs."""

from typing import Any

import pytest
from ometria_account import OmetriaAccount, contact, order

from sims.wire import Response


def test_listings_of_several_sources_that_share_an_identifier_are_one_profile(account: OmetriaAccount) -> None:
    """support.ometria.com/hc/en-gb/articles/360013407877"""
    account.settled(contact(1), {**contact(1), "@collection": "forms", "id": "f1", "customer_id": None})
    assert len(account.get("/v2/profiles/")) == 1
    assert account.listing("uk:1")["profile_id"] == account.listing("f1", "forms")["profile_id"]


def test_emails_are_one_person_whatever_their_case(account: OmetriaAccount) -> None:
    """assumed"""
    account.settled(contact(1), contact(2, customer_id=None, email="A1@Example.com"))
    assert len(account.get("/v2/profiles/")) == 1


def test_an_identifier_of_another_contact_is_ignored(account: OmetriaAccount) -> None:
    """support.ometria.com/hc/en-gb/articles/360019604358: "we ignore that identifier" """
    account.settled(contact(1), contact(2))
    account.settled(contact(2, email="a1@example.com"))
    first, second = account.get("/v2/profiles/")
    assert account.profile("a1@example.com")["id"] == first["id"]
    assert (second["customer_id"], second["email"]) == ("uk:2", None)
    assert account.listing("uk:2")["email"] == "a1@example.com"
    assert account.platform.account.people.n_ignored == 1


def test_a_second_customer_id_on_one_email_is_dropped_unless_many_are_allowed() -> None:
    """support.ometria.com/hc/en-gb/articles/32595707442077 (an option per identifier); the default is assumed"""
    records = (contact(1), contact(2, email="a1@example.com"))
    account = OmetriaAccount()
    account.settled(*records)
    assert account.profile("a1@example.com")["customer_id"] == "uk:1"
    assert {"id": "uk:2", "type": "customer_id"} not in account.profile("a1@example.com")["identities"]
    account = OmetriaAccount(customer_id_multi=True)
    account.settled(*records)
    assert {"id": "uk:2", "type": "customer_id"} in account.profile("a1@example.com")["identities"]


def test_phone_numbers_identify_people_only_where_enabled() -> None:
    """support.ometria.com/hc/en-gb/articles/360019604358 ("when enabled")"""
    records = [contact(n, phone_number="+447400123456") for n in (1, 2)]
    for is_enabled, people in ((False, 2), (True, 1)):
        account = OmetriaAccount(phone_identity=is_enabled)
        account.settled(*records)
        assert len(account.get("/v2/profiles/")) == people


def test_before_2024_different_customer_ids_with_one_email_are_different_people() -> None:
    """support.ometria.com/hc/en-gb/articles/360013407877, older text"""
    account = OmetriaAccount(identity="pre2024")
    account.settled(contact(1), contact(2, email="a1@example.com"))
    assert len(account.get("/v2/profiles?email=a1@example.com")) == 2
    account.settled(contact(3, customer_id=None, email="a1@example.com"))
    assert account.listing("uk:3")["profile_id"] == account.listing("uk:2")["profile_id"]


def test_a_changed_email_frees_the_old_one(account: OmetriaAccount) -> None:
    """assumed"""
    account.settled(contact(1))
    account.settled(contact(1, email="new@example.com"))
    assert account.get("/v2/profiles?email=a1@example.com") == []
    assert account.profile("new@example.com")["customer_id"] == "uk:1"


def test_a_listing_that_shares_nothing_with_its_profile_any_more_moves(account: OmetriaAccount) -> None:
    """assumed"""
    account.settled(contact(1), contact(2))
    account.settled(contact(2, customer_id="uk:1", email="a1@example.com"))
    assert len(account.get("/v2/profiles/")) == 1
    assert account.listing("uk:2")["profile_id"] == account.listing("uk:1")["profile_id"]


@pytest.mark.parametrize(
    "customer", [{"id": "uk:1", "email": "a1@example.com"}, {"id": "uk:1"}, {"email": "A1@example.com"}]
)
def test_an_order_of_an_unknown_person_makes_a_profile_without_consent(
    account: OmetriaAccount, customer: dict[str, str]
) -> None:
    """docs.ometria.com/docs/orders-endpoint"""
    account.settled(order(customer=customer))
    (made,) = account.get("/v2/profiles/")
    assert made["marketing_optin"] is None
    assert made["stats"]["orders"] == 1
    account.settled(contact(1, marketing_optin="EXPLICITLY_OPTEDIN"))
    assert [one["marketing_optin"] for one in account.get("/v2/profiles/")] == ["EXPLICITLY_OPTEDIN"]


def test_an_order_of_a_known_person_is_attached(account: OmetriaAccount) -> None:
    """docs.ometria.com/docs/orders-endpoint"""
    account.settled(contact(1))
    account.settled(order(customer={"id": "uk:1", "email": "other@example.com"}))
    assert len(account.get("/v2/profiles/")) == 1
    assert account.profile("a1@example.com")["stats"]["orders"] == 1


def test_three_guest_orders_with_one_email_are_one_profile(account: OmetriaAccount) -> None:
    """docs.ometria.com/docs/orders-endpoint"""
    account.settled(*[order(n, customer={"email": "guest@example.com"}) for n in (1, 2, 3)])
    assert account.profile("guest@example.com")["stats"]["orders"] == 3


def test_an_order_without_identifiers_is_stored_unattached(account: OmetriaAccount) -> None:
    """docs.ometria.com/docs/orders-endpoint"""
    account.settled(order(customer={"firstname": "Ada"}))
    assert account.get("/v2/orders/uk:1")["profile_id"] is None
    assert account.get("/v2/profiles/") == []


def test_an_order_by_email_alone_goes_to_the_profile_without_a_customer_id() -> None:
    """docs.ometria.com/docs/orders-endpoint; several profiles with one email exist before 2024's rules only"""
    account = OmetriaAccount(identity="pre2024")
    shared = "a1@example.com"
    account.settled(contact(1, email=shared), contact(2, email=shared))
    account.settled(order(1, customer={"email": shared}))
    made = account.get("/v2/orders/uk:1")["profile_id"]
    assert made not in (account.listing("uk:1")["profile_id"], account.listing("uk:2")["profile_id"])
    account.settled(order(2, customer={"email": shared}))
    assert account.get("/v2/orders/uk:2")["profile_id"] == made


def test_an_order_that_changes_hands_leaves_nobody_behind(account: OmetriaAccount) -> None:
    """assumed"""
    account.settled(contact(1))
    account.settled(order(customer={"email": "typo@example.com"}))
    account.settled(order(customer={"id": "uk:1"}))
    assert account.get("/v2/profiles?email=typo@example.com") == []
    assert account.profile("a1@example.com")["stats"]["orders"] == 1


def merge(account: OmetriaAccount, survivor: Any, *others: Any) -> Response:
    body = {"survivor": survivor, "customers_to_merge": list(others)}
    return account.call("POST", "/v2/merge-profile", body)


def by_id(number: int) -> dict[str, str]:
    return {"type": "customer_id", "value": f"uk:{number}"}


def test_a_merge_moves_the_orders_and_deletes_the_listings_of_the_merged(account: OmetriaAccount) -> None:
    """docs.ometria.com/docs/merge-profiles"""
    account.settled(contact(1), contact(2))
    account.settled(order(customer={"id": "uk:2"}))
    assert merge(account, by_id(1), by_id(2)).status == 200
    assert account.profile("a1@example.com")["stats"]["orders"] == 1
    assert account.profile("a2@example.com")["id"] == account.profile("a1@example.com")["id"]
    assert account.call("GET", "/v2/contacts/shopify/uk:2").status == 404


def test_one_merge_a_minute(account: OmetriaAccount) -> None:
    """docs.ometria.com/docs/ometria-data-api-introduction"""
    account.settled(contact(1), contact(2), contact(3))
    assert merge(account, by_id(1), by_id(2)).status == 200
    assert merge(account, by_id(1), by_id(3)).status == 429
    account.wait(60)
    assert merge(account, by_id(1), by_id(3)).status == 200


@pytest.mark.parametrize(
    ("survivor", "others"), [(by_id(9), [by_id(1)]), (by_id(1), [by_id(9)]), (by_id(1), []), ({}, [by_id(1)])]
)
def test_a_merge_that_resolves_nobody_fails(
    account: OmetriaAccount, survivor: dict[str, str], others: list[dict[str, str]]
) -> None:
    """docs.ometria.com/docs/merge-profiles; the status is assumed"""
    account.settled(contact(1), contact(2))
    assert merge(account, survivor, *others).status == 400
