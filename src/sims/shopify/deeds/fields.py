"""What happens to custom fields: they are set, taken away, and become another type, and nobody is told.

No topic is documented for them (https://shopify.dev/docs/api/webhooks has none), and that a record's `updated_at` stays
where it is, is ASSUMED: the quieter of two ways, so that whoever finds the change here finds it in either.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime

from sims.shopify.state import Customer, Definition, Metafield, Product, Store, Variant, World

OWNERS = {"customer": "CUSTOMER", "product": "PRODUCT", "variant": "PRODUCTVARIANT"}

Record = Customer | Product | Variant


Name = tuple[str, str]
"""Namespace and key."""


def find(store: Store, owner: str, number: int) -> Record:
    """Return a record that can have custom fields; raises `ValueError` for one that is not there."""
    shelves = {"customer": store.customers, "product": store.products, "variant": store.variants}
    if owner not in shelves:
        raise ValueError(f"unknown owner {owner!r}; known: {', '.join(shelves)}")
    record: Record | None = shelves[owner].get(number)  # type: ignore[attr-defined]
    if record is None:
        raise ValueError(f"no {owner} {number} in {store.shop.domain}")
    return record


def put(world: World, store: Store, record: Record, name: Name, type_: str, value: str, at: datetime) -> None:
    """Set a custom field, `(namespace, key)`, to a value of a type."""
    held = _held(record, name)
    if held is None:
        record.metafields.append(Metafield(world.next_id(), *name, type_, value, at))
    else:
        held.type, held.value, held.updated_at = type_, value, at
    store.version += 1


def take(store: Store, record: Record, name: Name) -> None:
    """Take a custom field away; one that is not there stays away."""
    record.metafields = [each for each in record.metafields if (each.namespace, each.key) != name]
    store.version += 1


def retype(store: Store, owner: str, name: Name, type_: str, at: datetime) -> int:
    """Make a custom field of everybody another type; a list of its one value where the type is a list. How many."""
    told = OWNERS[owner]
    store.definitions = [
        replace(each, type=type_) if (each.owner, each.namespace, each.key) == (told, *name) else each
        for each in store.definitions
    ]
    n = 0
    for record in _all(store, owner):
        held = _held(record, name)
        if held is not None:
            if type_.startswith("list.") and not held.type.startswith("list."):
                held.value = f'["{held.value}"]'
            held.type, held.updated_at, n = type_, at, n + 1
    store.version += 1
    return n


def seed(world: World, store: Store, n: int) -> None:
    """Give every customer, product and variant `n` custom fields `custom.field_01` …, of four types in turn."""
    rng = random.Random(f"metafields {world.seed} {store.shop.domain}")
    for number in range(1, n + 1):
        for owner in OWNERS.values():
            key = f"field_{number:02}"
            store.definitions.append(Definition(owner, "custom", key, f"Field {number}", _type(number)))
    for owner in OWNERS:
        for record in _all(store, owner):
            for number in range(1, n + 1):
                name = ("custom", f"field_{number:02}")
                put(world, store, record, name, _type(number), _value(rng, number), record.created_at)


def stir(world: World, store: Store, share: float, seed: int, at: datetime) -> list[int]:
    """Give one custom field of a share of the customers another value; who they are."""
    rng = random.Random(f"stir {seed}")
    changed = []
    for record in _all(store, "customer"):
        mine = [each for each in record.metafields if each.namespace == "custom"]
        if mine and rng.random() < share:
            held = rng.choice(mine)
            while (value := _value(rng, int(held.key.rpartition("_")[2]))) == held.value and held.type != "boolean":
                pass
            if held.type == "boolean":
                value = "false" if held.value == "true" else "true"
            put(world, store, record, (held.namespace, held.key), held.type, value, at)
            changed.append(record.id)
    return changed


_TYPES = ("single_line_text_field", "number_integer", "boolean", "list.single_line_text_field")
_WORDS = ("oily", "dry", "mixed", "linen", "wool", "silk", "north", "south", "small", "large", "early", "late")


def _type(number: int) -> str:
    return _TYPES[(number - 1) % len(_TYPES)]


def _value(rng: random.Random, number: int) -> str:
    match _type(number):
        case "number_integer":
            return str(rng.randrange(1_000))
        case "boolean":
            return rng.choice(("true", "false"))
        case "single_line_text_field":
            return rng.choice(_WORDS)
    return "[" + ",".join(f'"{word}"' for word in rng.sample(_WORDS, 2)) + "]"


def _held(record: Record, name: Name) -> Metafield | None:
    return next((each for each in record.metafields if (each.namespace, each.key) == name), None)


def _all(store: Store, owner: str) -> list[Record]:
    shelves = {"customer": store.customers, "product": store.products, "variant": store.variants}
    return list(shelves[owner].values())  # type: ignore[attr-defined]
