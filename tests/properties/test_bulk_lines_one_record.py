"""The lines of a bulk operation, in any order, and a reading of the same state are one record, down to the byte."""

import json
import random
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from isthmus.model.order import Order
from isthmus.model.reading import found_record
from isthmus.shopify import bulk
from isthmus.shopify.bulk import Bulk, BulkStatus
from isthmus.shopify.parse import lines
from isthmus.shopify.reads import Reads
from lengths import LONG
from shopify_wire import Shops
from sims.shopify.deeds import fields

NONE: lines.Keys = {}
SEEDS = range(1, 11) if LONG else range(1, 3)


@pytest.fixture(scope="module", params=SEEDS)
def shops(request: pytest.FixtureRequest) -> Shops:
    return Shops(seed=request.param)


def result(shops: Shops, store: Any, kind: str, keys: lines.Keys = NONE) -> list[bytes]:
    """Every line that an operation over all of a kind gives."""
    speak = Bulk(shops.client(store, patience=1e6))
    started = speak.start(bulk.bulk_query(kind, keys=keys))
    done = speak.look(started.gid)
    for _ in range(40):
        if done is not None and not done.status.is_under_way:
            break
        shops.advance(1)
        done = speak.look(started.gid)
    assert done is not None
    assert (done.status, done.error_code) == (BulkStatus.COMPLETED, None)
    assert done.url is not None
    told = list(speak.lines(done.url))
    assert len(told) == done.n_objects
    return told


def read(shops: Shops, store: Any, kind: str, keys: lines.Keys = NONE) -> Mapping[int, Any]:
    reader = Reads(shops.client(store, patience=1e6), keys)
    found: Mapping[int, Any] = {
        "order": lambda: reader.orders(list(store.orders)),
        "customer": lambda: reader.customers(list(store.customers)),
        "product": lambda: reader.products(list(store.products)),
    }[kind]()
    return {number: found_record(result) for number, result in found.items()}


@pytest.mark.parametrize("kind", ["product", "customer", "order"])
def test_what_lines_tell_is_what_a_reading_tells(shops: Shops, kind: str) -> None:
    dice = random.Random(7)
    for store in shops.stores:
        told, there = result(shops, store, kind), read(shops, store, kind)
        for _ in range(3):
            dice.shuffle(told)
            found = {one.id: one for one in lines.join_lines(kind, told)}
            assert set(found) == {number for number, record in there.items() if record is not None}
            for number, one in found.items():
                if one.record is None:
                    assert one.why == "refunds"
                    assert there[number].refunds
                else:
                    assert msgspec.json.encode(one.record) == msgspec.json.encode(there[number])


@pytest.mark.parametrize("kind", ["product", "customer"])
def test_custom_fields_of_lines_are_those_of_a_reading(shops: Shops, kind: str) -> None:
    """Asked for by a name of their own in an operation, by their keys in a reading: present, absent, of any type."""
    dice, asked = random.Random(7), ("custom.field_01", "custom.field_04", "custom.no-such_field")
    keys = {"customer": asked, "product": asked[:1], "variant": asked[1:]}
    for store in shops.stores:
        if not any(one.metafields for one in store.variants.values()):
            fields.seed(shops.world, store, 4)
        told, there = result(shops, store, kind, keys), read(shops, store, kind, keys)
        dice.shuffle(told)
        for one in lines.join_lines(kind, told, keys):
            assert msgspec.json.encode(one.record) == msgspec.json.encode(there[one.id])
            known = {field.key: field.type for field in there[one.id].metafields}
            assert known["custom.field_01"] == "single_line_text_field"
            assert known.get("custom.no-such_field") is None


def test_a_field_that_an_operation_did_not_ask_for_is_not_taken_for_gone(shops: Shops) -> None:
    """An operation begun before the mapping file was changed."""
    store = shops.stores[0]
    told = result(shops, store, "customer", {"customer": ("custom.field_01",)})
    keys = {"customer": ("custom.field_02", "custom.field_01")}
    for one in lines.join_lines("customer", told, keys):
        assert [field.key for field in one.record.metafields] == ["custom.field_01"]  # type: ignore[union-attr]


def test_most_orders_need_no_second_reading(shops: Shops) -> None:
    for store in shops.stores:
        found = list(lines.join_lines("order", result(shops, store, "order")))
        assert sum(isinstance(one.record, Order) for one in found) > len(found) / 2


def test_texts_may_hold_whatever_marks_a_line(shops: Shops) -> None:
    """Quotes, slashes, newlines and even the word that names a parent, inside of texts."""
    store = shops.stores[0]
    told = result(shops, store, "customer")
    node = json.loads(told[0])
    odd = 'a "\\/ b\n","__parentId":"gid://shopify/Order/1"} é  '
    node["firstName"] = odd
    line = json.dumps(node).encode().replace(b"/", b"\\/")
    (found,) = lines.join_lines("customer", [line])
    assert found.record is not None
    assert found.record.firstname == odd  # type: ignore[union-attr]
