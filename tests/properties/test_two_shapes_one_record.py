"""A webhook body and a reading of the same state are one record, down to the encoded byte.

Over the whole seeded merchant: edits, exchanges, refunds with and without lines, cancellations, guests, two currencies,
prices with and without tax, deleted products.
"""

import json
from typing import Any

import msgspec
import pytest

from isthmus.model.customer import Customer
from isthmus.model.order import Order
from isthmus.model.product import Product
from isthmus.model.reading import ABSENT, Found, found_record
from isthmus.records import carry_over
from isthmus.shopify import parse
from isthmus.shopify.parse import NeedsFetch, customer_webhook
from isthmus.shopify.reads import Reads
from lengths import LONG
from shopify_wire import Shops
from sims.shopify.deeds import fields
from sims.shopify.rest import order as rest_order
from sims.shopify.rest import people as rest_people
from sims.shopify.rest import product as rest_product
from sims.shopify.state import Store

SEEDS = range(1, 21) if LONG else range(1, 4)
ONLY_IN_NODES = ("locale", "tags", "email_consent", "sms_consent", "n_orders", "amount_spent")


@pytest.fixture(scope="module", params=SEEDS)
def shops(request: pytest.FixtureRequest) -> Shops:
    return Shops(seed=request.param)


def told(kind: str, body: dict[str, Any]) -> parse.Record | NeedsFetch:
    return parse.parse_webhook(kind, json.dumps(body).encode())


def assert_alike(told: Any, read: Any) -> None:
    assert told == read
    assert msgspec.json.encode(told) == msgspec.json.encode(read)


def reads(shops: Shops, store: Store) -> Reads:
    return Reads(shops.client(store, patience=1e6))


def test_an_order_is_one_record(shops: Shops) -> None:
    n_whole = n_hints = 0
    for store in shops.stores:
        found = reads(shops, store).orders(list(store.orders))
        for one in store.orders.values():
            read, body = found_record(found[one.id]), told("order", rest_order.order(shops.world, store, one))
            assert isinstance(read, Order)
            if isinstance(body, NeedsFetch):
                # Only money that moved in another currency than the shop's is beyond a body.
                assert read.presentment_currency != read.currency
                assert any(refund.returned.shop for refund in read.refunds)
                n_hints += 1
            else:
                assert_alike(body, msgspec.structs.replace(read, returns=None))
                n_whole += 1
    assert n_whole > 10 * n_hints


def test_every_penny_of_an_order_is_there(shops: Shops) -> None:
    for store in shops.stores:
        for order in map(found_record, reads(shops, store).orders(list(store.orders)).values()):
            assert isinstance(order, Order)
            kept = order.current_total.shop - order.outstanding
            world = store.orders[order.id]
            paid = sum(
                one.amount.shop * (-1 if one.kind == "REFUND" else 1)
                for one in world.transactions
                if one.status == "SUCCESS" and one.kind in ("SALE", "CAPTURE", "REFUND")
            )
            assert kept == paid


def test_a_customer_is_one_record_as_far_as_a_body_can_tell(shops: Shops) -> None:
    for store in shops.stores:
        found = reads(shops, store).customers(list(store.customers))
        for one in store.customers.values():
            read, body = found_record(found[one.id]), told("customer", rest_people.customer(store, one))
            assert isinstance(read, Customer)
            assert read.is_read
            assert read.tags is not None
            bare = msgspec.structs.replace(read, is_read=False, **dict.fromkeys(ONLY_IN_NODES))
            assert_alike(body, bare)


def test_a_product_is_one_record(shops: Shops) -> None:
    n_whole = 0
    for store in shops.stores:
        found = reads(shops, store).products(list(store.products))
        for one in store.products.values():
            read, body = found_record(found[one.id]), told("product", rest_product.product(store, one))
            assert isinstance(read, Product)
            assert len(read.variants) == len(one.variants)
            if isinstance(body, NeedsFetch):
                assert len(one.variants) > 100 or any(variant.inventory_quantity <= 0 for variant in one.variants)
            else:
                assert_alike(body, read)
                n_whole += 1
    assert n_whole


def test_what_is_gone_reads_as_absent(shops: Shops) -> None:
    for store in shops.stores:
        there = next(iter(store.customers))
        gone = list(store.gone_customers)
        found = reads(shops, store).customers([there, *gone, 1])
        assert isinstance(found[there], Found)
        assert [found[number] for number in (*gone, 1)] == [ABSENT] * (len(gone) + 1)


def test_custom_fields_stay_as_they_were_read_whatever_a_body_leaves_out(shops: Shops) -> None:
    """A body cannot tell them: laid over what was read, it changes nothing of them, of variants either."""
    keys = dict.fromkeys(("customer", "product", "variant"), ("custom.field_02", "custom.field_03"))
    for store in shops.stores:
        if not any(one.metafields for one in store.variants.values()):
            fields.seed(shops.world, store, 3)
        reader = Reads(shops.client(store, patience=1e6), keys)
        for one in map(found_record, reader.products(list(store.products)).values()):
            assert isinstance(one, Product)
            assert len(one.metafields or ()) == 2
            assert all(len(variant.metafields or ()) == 2 for variant in one.variants)
            body = told("product", rest_product.product(store, store.products[one.id]))
            if isinstance(body, Product):
                assert_alike(carry_over.carry_over_product(body, one, keys), one)
        for person in map(found_record, reader.customers(list(store.customers)).values()):
            assert isinstance(person, Customer)
            assert len(person.metafields or ()) == 2
            patch = told("customer", rest_people.customer(store, store.customers[person.id]))
            assert isinstance(patch, Customer)
            assert_alike(customer_webhook.overlay_customer(person, patch), person)
