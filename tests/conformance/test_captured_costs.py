"""What a query asks for is priced as the real Admin API was captured pricing it."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from graphql import GraphQLSchema, OperationDefinitionNode, build_schema, parse, value_from_ast_untyped
from sources import need

from sims.shopify.cost import Price, size

LEAST_SHARE = 0.95


@cache
def official() -> GraphQLSchema:
    """The whole Admin schema; a few of its interfaces disagree with their types, which does not matter here."""
    return build_schema(need("admin_2026-10.graphql").read_text(), assume_valid=True)


def priced(
    captured: Any, around: tuple[dict[str, Any], ...] = ()
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Walk text, variables and cost of every captured call whose text was kept."""
    if isinstance(captured, dict):
        cost = (captured.get("extensions") or {}).get("cost") if isinstance(captured.get("extensions"), dict) else None
        if isinstance(cost, dict) and "requestedQueryCost" in cost:
            asked = _asked(around)
            if asked is not None:
                yield *asked, {**cost, "data": captured.get("data")}
        for value in captured.values():
            yield from priced(value, (*around, captured))
    elif isinstance(captured, list):
        for value in captured:
            yield from priced(value, around)


def _asked(around: tuple[dict[str, Any], ...]) -> tuple[str, dict[str, Any]] | None:
    """Find the text nearest to an answer; a nearer call whose text was left out ends the search."""
    for outer in reversed(around):
        request = outer.get("request")
        for place in (outer, request if isinstance(request, dict) else {}):
            for key in ("query", "document", "mutation"):
                text = place.get(key)
                if isinstance(text, str) and "{" in text:
                    return text, place.get("variables") or {}
        if isinstance(outer.get("documentPath"), str):
            return None
    return None


def each_call() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Walk every distinct captured call."""
    seen: set[str] = set()
    for path in sorted(need("live-captures").glob("*/*.json")):
        for text, variables, cost in priced(json.loads(path.read_text())):
            key = json.dumps([text, variables, cost["requestedQueryCost"]], sort_keys=True)
            if key not in seen:
                seen.add(key)
                yield text, variables, cost


def price_of(text: str, variables: dict[str, Any]) -> tuple[Price, OperationDefinitionNode]:
    """Read a text and prepare its price."""
    document = parse(text)
    operation = next(each for each in document.definitions if isinstance(each, OperationDefinitionNode))
    given = dict(variables)
    for each in operation.variable_definitions or ():
        if each.default_value is not None:
            given.setdefault(each.variable.name.value, value_from_ast_untyped(each.default_value))
    return Price(official(), document, given), operation


def test_what_a_query_asks_for_is_predicted(record_property: Any) -> None:
    right, wrong = 0, []
    for text, variables, cost in each_call():
        price, operation = price_of(text, variables)
        predicted = price.requested(operation)
        if predicted == cost["requestedQueryCost"]:
            right += 1
        else:
            wrong.append(f"{predicted} instead of {cost['requestedQueryCost']}: {' '.join(text.split())[:90]}")
    share = right / (right + len(wrong))
    print(f"\n{right} of {right + len(wrong)} captured prices predicted exactly ({share:.1%}); the others:")
    print("\n".join(wrong))
    record_property("predicted", share)
    assert right > 700
    assert share >= LEAST_SHARE


def test_a_query_is_never_charged_more_than_it_asked_for() -> None:
    for text, variables, cost in each_call():
        if isinstance(cost["data"], dict):
            price, operation = price_of(text, variables)
            assert price.actual(operation, cost["data"]) <= price.requested(operation)


@pytest.mark.parametrize(
    ("n", "points"), [(0, 0), (1, 1), (3, 2), (5, 3), (10, 4), (20, 5), (50, 7), (100, 9), (250, 11)]
)
def test_a_connection_grows_like_a_logarithm(n: int, points: int) -> None:
    assert size(n) == points
