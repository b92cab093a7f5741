"""Custom fields of the simulated shop: they change without a word, and are asked for by key, for any record."""

from datetime import UTC, datetime

import msgspec
import pytest

from sims.clock import SimClock
from sims.neighbourhood import Neighbourhood, Sizes
from sims.shopify.state import gid
from sims.wire import Request

ASK = """query($ids: [ID!]!, $keys: [String!]!) { nodes(ids: $ids) { id ... on HasMetafields {
  metafields(first: 10, keys: $keys) { nodes { namespace key type value } } } } }"""


@pytest.fixture
def town() -> Neighbourhood:
    return Neighbourhood(SimClock(datetime(2026, 11, 1, tzinfo=UTC)), 1, Sizes(20, 10, 5, 4))


def ask(town: Neighbourhood, document: str, **variables: object) -> dict:
    store = town.store("uk").shop.domain
    token = {"x-shopify-access-token": town.shopify.static_token(store)}
    body = msgspec.json.encode({"query": document, "variables": variables})
    request = Request("POST", f"/{store}/admin/api/2026-10/graphql.json", {}, token, body)
    answer = msgspec.json.decode(town.handle_shopify(request).body)
    assert "errors" not in answer, answer
    return answer


def test_any_record_is_asked_for_the_fields_of_some_keys(town):
    store = town.store("uk")
    customer, variant = next(iter(store.customers)), next(iter(store.variants))
    gids = [gid("Customer", customer), gid("ProductVariant", variant), gid("Customer", 1)]
    told = ask(town, ASK, ids=gids, keys=["custom.field_02", "custom.none"])
    first, second, gone = told["data"]["nodes"]
    for one in (first, second):
        (field,) = one["metafields"]["nodes"]
        assert (field["namespace"], field["key"], field["type"]) == ("custom", "custom.field_02", "number_integer")
    assert gone is None
    # nodes: 1, the dearest kind of record 2 + size(10) · 1
    assert told["extensions"]["cost"]["requestedQueryCost"] == 1 + 2 + 4


def test_a_field_changes_without_a_word(town):
    store = town.store("uk")
    one = next(iter(store.customers.values()))
    before, waiting = one.updated_at, town.deliveries.report()
    town.clock.advance(60)
    town.change_fields("uk", "customer", one.id, "custom", "field_01", value="linen")
    town.change_fields("uk", "customer", one.id, "custom", "field_02", value=None)
    town.change_fields("uk", "customer", None, "custom", "field_03", "list.single_line_text_field")
    assert {each.key: (each.type, each.value) for each in one.metafields if each.namespace == "custom"} == {
        "field_01": ("single_line_text_field", "linen"),
        "field_03": ("list.single_line_text_field", f'["{_boolean(one)}"]'),
        "field_04": ("list.single_line_text_field", one.metafields[-1].value),
    }
    assert (one.updated_at, town.deliveries.report()) == (before, waiting)


def test_a_share_of_everybody_gets_another_value(town):
    told = {one.id: [each.value for each in one.metafields] for one in town.store("uk").customers.values()}
    changed = town.change_fields("uk", share=0.5)["ids"]
    now = {one.id: [each.value for each in one.metafields] for one in town.store("uk").customers.values()}
    assert changed
    assert sorted(changed) == sorted(number for number in told if told[number] != now[number])


def test_a_wrong_wish_says_what_is_wrong(town):
    with pytest.raises(ValueError, match="known: customer, product, variant"):
        town.change_fields("uk", "order", 1, "custom", "a", value="b")
    with pytest.raises(ValueError, match="namespace and key"):
        town.change_fields("uk", "customer", 1)


def _boolean(one) -> str:
    held = next(each for each in one.metafields if each.key == "field_03")
    return held.value.removeprefix('["').removesuffix('"]')
