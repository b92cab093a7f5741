"""The schema of the simulated shop, and how each of its fields is read from a view.

A view is a plain class with the name of a GraphQL type in `type_name`; the field `currentTotalPriceSet` is its
attribute, property or method `current_total_price_set`. Small value types such as MoneyBag are plain dicts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from operator import attrgetter, itemgetter
from typing import Any

from graphql import GraphQLSchema, build_schema

Read = Callable[[Any, Mapping[str, Any]], Any]
"""Reads one field from its object, given the arguments under their Python names."""


@cache
def load() -> GraphQLSchema:
    """Return the schema subset; the same object for all, since nobody changes it."""
    return build_schema(files("sims.shopify").joinpath("schema.graphql").read_text())


@cache
def snake(name: str) -> str:
    """Return a GraphQL name as Python spells it: `legacyResourceId` → `legacy_resource_id`, `return` → `return_`."""
    spelt = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
    return f"{spelt}_" if spelt == "return" else spelt


def reader(view: type | None, field: str) -> tuple[Read, bool]:
    """Return how a field of a view is read, and whether it is computed with arguments.

    Raises `AttributeError` when a view lacks the field, so that a schema nobody answers is found when it is compiled.
    """
    if view is None:
        get_item = itemgetter(field)
        return (lambda source, _: get_item(source)), False
    name = snake(field)
    held = getattr(view, name, None)
    if held is None and name not in getattr(view, "__annotations__", {}):
        raise AttributeError(f"{view.__name__} has no {name}")
    if isinstance(held, property) and held.fget is not None:
        fget = held.fget
        return (lambda source, _: fget(source)), False
    if callable(held):
        method: Callable[..., Any] = held
        return (lambda source, given: method(source, **given)), True
    get = attrgetter(name)
    return (lambda source, _: get(source)), False
