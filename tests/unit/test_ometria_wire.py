"""What goes over the wire is written exactly, alike for alike records, and clears only what it is told to clear."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from msgspec import UNSET, UnsetType

from isthmus.ometria import wire

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


def _line(amount: str) -> wire.LineItem:
    money = Decimal(amount)
    return wire.LineItem("uk:5", 1, money, money, money, money, money)


@pytest.mark.parametrize("amount", ["15.00", "0.10", "1234567890123.45", "3000", "0.001", "-8.00"])
def test_money_is_a_number_with_exactly_its_decimals(amount: str) -> None:
    order = wire.OrderBody(
        "uk:1", "#1", AT, "complete", True, "GBP", *[Decimal(amount)] * 5, store="uk", lineitems=(_line(amount),)
    )  # fmt: skip
    assert f'"grand_total":{amount},'.encode() in wire.encode_record(order)
    assert f'"unit_price":{amount},'.encode() in wire.encode_record(order)


def test_types_and_marks_have_the_platforms_spelling() -> None:
    contact = wire.ContactBody(collection="shopify", id="uk:1", force_optin=True, merge=True)
    expected = b'{"@type":"contact","@collection":"shopify","id":"uk:1","@force_optin":true,"@merge":true}'
    assert wire.encode_record(contact) == expected
    assert wire.encode_record(wire.CustomEvent("uk:1", AT, "order_shipped")).startswith(b'{"@type":"custom_event"')


def test_what_is_none_is_left_out_of_an_order() -> None:
    assert b"null" not in wire.encode_record(
        wire.OrderBody(
            "uk:1", "#1", AT, "complete", True, "GBP", *[Decimal(1)] * 5, store="uk", lineitems=(_line("1"),)
        )
    )


@pytest.mark.parametrize(
    ("name", "written"), [(UNSET, b""), (None, b'"firstname":null'), ("Ada", b'"firstname":"Ada"')]
)
def test_a_contacts_field_is_left_out_cleared_or_set(name: str | UnsetType | None, written: bytes) -> None:
    encoded = wire.encode_record(wire.ContactBody(collection="shopify", id="uk:1", firstname=name))
    assert written in encoded
    assert (b"firstname" in encoded) is (name is not UNSET)


def test_properties_in_another_order_give_the_same_bytes() -> None:
    one = wire.CustomEvent("uk:1", AT, "order_shipped", properties={"a": 1, "b": 2})
    other = wire.CustomEvent("uk:1", AT, "order_shipped", properties={"b": 2, "a": 1})
    assert wire.encode_record(one) == wire.encode_record(other)


def test_times_are_written_with_z() -> None:
    assert b'"timestamp":"2026-05-01T12:00:00Z"' in wire.encode_record(wire.CustomEvent("uk:1", AT, "order_shipped"))
