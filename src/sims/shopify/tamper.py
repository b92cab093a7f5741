"""Records that change or vanish without a word: what a lost webhook, a bug over there or a restored copy leaves behind.

No webhook fires. A change moves `updated_at` like any other unless it is told not to. ASSUMED as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sims.clock import parse
from sims.shopify import money
from sims.shopify.state import Customer, MoneyBag, Order, Store, World

KINDS = ("customers", "orders", "products")


def change(
    world: World, store: Store, kind: str, number: int, values: Mapping[str, Any], *, is_dated: bool = True
) -> None:
    """Set fields of a record by their dotted paths (`email_consent.state`, `lines.0.sku`), as JSON gives them.

    Raises `ValueError` for a record or a field that is not there.
    """
    record = _found(store, kind, number)
    with world.lock:
        if isinstance(record, Customer):
            store.unindex_customer(record)
        for path, value in values.items():
            _set(record, path, value)
        if isinstance(record, Customer):
            store.index_customer(record)
        if isinstance(record, Order) and any(path.partition(".")[0] in _PARTS for path in values):
            money.settle(record)
        if is_dated and "updated_at" not in values:
            world.touch(store, record, world.now())
        store.touched.append(record)
        store.version += 1


def delete(world: World, store: Store, kind: str, number: int) -> None:
    """Take a record away; raises `ValueError` when it is not there."""
    record = _found(store, kind, number)
    with world.lock:
        if kind == "customers":
            store.drop_customer(record)
        elif kind == "products":
            store.drop_product(record)
        else:
            store.gone_orders[number] = store.orders.pop(number)
        store.version += 1


_PARTS = ("lines", "shipping_lines", "transactions", "refunds", "fulfillments", "returns")


def _found(store: Store, kind: str, number: int) -> Any:
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}; known: {', '.join(KINDS)}")
    record = getattr(store, kind).get(number)
    if record is None:
        raise ValueError(f"no {kind} {number} in {store.shop.domain}")
    return record


def _set(record: Any, path: str, value: Any) -> None:
    *way, last = path.split(".")
    for step in way:
        record = record[int(step)] if isinstance(record, list) else getattr(record, step)
    if isinstance(record, list):
        record[int(last)] = value
        return
    if not hasattr(record, last):
        raise ValueError(f"{type(record).__name__} has no {last}")
    setattr(record, last, _like(getattr(record, last), last, value))


def _like(before: Any, name: str, value: Any) -> Any:
    """Read a value as JSON gives it in the kind of the one it replaces."""
    if value is None:
        return None
    if isinstance(before, MoneyBag):
        both = value if isinstance(value, Mapping) else {"shop": value, "presentment": value}
        return MoneyBag(Decimal(str(both["shop"])), Decimal(str(both["presentment"])))
    if isinstance(before, Decimal):
        return Decimal(str(value))
    if isinstance(value, str) and (isinstance(before, datetime) or name.endswith("_at")):
        return parse(value)
    return value
