"""What makes a query unfit for a bulk operation, in the words of captured answers.

https://shopify.dev/docs/api/usage/bulk-operations/queries#operation-restrictions. The shape is judged from the text
alone where the schema of the simulated shop ends; a field that is in no schema is told afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    is_list_type,
    is_non_null_type,
    parse,
)

from sims.shopify import refusals

MAX_BYTES = 65_535
MAX_CONNECTIONS = 5
MAX_DEPTH = 2
"""Connections inside a root connection: one below another twice, not thrice."""

TOP_LEVEL = ("node", "nodes")


@dataclass(slots=True)
class Shape:
    """What was met on the way through a query."""

    n_connections: int = 0
    depth: int = 0
    by_nodes: list[str] = field(default_factory=list)
    without_id: list[str] = field(default_factory=list)
    is_in_list: bool = False


@lru_cache(maxsize=64)  # an application sends a handful; reading one takes a tenth of a second
def read(text: str, schema: GraphQLSchema) -> tuple[DocumentNode | None, tuple[str, ...]]:
    """Return a bulk query ready to be run, or everything that is wrong with it."""
    size = len(text.encode())
    if size > MAX_BYTES:
        return None, (f"Query is too large ({size} bytes; maximum is {MAX_BYTES} bytes)",)
    try:
        document = parse(text)
    except GraphQLSyntaxError as error:
        return None, (f"Invalid bulk query: {_syntax(error)}",)
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    if len(operations) != 1 or operations[0].operation is not OperationType.QUERY:
        return None, ("Invalid operation type. Only `query` operations are supported.",)
    found = list(_complaints(document, operations[0], schema))
    if not found:
        found = [f"Invalid bulk query: {each['message']}" for each in refusals.of_validation(schema, document)]
    return (None, tuple(found)) if found else (document, ())


def _syntax(error: GraphQLSyntaxError) -> str:
    """Tell a text that is no GraphQL; only its end was captured, the rest is ASSUMED."""
    at_end = "<EOF>" in error.message
    return (
        "syntax error, unexpected end of file" if at_end else error.message.replace("Syntax Error: ", "syntax error, ")
    )


def _complaints(document: DocumentNode, operation: OperationDefinitionNode, schema: GraphQLSchema) -> Iterator[str]:
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    for each in _fields(operation.selection_set, fragments):
        if each.name.value in TOP_LEVEL:
            yield f"Bulk queries cannot contain a top level `{each.name.value}` field."
    shape = Shape()
    _walk(operation.selection_set, schema.query_type, fragments, schema, shape)
    if not shape.n_connections:
        yield "Bulk queries must contain at least one connection."
    if shape.by_nodes:
        yield (
            "All connection fields in a bulk query must select their contents using 'edges' > 'node', e.g: "
            f"'{shape.by_nodes[0]} {{ edges {{ node {{'. Selecting via 'nodes' is not supported. Invalid connection "
            f"fields: {_quoted(shape.by_nodes)}."
        )
    if shape.depth > MAX_DEPTH + 1:
        yield f"Bulk queries cannot contain connections with a nesting depth greater than {MAX_DEPTH}."
    if shape.n_connections > MAX_CONNECTIONS:
        yield f"Bulk queries cannot contain more than {MAX_CONNECTIONS} connections."
    if shape.without_id:
        yield (
            "The parent 'node' field for a nested connection must select the 'id' field without an alias and must be "
            f"of 'ID' return type. Connection fields without 'id': {', '.join(shape.without_id)}."
        )
    if shape.is_in_list:
        yield "Queries that contain a connection field within a list field are not currently supported."


def _walk(
    selection: SelectionSetNode | None,
    parent: Any,
    fragments: dict[str, FragmentDefinitionNode],
    schema: GraphQLSchema,
    shape: Shape,
    depth: int = 0,
    in_list: bool = False,
    around: FieldNode | None = None,
    has_id: bool = True,
) -> None:
    """Visit a selection; `around` is the connection it stands in, `has_id` whether that one's node selects its id."""
    for each in _fields(selection, fragments):
        known = getattr(parent, "fields", {}).get(each.name.value)
        named = None if known is None else get_named_type(known.type)
        inner = list(_fields(each.selection_set, fragments))
        names = {one.name.value for one in inner}
        if not (names & {"edges", "nodes"} if named is None else named.name.endswith("Connection")):
            is_list = known is not None and _is_list(known.type)
            _walk(each.selection_set, named, fragments, schema, shape, depth, in_list or is_list, around, has_id)
            continue
        shape.n_connections += 1
        shape.depth = max(shape.depth, depth + 1)
        shape.is_in_list = shape.is_in_list or in_list
        if around is not None and not has_id and around.name.value not in shape.without_id:
            shape.without_id.append(around.name.value)
        if "nodes" in names:
            shape.by_nodes.append(each.name.value)
        node_type = (
            None if named is None else get_named_type(get_named_type(named.fields["edges"].type).fields["node"].type)
        )
        for edges in inner:
            for node in _fields(edges.selection_set, fragments) if edges.name.value == "edges" else ():
                if node.name.value == "node":
                    selects_id = any(
                        one.name.value == "id" and one.alias is None for one in _fields(node.selection_set, fragments)
                    )
                    _walk(node.selection_set, node_type, fragments, schema, shape, depth + 1, False, each, selects_id)


def _fields(selection: SelectionSetNode | None, fragments: dict[str, FragmentDefinitionNode]) -> Iterator[FieldNode]:
    """Walk the fields of a selection, those of its fragments among them."""
    for each in selection.selections if selection is not None else ():
        if isinstance(each, FieldNode):
            yield each
        elif isinstance(each, FragmentSpreadNode):
            if each.name.value in fragments:
                yield from _fields(fragments[each.name.value].selection_set, fragments)
        else:
            yield from _fields(getattr(each, "selection_set", None), fragments)


def _is_list(kind: Any) -> bool:
    return is_list_type(kind.of_type if is_non_null_type(kind) else kind)


def _quoted(names: list[str]) -> str:
    return ", ".join(f"'{each}'" for each in names)
