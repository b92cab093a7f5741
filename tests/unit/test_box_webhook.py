"""A ticked box: who, since when; and a body of any other shape is no box and no error."""

from datetime import UTC, datetime

import msgspec
import pytest

from isthmus.model.consent import Channel, Claim
from isthmus.shopify.parse.checkout_checkbox import parse_checkbox

BODY = {"created_at": "2026-11-01T12:00:00+01:00", "email": "Ada@Example.com", "buyer_accepts_marketing": True}


@pytest.mark.parametrize(
    ("topic", "collected_from"),
    [("orders/create", "ORDERS"), ("checkouts/create", "CHECKOUTS"), ("checkouts/update", "CHECKOUTS")],
)
def test_a_ticked_box_names_the_address_and_when_the_basket_was_made(topic: str, collected_from: str) -> None:
    at = datetime(2026, 11, 1, 11, tzinfo=UTC)
    said = parse_checkbox(topic, msgspec.json.encode(BODY))
    assert said == Claim(
        Channel.EMAIL, "ada@example.com", "SUBSCRIBED", "shopify.box", at=at, collected_from=collected_from
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"buyer_accepts_marketing": False},
        {"buyer_accepts_marketing": None},
        {"buyer_accepts_marketing": "true"},
        {"email": None},
        {"email": "no address"},
        {"created_at": None},
        {"created_at": "yesterday"},
        {"created_at": "0001-01-01T00:00:00+14:00"},
    ],
)
def test_what_is_not_ticked_or_names_nobody_is_no_box(changed: dict[str, object]) -> None:
    assert parse_checkbox("orders/create", msgspec.json.encode(BODY | changed)) is None


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_a_body_that_cannot_be_read_is_no_box(body: bytes) -> None:
    assert parse_checkbox("orders/create", body) is None


def test_the_later_bodies_of_an_order_only_repeat_it() -> None:
    assert parse_checkbox("orders/updated", msgspec.json.encode(BODY)) is None
