"""What a query costs, before and after it runs.

Shopify documents the idea (https://shopify.dev/docs/apps/build/apis/graphql-admin/rate-limits) but not the numbers;
these were fitted on captured answers and predict `requestedQueryCost` of 98 in 100 of them exactly
(tests/conformance/test_captured_costs.py). What a query is charged after it ran is ASSUMED: the same sum over what
came back, where a null object costs its field alone and a connection is as long as its answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLField,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    introspection_types,
    is_composite_type,
    is_leaf_type,
    is_object_type,
    value_from_ast_untyped,
)

MUTATION = 10
ROOT_COUNT = 10
"""A root field such as `ordersCount`."""
CONNECTION = 2
OBJECT = 1

FREE = frozenset(
    {
        "Count",
        "CustomerEmailMarketingConsentState",
        "CustomerSmsMarketingConsentState",
        "LocationAddress",
        "MoneyBag",
        "MoneyV2",
        "PageInfo",
    }
)
"""Object types that cost nothing; error types cost nothing either, but for those below."""

PRICED_ERRORS = frozenset({"CustomerMergeError"})
"""Error types that cost like any other object (captured)."""

MANUAL = {("Customer", "defaultAddress"): 0, ("StoreCreditAccount", "balance"): 5}
"""Fields with a price of their own."""

Shape = Mapping[str, Any] | None
"""The answer beside which a query is priced; None before it ran."""


def size(n: int) -> int:
    """Return what a connection of `n` nodes is charged for: 1→1, 3→2, 10→4, 50→7, 250→11."""
    return 0 if n <= 0 else max(1, math.floor(2 * math.log(n)))


class Price:
    """The price of one operation with its variables."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self._schema = schema
        self._variables = variables
        self._fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }

    def requested(self, operation: OperationDefinitionNode) -> int:
        """Return the points that must be in the bucket before the operation runs."""
        return self._root(operation, None)

    def actual(self, operation: OperationDefinitionNode, data: Shape) -> int:
        """Return the points kept once `data` came back; never more than was requested.

        An answer of nothing at all is charged like one whose root fields are null (captured).
        """
        return self._root(operation, {} if data is None else data)

    def _root(self, operation: OperationDefinitionNode, data: Shape) -> int:
        root = self._schema.get_root_type(operation.operation)
        assert root is not None  # noqa: S101 - the operation was validated
        return sum(self._root_field(node, root, data) for node in self._fields(operation.selection_set, root))

    def _root_field(self, node: FieldNode, root: GraphQLCompositeType, data: Shape) -> int:
        definition = self._definition(root, node)
        if definition is None or is_leaf_type(get_named_type(definition.type)):
            return 0
        part = None if data is None else data.get(_key(node))
        is_gone = data is not None and part is None
        if root is self._schema.mutation_type:
            return MUTATION if is_gone else MUTATION + self._payload(node, definition, part)
        if node.name.value.endswith("Count"):
            return ROOT_COUNT
        return self._field(node, root, data)

    def _payload(self, node: FieldNode, definition: GraphQLField, part: Shape) -> int:
        """The first objects of a mutation's payload are free; what hangs on them is not."""
        payload = get_named_type(definition.type)
        points = 0
        for child in self._fields(node.selection_set, payload):
            inner = self._definition(payload, child)
            named = None if inner is None else get_named_type(inner.type)
            if named is None or not is_composite_type(named) or _is_error(named.name):
                continue
            if named.name.endswith("Connection"):
                points += self._field(child, payload, part)
            elif part is None or part.get(_key(child)) is not None:
                points += self._selection(child.selection_set, named, None if part is None else part[_key(child)])
        return points

    def _selection(self, selection: SelectionSetNode | None, parent: Any, data: Any) -> int:
        """Price a selection on a type; of several types that one object may be, the dearest counts."""
        if isinstance(data, list):
            data = next((each for each in data if each is not None), None)
            if data is None:
                return 0
        points = sum(self._field(node, parent, data) for node in self._fields(selection, parent))
        branches: dict[str, int] = {}
        for condition, inner in self._branches(selection, parent):
            branches[condition] = branches.get(condition, 0) + self._selection(inner, self._type(condition), data)
        return points + max(branches.values(), default=0)

    def _field(self, node: FieldNode, parent: Any, data: Any) -> int:
        definition = self._definition(parent, node)
        manual = MANUAL.get((parent.name, node.name.value))
        if manual is not None:
            return manual
        named = None if definition is None else get_named_type(definition.type)
        if named is None or not is_composite_type(named) or named.name in FREE or _is_error(named.name):
            return 0
        part = None if data is None else data.get(_key(node))
        if named.name.endswith("Connection"):
            is_gone = data is not None and part is None
            return CONNECTION if is_gone else self._connection(node, named, part)
        if data is not None and not part:
            return OBJECT
        return OBJECT + self._selection(node.selection_set, named, part)

    def _connection(self, node: FieldNode, connection: Any, data: Shape) -> int:
        points = CONNECTION
        for child in self._fields(node.selection_set, connection):
            name = child.name.value
            if name not in ("nodes", "edges"):
                points += self._field(child, connection, data)
                continue
            part = None if data is None else data.get(_key(child)) or []
            if part == []:
                return points + size(self._length(node))  # seen live: an empty answer is charged for the asking
            n = self._length(node) if part is None else len(part)
            one = get_named_type(connection.fields[name].type)
            if name == "nodes":
                points += size(n) * (OBJECT + self._selection(child.selection_set, one, part))
                continue
            for leaf in self._fields(child.selection_set, one):
                if leaf.name.value == "node":
                    inner = None if part is None else [edge[_key(leaf)] for edge in part]
                    named = get_named_type(one.fields["node"].type)
                    points += size(n) * (OBJECT + self._selection(leaf.selection_set, named, inner))
        return points

    def _length(self, node: FieldNode) -> int:
        given = {each.name.value: self._value(each.value) for each in node.arguments or ()}
        n = given.get("first")
        n = given.get("last") if n is None else n
        return n if isinstance(n, int) else 0

    def _fields(self, selection: SelectionSetNode | None, parent: Any) -> Iterator[FieldNode]:
        """Walk the fields that every object of a type is asked for."""
        for node in self._live(selection):
            if isinstance(node, FieldNode):
                yield node
                continue
            condition, inner = self._spread(node)
            if condition in (None, parent.name) or is_object_type(parent):
                yield from self._fields(inner, parent)

    def _branches(self, selection: SelectionSetNode | None, parent: Any) -> Iterator[tuple[str, SelectionSetNode]]:
        """Walk what an abstract type is asked for only when it is of a certain type."""
        if is_object_type(parent):
            return
        for node in self._live(selection):
            if isinstance(node, FieldNode):
                continue
            condition, inner = self._spread(node)
            if condition in (None, parent.name):
                yield from self._branches(inner, parent)
            elif condition is not None and self._type(condition) is not None:
                yield condition, inner

    def _live(self, selection: SelectionSetNode | None) -> Iterator[SelectionNode]:
        for node in selection.selections if selection else ():
            if all(self._includes(each) for each in node.directives or ()):
                yield node

    def _includes(self, directive: Any) -> bool:
        name = directive.name.value
        if name not in ("skip", "include"):
            return True
        value = next((self._value(each.value) for each in directive.arguments or ()), None)
        return not value if name == "skip" else bool(value)

    def _spread(self, node: Any) -> tuple[str | None, SelectionSetNode]:
        fragment = self._fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
        condition = fragment.type_condition
        return (condition.name.value if condition else None), fragment.selection_set

    def _definition(self, parent: Any, node: FieldNode) -> GraphQLField | None:
        return self._schema.get_field(parent, node.name.value)

    def _type(self, name: str) -> Any:
        return self._schema.type_map.get(name) or introspection_types.get(name)

    def _value(self, node: Any) -> Any:
        return self._variables.get(node.name.value) if isinstance(node, VariableNode) else value_from_ast_untyped(node)


def _key(node: FieldNode) -> str:
    return (node.alias or node.name).value


def _is_error(name: str) -> bool:
    return name.endswith(("Error", "Errors")) and name not in PRICED_ERRORS
