"""Which records are refused: https://docs.ometria.com/docs/contacts-endpoint, /orders-endpoint, /product-endpoint."""

from typing import Any

import pytest
from ometria_account import OmetriaAccount, contact, event, line, order, product

OPTION = {"type": "size", "id": "m", "label": "M"}

GOOD = [
    contact(),
    contact(email=None),
    contact(customer_id=None, email=None, phone_number="+447400123456"),
    contact(marketing_optin=None),
    contact(marketing_optin=True),
    contact(marketing_optin="NOT_SPECIFIED"),
    contact(properties={"a": "x" * 985}),
    contact(timestamp_subscribed="2026-11-23T08:00:00.123456+02:00", marketing_optin="EXPLICITLY_OPTEDIN"),
    order(),
    order(grand_total=-5, lineitems=[line(quantity=-1)]),
    order(is_valid="false"),
    order(lineitems=[]),
    order(totals={"base": {"currency": "GBP", "grand_total": 50}, "local": {"currency": "EUR", "tax": 1.5}}),
    order(lineitems=[line(variant_options=[OPTION])]),
    product(),
    {**product(), "id": 17},
    product(special_price=None, listings=[{"store": "a", "price": 1}, {"store": "b"}]),
    event(),
    event(identity_email=None, identity_account_id="uk:1"),
]

BAD = [
    (contact(**{"@collection": None}), "@collection"),
    (contact(email=None, customer_id=None), "email"),
    (contact(email="no address"), "email"),
    (contact(email="a..b@example.com"), "email"),
    (contact(email=""), "email"),
    (contact(phone_number="07400 123456"), "phone_number"),
    (contact(phone_number="+44123"), "phone_number"),
    (contact(marketing_optin="EXPLICITYLY_OPTEDOUT"), "marketing_optin"),
    (contact(marketing_optin=1), "marketing_optin"),
    (contact(timestamp_subscribed="yesterday"), "timestamp_subscribed"),
    (contact(properties={"a": "x" * 1000}), "properties"),
    (contact(properties={str(n): 1 for n in range(101)}), "properties"),
    (contact(channels={"sms": {"allow_marketing": True}}), "channels > sms"),
    (contact(channels={"sms": {"allow_marketing": "yes"}}), "channels > sms > allow_marketing"),
    (contact(country_id="UK2"), "country_id"),
    (contact(gender="x"), "gender"),
    (contact(store_ids="uk"), "store_ids"),
    (contact(**{"@add_to_lists": [99]}), "@add_to_lists"),
    (order(timestamp=None), "timestamp"),
    (order(grand_total=None), "grand_total"),
    (order(grand_total="50.00"), "grand_total"),
    (order(currency=None), "currency"),
    (order(currency="gbp"), "currency"),
    (order(currency="XXX"), "currency"),
    (order(is_valid="yes"), "is_valid"),
    (order(customer={"email": "nobody"}), "customer > email"),
    (order(lineitems=[line(), line(product_id=None)]), "lineitems > 1 > product_id"),
    (order(lineitems=[line(quantity=None)]), "lineitems > 0 > quantity"),
    (order(lineitems=[line(quantity="1")]), "lineitems > 0 > quantity"),
    (order(lineitems=[line(variant_options=[{"type": "size"}])]), "lineitems > 0 > variant_options > 0 > id"),
    (order(totals={"local": {"grand_total": 1}}), "totals > local > currency"),
    (order(shipping_address={"country_code": "England"}), "shipping_address > country_code"),
    (product(price="20"), "price"),
    (product(is_active="true"), "is_active"),
    (product(is_variant=True, listings=[{"store": "a"}]), "listings"),
    (product(listings=[{"store": "a"}, {"store": "a"}]), "listings"),
    (product(listings=[{"title": "x"}]), "listings > 0 > store"),
    (product(attributes=[{"id": "x"}]), "attributes > 0 > type"),
    (event(event_type=None), "event_type"),
    (event(identity_email=None), "identity_email"),
    (event(properties={"a": "x" * 1000}), "properties"),
]


@pytest.mark.parametrize("record", GOOD)
def test_a_good_record_is_applied(account: OmetriaAccount, record: dict[str, Any]) -> None:
    """docs.ometria.com/docs: contacts-endpoint, orders-endpoint, product-endpoint"""
    assert account.refusal(record) is None


@pytest.mark.parametrize(("record", "path"), BAD)
def test_a_bad_record_is_refused_at_its_path(account: OmetriaAccount, record: dict[str, Any], path: str) -> None:
    """docs.ometria.com/docs/list-errors for the path's form; how strict each rule is, is assumed"""
    assert account.refusal(record) == f"root > {path}"


def test_a_number_that_cannot_exist_passes_where_only_possible_ones_are_asked_for() -> None:
    """support.ometria.com/hc/en-gb/articles/360011315838 (libphonenumber rules); which of them is a switch"""
    number = contact(phone_number="+447700900123")
    assert OmetriaAccount().refusal(number) == "root > phone_number"
    assert OmetriaAccount(phone_rule="possible").refusal(number) is None


def test_unknown_keys_at_the_top_are_ignored_kept_or_refused_by_switch() -> None:
    """not documented; two live clients send them"""
    record = contact(shoe_size=42)
    for choice, outcome in (("ignore", None), ("keep", 42)):
        account = OmetriaAccount(unknown_keys=choice)
        assert account.refusal(record) is None
        assert account.listing("uk:1").get("shoe_size") == outcome
    assert OmetriaAccount(unknown_keys="refuse").refusal(record) == "root > shoe_size"


def test_a_long_event_type_is_cut_to_32_characters(account: OmetriaAccount) -> None:
    """support.ometria.com/hc/en-gb/articles/360011171077, older text"""
    account.settled(event(event_type="x" * 40))
    assert account.get("/v2/custom-events/e1")["event_type"] == "x" * 32


def test_events_of_types_that_were_not_configured_are_refused() -> None:
    """support.ometria.com/hc/en-gb/articles/360011171077 (Ometria's staff configure event types); refusal is assumed"""
    account = OmetriaAccount(configured_event_types=["order_shipped"])
    assert account.refusal(event(1)) is None
    assert account.refusal(event(2, event_type="order_lost")) == "root > event_type"
