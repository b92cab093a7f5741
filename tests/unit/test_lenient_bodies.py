"""Bodies in which nothing is missing but the customary way of writing it."""

import json
from pathlib import Path
from typing import Any

import pytest

from isthmus.model.failure import RejectedError
from isthmus.model.order import Order
from isthmus.shopify import parse, topics
from isthmus.shopify.parse import NeedsFetch, Partial, order_node

PAIRS = Path(__file__).parents[1] / "golden" / "shopify"
PLAIN: dict[str, Any] = json.loads((PAIRS / "order_paid" / "webhook.json").read_text())


def told(**changes: Any) -> Any:
    return parse.parse_webhook("order", json.dumps(PLAIN | changes).encode())


def order(**changes: Any) -> Order:
    found = told(**changes)
    assert isinstance(found, Order)
    return found


@pytest.mark.parametrize("nothing", [[], {}, None, {"city": None, "zip": None, "country_code": None, "phone": None}])
@pytest.mark.parametrize("key", ["shipping_address", "billing_address", "customer"])
def test_every_way_of_writing_no_object_is_none(key: str, nothing: object) -> None:
    absent = {name: value for name, value in PLAIN.items() if name != key}
    found = order(**{key: nothing})
    expected = parse.parse_webhook("order", json.dumps(absent).encode())
    assert getattr(found, key if key != "customer" else "customer_id") is None
    if key == "customer":
        assert found == expected


@pytest.mark.parametrize("key", ["shipping_lines", "discount_codes", "payment_gateway_names"])
def test_null_for_a_list_is_an_empty_one(key: str) -> None:
    assert order(**{key: None}) == order(**{key: []})


def test_null_for_the_taxes_of_a_line_is_none() -> None:
    first, *rest = PLAIN["line_items"]
    taxes = [order(line_items=[first | {"tax_lines": none}, *rest]) for none in (None, [])]
    assert taxes[0] == taxes[1]


@pytest.mark.parametrize(("key", "list_"), [("refunds", "refunds"), ("fulfillments", "fulfilments")])
def test_null_for_what_we_may_know_says_so(key: str, list_: str) -> None:
    found = told(**{key: None})
    assert isinstance(found, Partial)
    assert found.untold == (list_,)
    assert getattr(found.record, list_) == ()


def test_a_refund_whose_lines_are_null_is_read() -> None:
    refund = {
        "id": 1, "created_at": "2026-01-01T00:00:00Z", "transactions": [], "refund_line_items": None,
    }  # fmt: skip
    assert isinstance(told(refunds=[refund]), NeedsFetch)


def test_null_for_the_lines_is_no_order_without_lines() -> None:
    with pytest.raises(RejectedError, match="line_items"):
        told(line_items=None)


def dirty(text: str, key: str = "title") -> bytes:
    line = PLAIN["line_items"][0] | ({key: "MARK"} if key == "title" else {})
    body = json.dumps(PLAIN | {"line_items": [line]} | ({key: "MARK"} if key != "title" else {}))
    return body.replace("MARK", text).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("bad", ["\\u0000", "\\ud83d", "\\uDE00", "\\ufffd", "\ufffd", "\x00"])
def test_a_text_loses_the_characters_that_no_text_can_hold(bad: str) -> None:
    found = parse.parse_webhook("order", dirty(f"Mug{bad} red"))
    assert isinstance(found, Order)
    assert found.lines[0].title in ("Mug red", "Mug\ufffd\ufffd\ufffd red".replace("\ufffd", ""))
    node = json.loads((PAIRS / "order_paid" / "node.json").read_text())
    node["lineItems"]["nodes"][0]["title"] = "Mug\ud83d red"
    assert order_node.parse_order_node(node).lines[0].title == "Mug red"


@pytest.mark.parametrize("bad", ["\\u0000", "\\ud83d", "\\ufffd"])
@pytest.mark.parametrize("key", ["email", "phone", "checkout_token"])
def test_half_an_address_is_none(key: str, bad: str) -> None:
    found = parse.parse_webhook("order", dirty(f"ada{bad}@example.com", key))
    assert getattr(found, key) is None


def test_an_emoji_in_two_halves_is_kept() -> None:
    found = parse.parse_webhook("order", dirty("Mug \\ud83d\\ude00"))
    assert isinstance(found, Order)
    assert found.lines[0].title == "Mug \U0001f600"


def test_a_byte_order_mark_is_dropped() -> None:
    assert parse.parse_webhook("order", b"\xef\xbb\xbf" + json.dumps(PLAIN).encode()) == order()


def test_a_missing_key_is_named_and_its_body_still_names_the_order() -> None:
    bare = {name: value for name, value in PLAIN.items() if name != "total_outstanding"} | {"customer": "nonsense"}
    body = json.dumps(bare | {"customer": None}).encode()
    with pytest.raises(RejectedError, match=r"\$\.total_outstanding is missing"):
        parse.parse_webhook("order", body)
    assert topics.record_of_body("orders/create", json.dumps(bare).encode()) == ("order", str(PLAIN["id"]))
