"""One GraphQL call: read, validated, priced, paid for, run, and told the way Shopify tells it.

https://shopify.dev/docs/api/admin-graphql and, for the price, …/docs/apps/build/apis/graphql-admin/rate-limits. All
of it is answered with HTTP 200, errors too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    execute_sync,
    parse,
)

from sims.shopify import inputs, refusals, schema
from sims.shopify.cost import Price
from sims.shopify.execute import Plan, switches
from sims.shopify.throttle import SINGLE_QUERY_MAX, Bucket
from sims.shopify.views.mutation import Mutation
from sims.shopify.views.query import QueryRoot
from sims.shopify.views.registry import view_of
from sims.shopify.views.sight import Sight

LIMITS = "https://shopify.dev/api/usage/rate-limits"
KEPT = 256
"""Compiled texts kept; an application sends a few dozen."""


@dataclass(slots=True)
class Text:
    """A document that was read once: what is wrong with it, or its plans by the value of its switches."""

    document: DocumentNode | None
    errors: list[dict[str, Any]]
    plans: dict[tuple[Any, ...], Plan] = field(default_factory=dict)


class Library:
    """The texts read lately, compiled. All shops of a process share them: a text means the same in each."""

    def __init__(self) -> None:
        self.schema = schema.load()

    def read(self, query: str) -> Text:
        """Return a text read and validated."""
        return _read(query)

    def plan(self, text: Text, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> Plan:
        """Return the compiled operation of a valid text."""
        assert text.document is not None  # noqa: S101 - a text without errors has one
        chosen = switches(text.document, variables)
        key = (operation.name.value if operation.name else "", *sorted(chosen.items()))
        plan = text.plans.get(key)
        if plan is None:
            plan = text.plans[key] = Plan(self.schema, view_of, text.document, operation, chosen)
        return plan


@lru_cache(maxsize=KEPT)
def _read(query: str) -> Text:
    try:
        document = parse(query)
    except GraphQLSyntaxError as error:
        return Text(None, [refusals.of_syntax(error)])
    return Text(document, refusals.of_validation(schema.load(), document))


@dataclass(slots=True)
class Answer:
    """What goes back, and how the tape sums it up."""

    body: dict[str, Any]
    summary: dict[str, Any]


def answer(library: Library, call: Any, sight: Sight, bucket: Bucket, *, is_throttled: bool = False) -> Answer:
    """Answer one call, whose body has `query`, `variables` and `operationName`; `is_throttled` empties its bucket."""
    if not isinstance(call, dict) or not isinstance(call.get("query"), str):
        return _refused([{"message": "A query attribute must be specified and must be a string."}], "no query")
    given = call.get("variables")
    given = given if isinstance(given, dict) else {}
    text = library.read(call["query"])
    if text.errors or text.document is None:
        return _refused(text.errors, "invalid")
    operation = _chosen(text.document, call.get("operationName"))
    if operation is None:
        return _refused([{"message": "An operation name is required"}], "no operation")
    name = operation.name.value if operation.name else operation.operation.value
    variables, invalid = inputs.variables(library.schema, operation, given)
    if invalid:
        return _refused([refusals.of_variable(each) for each in invalid], name)
    price = Price(library.schema, text.document, variables)
    requested = price.requested(operation)
    if requested > SINGLE_QUERY_MAX:
        return _refused([_too_dear(requested)], name)
    oversize = _oversize(library, operation, variables)
    if oversize is not None:
        extensions = {"cost": _cost(requested, None, bucket, sight.now)}
        return Answer({"errors": [oversize], "extensions": extensions}, {"operation": name, "errors": 1})
    if is_throttled or not bucket.take(requested, sight.now):
        return Answer(_throttled(requested, bucket, sight.now), {"operation": name, "throttled": True})
    return _run(library, text, operation, variables, sight, bucket, price, requested, name)


def _run(
    library: Library,
    text: Text,
    operation: OperationDefinitionNode,
    variables: dict[str, Any],
    sight: Sight,
    bucket: Bucket,
    price: Price,
    requested: int,
    name: str,
) -> Answer:
    sight.run.variables = variables
    root: Any = QueryRoot(sight) if operation.operation is OperationType.QUERY else Mutation(sight)
    if _is_introspection(operation):
        assert text.document is not None  # noqa: S101
        data: Any = execute_sync(library.schema, text.document, variable_values=variables).data
    else:
        data = library.plan(text, operation, variables).run(root, sight.run)
    actual = price.actual(operation, data)
    bucket.give(requested - actual)
    body: dict[str, Any] = {"data": data}
    if sight.run.errors:
        body["errors"] = sight.run.errors
    extensions: dict[str, Any] = {"cost": _cost(requested, actual, bucket, sight.now)}
    searches = [found.told(path) for path, found in sight.searches if found.warnings or sight.tells_searches]
    if searches:
        extensions["search"] = searches
    body["extensions"] = extensions
    return Answer(body, {"operation": name, "cost": actual, "errors": len(sight.run.errors)})


def _chosen(document: DocumentNode, name: Any) -> OperationDefinitionNode | None:
    found = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    if name is None:
        return found[0] if len(found) == 1 else None
    return next((each for each in found if each.name is not None and each.name.value == name), None)


def _is_introspection(operation: OperationDefinitionNode) -> bool:
    names = [getattr(getattr(each, "name", None), "value", "") for each in operation.selection_set.selections]
    return bool(names) and all(each.startswith("__") and each != "__typename" for each in names)


def _oversize(library: Library, operation: OperationDefinitionNode, variables: dict[str, Any]) -> dict[str, Any] | None:
    root = library.schema.get_root_type(operation.operation)
    for node in operation.selection_set.selections:
        if root is None or not isinstance(node, FieldNode) or node.name.value not in root.fields:
            continue
        definition = root.fields[node.name.value]
        key = (node.alias or node.name).value
        found = inputs.too_long(inputs.arguments(definition, node, variables), (key,))
        if found is not None:
            path, length = found
            told = f"The input array size of {length} is greater than the maximum allowed of {inputs.MAX_ARRAY}."
            return {
                "message": told,
                "locations": refusals.start(node),
                "path": list(path),
                "extensions": {"code": "MAX_INPUT_SIZE_EXCEEDED"},
            }
    return None


def _cost(requested: int, actual: int | None, bucket: Bucket, now: datetime) -> dict[str, Any]:
    return {
        "requestedQueryCost": requested,
        "actualQueryCost": actual,
        "throttleStatus": bucket.status(now),
    }


def _throttled(requested: int, bucket: Bucket, now: datetime) -> dict[str, Any]:
    error = {"message": "Throttled", "extensions": {"code": "THROTTLED", "documentation": LIMITS}}
    return {"errors": [error], "extensions": {"cost": _cost(requested, None, bucket, now)}}


def _too_dear(requested: int) -> dict[str, Any]:
    return {
        "message": (
            f"Query cost is {requested}, which exceeds the single query max cost limit ({SINGLE_QUERY_MAX}). "
            f"See {LIMITS} for more information on how the cost of a query is calculated."
        ),
        "extensions": {
            "code": "MAX_COST_EXCEEDED",
            "cost": requested,
            "maxCost": SINGLE_QUERY_MAX,
            "documentation": LIMITS,
        },
    }


def _refused(errors: list[dict[str, Any]], name: str) -> Answer:
    return Answer({"errors": errors}, {"operation": name, "errors": len(errors)})
