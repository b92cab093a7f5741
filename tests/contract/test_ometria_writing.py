"""What a push does to what is stored: replace, merge, clear, and the same event twice."""

from typing import Any

import pytest
from ometria_account import OmetriaAccount, contact, event, line, order, product


def test_without_merge_a_push_replaces_the_record(account: OmetriaAccount) -> None:
    """ometria-api-reference.readme.io/docs/orders-endpoint (push the whole order object)"""
    account.settled(order(web_id="#1001"))
    account.settled(order(status="shipped"))
    stored = account.get("/v2/orders/uk:1")
    assert stored["status"] == "shipped"
    assert "web_id" not in stored


def test_with_merge_what_is_not_sent_is_kept_and_arrays_are_taken_whole(account: OmetriaAccount) -> None:
    """support.ometria.com/support/solutions/articles/7000045353-merge"""
    attributes = [{"type": "colour", "id": "red", "label": "Red"}, {"type": "size", "id": "m", "label": "M"}]
    account.settled(product(attributes=attributes, is_in_stock=True))
    account.settled({"@type": "product", "id": "uk:1", "@merge": True, "attributes": attributes[:1]})
    stored = account.get("/v2/products/uk:1")
    assert (stored["title"], stored["is_in_stock"], stored["attributes"]) == ("Scarf", True, attributes[:1])


def test_in_a_lenient_account_a_partial_record_is_merged_by_itself() -> None:
    """support.ometria.com/hc/en-gb/articles/360011617238, which says only supplied fields are updated"""
    account = OmetriaAccount(merge_default="lenient")
    account.settled(contact(firstname="Ada"))
    account.settled(contact(lastname="Byron"))
    stored = account.listing("uk:1")
    assert (stored["firstname"], stored["lastname"]) == ("Ada", "Byron")


@pytest.mark.parametrize(
    ("clear", "sent", "left"),
    [
        ("null", {"@merge": True, "firstname": None}, None),
        ("null", {"@merge": True, "firstname": ""}, ""),
        ("empty", {"@merge": True, "firstname": None}, "Ada"),
        ("empty", {"@merge": True, "firstname": ""}, None),
        ("omit", {"@merge": True, "firstname": None}, "Ada"),
        ("omit", {"firstname": None}, "Ada"),
        ("omit", {}, None),
    ],
)
def test_what_clears_a_field_is_a_switch(clear: str, sent: dict[str, Any], left: str | None) -> None:
    """support.ometria.com/support/solutions/articles/7000045353-merge: blank data "may or may not" remove values"""
    account = OmetriaAccount(clear=clear, merge_default="lenient")
    account.settled(contact(firstname="Ada"))
    account.settled(contact(**sent))
    assert account.listing("uk:1").get("firstname") == left


def test_the_same_event_id_again_updates_and_starts_nothing(account: OmetriaAccount) -> None:
    """docs.ometria.com/docs/push-endpoint (known id: update); for events undocumented"""
    account.settled(event(properties={"a": 1}))
    account.settled(event(properties={"a": 2}))
    assert [one["properties"] for one in account.get("/v2/custom-events/")] == [{"a": 2}]
    assert len(account.automations("custom_event")) == 1


def test_by_switch_a_repeated_event_happens_again() -> None:
    """undocumented"""
    account = OmetriaAccount(event_idempotency=False)
    account.settled(event())
    account.settled(event())
    assert len(account.get("/v2/custom-events/")) == 2
    assert len(account.automations("custom_event")) == 2


def test_variant_options_only_an_order_knows_make_a_variant(account: OmetriaAccount) -> None:
    """docs.ometria.com/docs/orders-endpoint"""
    option = {"type": "size", "id": "m", "label": "M"}
    account.settled(order(lineitems=[line(variant_id="uk:v1", variant_options=[option])]))
    assert account.get("/v2/products") == []
    (made,) = account.get("/v2/products?includeVariants=true")
    assert (made["id"], made["is_variant"]) == ("uk:v1", True)


def test_numeric_product_ids_are_taken_as_text(account: OmetriaAccount) -> None:
    """Ometria's own Magento 2 extension pushes {"@type": "product", "id": <int>, "@merge": true} for stock"""
    account.settled({**product(), "id": 17})
    account.settled({"@type": "product", "id": 17, "is_in_stock": False, "@merge": True})
    stored = account.get("/v2/products/17")
    assert (stored["title"], stored["is_in_stock"]) == ("Scarf", False)


def test_a_single_object_is_stored_at_once_with_201(account: OmetriaAccount) -> None:
    """a public client posts products one by one and gets 201; contacts and orders by analogy"""
    posts = (("products/uk:1", product()), ("contacts/shopify/uk:1", contact()), ("orders/uk:1", order()))
    for path, body in posts:
        assert account.call("POST", f"/v2/{path}", body).status == 201
        assert account.get(f"/v2/{path}")["id"] == "uk:1"
    account.clock.advance(1)
    assert account.call("POST", "/v2/custom-events/", event()).status == 201
    assert account.call("POST", "/v2/orders/uk:1", {"id": "uk:1"}).status == 400
