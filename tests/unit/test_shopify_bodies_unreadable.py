"""Bodies that cannot be read, or not wholly."""

import json
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from isthmus.model.consent import Channel, Claim
from isthmus.model.failure import RejectedError
from isthmus.model.order import NOTHING
from isthmus.shopify import parse
from isthmus.shopify.parse import NeedsFetch, checkout_node, customer_webhook, order_node
from isthmus.shopify.parse.money import Scale, parse_amount, parse_plain_amount

PAIRS = Path(__file__).parents[1] / "golden" / "shopify"


def body(case: str) -> dict:
    return json.loads((PAIRS / case / "webhook.json").read_text())


def order(**changes) -> bytes:
    return json.dumps(body("order_refunded_in_part") | changes).encode()


def refunds(**changes) -> list:
    return [body("order_refunded_in_part")["refunds"][0] | changes]


@pytest.mark.parametrize("raw", [b"", b"null", b"[]", b"{}", b"{", b"\xff", b'"x"', b'{"id": 1e400}'])
@pytest.mark.parametrize("kind", ["order", "customer", "product", "checkout"])
def test_what_is_no_record_is_refused(kind, raw):
    with pytest.raises(RejectedError, match=r"^storefront\.unreadable_body"):
        parse.parse_webhook(kind, raw)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"id": "ada@example.com"}, "$.id"),
        ({"created_at": "2026-07-01T09:30:00"}, "$.created_at"),
        ({"created_at": "ada@example.com"}, "$.created_at"),
        ({"line_items": [{"id": 1, "title": 3}]}, "$.line_items[0].title"),
        ({"total_outstanding": "ada@example.com"}, "an amount that is no number"),
        ({"total_outstanding": "NaN"}, "an amount that is no number"),
        ({"total_outstanding": "1e30"}, "an amount that is no number"),
    ],
)
def test_the_refusal_names_the_place_and_nothing_of_the_content(changes, path):
    with pytest.raises(RejectedError) as refusal:
        parse.parse_webhook("order", order(**changes))
    assert refusal.value.detail == path


@pytest.mark.parametrize("amount", ["Infinity", "", "1,00", "x.00", "sNaN", "--1.00"])
def test_an_amount_must_be_a_number(amount):
    money = {"shop_money": {"amount": amount}, "presentment_money": {"amount": amount}}
    with pytest.raises(RejectedError):
        parse.parse_webhook("order", order(total_price_set=money))


def test_a_refund_without_its_transactions_is_a_hint():
    bare = refunds()
    del bare[0]["transactions"]
    told = parse.parse_webhook("order", order(refunds=bare))
    assert isinstance(told, NeedsFetch)
    assert (told.id, told.why) == (7002, "a refund without its transactions")


def test_a_refund_that_moved_no_money_returned_nothing():
    told = parse.parse_webhook("order", order(refunds=refunds(transactions=[])))
    assert told.refunds[0].returned is NOTHING


def test_money_returned_in_another_currency_is_a_hint():
    moved = [{"kind": "refund", "status": "success", "amount": "30.00", "currency": "CAD"}]
    assert isinstance(parse.parse_webhook("order", order(refunds=refunds(transactions=moved))), NeedsFetch)
    assert isinstance(parse.parse_webhook("order", order(presentment_currency="CAD")), NeedsFetch)


def test_a_refund_without_money_is_whole_whatever_the_currencies():
    failed = [{"kind": "refund", "status": "failure", "amount": "30.00", "currency": "CAD"}]
    told = parse.parse_webhook("order", order(refunds=refunds(transactions=failed), presentment_currency="CAD"))
    assert told.refunds[0].returned is NOTHING


def test_an_order_without_approval_for_personal_data_has_no_person():
    bare = body("order_paid")
    for key in ("email", "phone", "contact_email"):
        bare.pop(key, None)
    bare["customer"] = {"id": 501}
    bare["billing_address"] = {"country_code": "GB"}
    told = parse.parse_webhook("order", json.dumps(bare).encode())
    assert (told.email, told.phone, told.firstname, told.lastname, told.customer_id) == (None, None, None, None, 501)
    assert told.billing_address.country_code == "GB"


def product(**changes) -> bytes:
    return json.dumps(body("product") | changes).encode()


def test_a_product_with_more_variants_than_it_carries_is_a_hint():
    gids = [{"admin_graphql_api_id": f"gid://shopify/ProductVariant/{n}"} for n in range(3)]
    assert isinstance(parse.parse_webhook("product", product(variant_gids=gids)), NeedsFetch)


def test_a_shelf_that_is_empty_or_not_counted_is_a_hint():
    variants = body("product")["variants"]
    variants[0]["inventory_quantity"] = 0
    assert isinstance(parse.parse_webhook("product", product(variants=variants)), NeedsFetch)


def test_consent_is_a_claim_in_upper_case_with_its_own_time():
    told = parse.parse_claim(
        "customers_marketing_consent/update",
        json.dumps(
            {
                "id": 501,
                "phone": "+447700900001",
                "sms_marketing_consent": {
                    "state": "subscribed",
                    "opt_in_level": "single_opt_in",
                    "consent_updated_at": "2026-07-01T09:30:00+01:00",
                    "consent_collected_from": "shopify",
                },
            }
        ).encode(),
    )
    assert isinstance(told, Claim)
    assert (told.channel, told.address, told.state, told.level) == (
        Channel.SMS, "+447700900001", "SUBSCRIBED", "SINGLE_OPT_IN",
    )  # fmt: skip
    assert (told.customer_id, told.collected_from, told.at.isoformat()) == (501, "SHOPIFY", "2026-07-01T08:30:00+00:00")


@pytest.mark.parametrize(
    "said",
    [
        {"customer_id": 501, "email_address": None, "email_marketing_consent": {"state": "subscribed"}},
        {"customer_id": 501, "email_address": "a@example.com", "email_marketing_consent": {"state": None}},
    ],
)
def test_consent_about_nobody_asks_for_the_customer(said):
    told = parse.parse_claim("customers_email_marketing_consent/update", json.dumps(said).encode())
    assert isinstance(told, NeedsFetch)
    assert told.id == 501


def test_a_topic_that_is_no_consent_makes_no_claim():
    with pytest.raises(RejectedError):
        parse.parse_claim("orders/create", b"{}")


def test_a_patch_keeps_what_only_a_reading_tells():
    known = parse.parse_webhook("customer", json.dumps(body("customer")).encode())
    known = msgspec.structs.replace(known, tags=("vip",), n_orders=3, is_read=True)
    newer = parse.parse_webhook("customer", json.dumps(body("customer") | {"first_name": "Augusta"}).encode())
    patched = customer_webhook.overlay_customer(known, newer)
    assert (patched.firstname, patched.tags, patched.n_orders, patched.is_read) == ("Augusta", ("vip",), 3, True)


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("https://a.example/55/checkouts/ac/abc/recover?key=1", "abc"),
        ("https://a.example/checkouts/cn/Z2NwLXVz/en-gb/recover?key=1", None),
        ("https://a.example/checkouts/cn/Z2NwLXVz%3D/recover/", "Z2NwLXVz="),
        ("https://a.example/55/checkouts/abc/recover?key=1", None),
        ("https://a.example/checkouts/cn/abc", None),
        ("https://a.example/cart/c/abc", None),
        ("https://a.example/checkouts/", None),
    ],
)
def test_a_checkout_node_has_the_carts_token_in_its_address(url, token):
    assert checkout_node.cart_token_of(url) == token


def test_a_node_with_an_id_that_is_no_number_is_refused():
    node = json.loads((PAIRS / "order_paid" / "node.json").read_text()) | {"id": "gid://shopify/Order/ada"}
    with pytest.raises(RejectedError):
        order_node.parse_order_node(node)


@pytest.mark.parametrize(
    ("display", "plain_status"),
    [
        ("FULFILLED", "FULFILLED"),
        ("PARTIALLY_FULFILLED", "PARTIALLY_FULFILLED"),
        ("ON_HOLD", "PARTIALLY_FULFILLED"),
        ("RESTOCKED", "UNFULFILLED"),
        ("FULFILLMENT_NOT_REQUIRED", "UNFULFILLED"),
    ],
)
def test_what_hides_a_parcel_that_left_does_not_undo_it(display, plain_status):
    node = json.loads((PAIRS / "order_refunded_in_part" / "node.json").read_text())
    assert order_node.parse_order_node(node | {"displayFulfillmentStatus": display}).fulfilment_status == plain_status


def test_an_order_on_hold_without_parcels_is_unfulfilled():
    node = json.loads((PAIRS / "order_paid" / "node.json").read_text()) | {"displayFulfillmentStatus": "ON_HOLD"}
    assert order_node.parse_order_node(node).fulfilment_status == "UNFULFILLED"


@pytest.mark.parametrize(
    ("text", "currency", "value"),
    [("15.0", "GBP", "15.00"), ("15", "GBP", "15.00"), ("15.00", "JPY", "15"), ("1.2345", "KWD", "1.235")],
)
def test_amounts_have_the_scale_of_their_currency(text, currency, value):
    assert str(parse_amount(text, currency)) == value
    assert parse_amount(text, currency) == Decimal(value)


@pytest.mark.parametrize(
    ("text", "value"), [("15.0", "15.00"), ("15", "15.00"), ("0.125", "0.125"), ("1E+2", "100.00")]
)
def test_a_price_without_a_currency_has_two_places_or_what_it_needs(text, value):
    assert str(parse_plain_amount(text)) == value


def test_zero_is_always_nothing():
    for shop, presentment in (("GBP", "GBP"), ("EUR", "JPY")):
        scale = Scale(shop, presentment)
        for text in ("0.00", "0.0", "0", "-0.00"):
            assert scale.amount(text, text) is NOTHING
        assert scale.total([("1.00", "1.0"), ("-1.0", "-1.00")]) is NOTHING
