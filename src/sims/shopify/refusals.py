"""What is said of an operation that is not valid, in the words of captured answers.

graphql-core finds what is wrong; its findings are told again the way Shopify does. What no capture shows keeps
graphql-core's wording.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    Node,
    ObjectFieldNode,
    OperationDefinitionNode,
    StringValueNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    print_ast,
    validate,
    visit,
)

from sims.shopify.inputs import GID, Invalid

Told = dict[str, Any]


def of_syntax(error: GraphQLSyntaxError) -> Told:
    """Tell that a text is no GraphQL; the wording is ASSUMED."""
    return {"message": f"syntax error: {error.message}", "locations": _locations(error.locations)}


def of_validation(schema: GraphQLSchema, document: DocumentNode) -> list[Told]:
    """Tell everything that is wrong with a document; empty when nothing is."""
    findings = validate(schema, document)
    trails = _Trails(schema)
    if findings or any(True for _ in _ids(document)):
        visit(document, TypeInfoVisitor(trails.types, trails))
    return [_told(finding, trails) for finding in findings] or list(trails.bad_ids)


def of_variable(invalid: Invalid) -> Told:
    """Tell why a variable cannot be used."""
    places = [
        f"{'.'.join(str(step) for step in problem.path)} ({problem.explanation})"
        for problem in invalid.problems
        if problem.path
    ]
    message = f"Variable ${invalid.name} of type {invalid.type} was provided invalid value"
    start = invalid.node.loc.start_token
    return {
        "message": f"{message} for {', '.join(places)}" if places else message,
        "locations": [{"line": start.line, "column": start.column}],
        "extensions": {
            "code": "INVALID_VARIABLE",
            "value": invalid.value,
            "problems": [problem.as_dict() for problem in invalid.problems],
        },
    }


class _Trails(Visitor):
    """Remembers for every node how it is reached: operation, fields, argument; and finds ids that are none."""

    def __init__(self, schema: GraphQLSchema) -> None:
        super().__init__()
        self.types = TypeInfo(schema)
        self.bad_ids: list[Told] = []
        self._steps: list[str] = []
        self._fields: list[FieldNode] = []
        self._arguments: list[str] = []
        self._by_node: dict[int, tuple[list[str], FieldNode | None, str, str]] = {}

    def of(self, node: Node) -> tuple[list[str], FieldNode | None, str, str]:
        """Return the path of a node, its field, that field's parent type and the type expected here."""
        return self._by_node.get(id(node), ([], None, "", ""))

    def enter(self, node: Node, *_: Any) -> None:
        if isinstance(node, OperationDefinitionNode):
            name = f" {node.name.value}" if node.name else ""
            self._steps.append(f"{node.operation.value}{name}")
        elif isinstance(node, FieldNode):
            self._steps.append((node.alias or node.name).value)
            self._fields.append(node)
        elif isinstance(node, (ArgumentNode, ObjectFieldNode)):
            self._steps.append(node.name.value)
        parent, expected = self.types.get_parent_type(), self.types.get_input_type()
        field = self._fields[-1] if self._fields else None
        self._by_node[id(node)] = (list(self._steps), field, parent.name if parent else "", str(expected))
        is_id = expected is not None and get_named_type(expected).name == "ID"
        if is_id and isinstance(node, StringValueNode) and not GID.fullmatch(node.value) and field is not None:
            extensions = {"code": "argumentLiteralsIncompatible", "typeName": "CoercionError"}
            told = f"Invalid global id '{node.value}'"
            self.bad_ids.append(
                {"message": told, "locations": start(field), "path": list(self._steps), "extensions": extensions}
            )

    def leave(self, node: Node, *_: Any) -> None:
        if isinstance(node, (OperationDefinitionNode, FieldNode, ArgumentNode, ObjectFieldNode)):
            self._steps.pop()
        if isinstance(node, FieldNode):
            self._fields.pop()


def _told(finding: GraphQLError, trails: _Trails) -> Told:
    for pattern, tell in _TELLINGS:
        match = re.match(pattern, finding.message)
        if match is not None and finding.nodes:
            return tell(match, finding.nodes[0], trails)
    return {"message": finding.message, "locations": _locations(finding.locations)}


def _undefined_field(match: re.Match[str], node: Any, trails: _Trails) -> Told:
    path, _, _, _ = trails.of(node)
    return {
        "message": f"Field '{match[1]}' doesn't exist on type '{match[2]}'",
        "locations": start(node),
        "path": path,
        "extensions": {"code": "undefinedField", "typeName": match[2], "fieldName": match[1]},
    }


def _unknown_argument(match: re.Match[str], node: Any, trails: _Trails) -> Told:
    path, field, _, _ = trails.of(node)
    name = field.name.value if field is not None else ""
    return {
        "message": f"Field '{name}' doesn't accept argument '{match[1]}'",
        "locations": start(node),
        "path": path,
        "extensions": {
            "code": "argumentNotAccepted",
            "name": name,
            "typeName": "Field",
            "argumentName": match[1],
        },
    }


def _missing_argument(match: re.Match[str], node: Any, trails: _Trails) -> Told:
    path, _, _, _ = trails.of(node)
    return {
        "message": f"Field '{node.name.value}' is missing required arguments: {match[1]}",
        "locations": start(node),
        "path": path,
        "extensions": {
            "code": "missingRequiredArguments",
            "className": "Field",
            "name": node.name.value,
            "arguments": match[1],
        },
    }


def _bad_literal(_match: re.Match[str], node: Any, trails: _Trails) -> Told:
    path, field, _, expected = trails.of(node)
    name, argument = (field.name.value if field is not None else ""), (path[-1] if path else "")
    return {
        "message": (
            f"Argument '{argument}' on Field '{name}' has an invalid value ({print_ast(node)}). "
            f"Expected type '{expected}'."
        ),
        "locations": start(field or node),
        "path": path,
        "extensions": {"code": "argumentLiteralsIncompatible", "typeName": "Field", "argumentName": argument},
    }


def _unknown_input_field(match: re.Match[str], node: Any, trails: _Trails) -> Told:
    path, _, _, _ = trails.of(node)
    return {
        "message": f"InputObject '{match[1]}' doesn't accept argument '{match[2]}'",
        "locations": start(node),
        "path": path,
        "extensions": {
            "code": "argumentNotAccepted",
            "name": match[1],
            "typeName": "InputObject",
            "argumentName": match[2],
        },
    }


def _missing_input_field(match: re.Match[str], node: Any, trails: _Trails) -> Told:
    path, _, _, _ = trails.of(node)
    kind = str(trails.types.schema.type_map[match[1]].fields[match[2]].type)  # type: ignore[attr-defined]
    return {
        "message": f"Argument '{match[2]}' on InputObject '{match[1]}' is required. Expected type {kind}",
        "locations": start(node),
        "path": [*path, match[2]],
        "extensions": {
            "code": "missingRequiredInputObjectAttribute",
            "argumentName": match[2],
            "argumentType": kind,
            "inputObjectType": match[1],
        },
    }


def _unused_variable(match: re.Match[str], node: Any, trails: _Trails) -> Told:
    path, _, _, _ = trails.of(node)
    operation = match[2] or "anonymous query"
    return {
        "message": f"Variable ${match[1]} is declared by {operation} but not used",
        "locations": [{"line": 1, "column": 1}],
        "path": path,
        "extensions": {"code": "variableNotUsed", "variableName": match[1]},
    }


_TELLINGS: tuple[tuple[str, Callable[[re.Match[str], Any, _Trails], Told]], ...] = (
    (r"Cannot query field '(\w+)' on type '(\w+)'", _undefined_field),
    (r"Unknown argument '(\w+)' on field", _unknown_argument),
    (r"Argument '\w+\.\w+\((\w+):\)' of type .* is required", _missing_argument),
    (r"Value '.*' does not exist in '\w+' enum", _bad_literal),
    (r"Expected value of non-null type", _bad_literal),
    (r"Expected value of type '(\w+)' not to include unknown field '(\w+)'", _unknown_input_field),
    (r"Expected value of type '(\w+)' to include required field '(\w+)'", _missing_input_field),
    (r"Variable '\$(\w+)' is never used(?: in operation '(\w+)')?", _unused_variable),
)


def _ids(document: DocumentNode) -> Iterator[StringValueNode]:
    """Find texts that might be meant as ids: cheap, so that a valid document is not walked twice."""
    text = document.loc.source.body if document.loc is not None else ""
    if '"' in text:
        yield StringValueNode(value="")


def start(node: Node) -> list[dict[str, int]]:
    """Return where a node begins, as `locations` tells it."""
    if node.loc is None:
        return []
    return [{"line": node.loc.start_token.line, "column": node.loc.start_token.column}]


def _locations(found: Any) -> list[dict[str, int]]:
    return [{"line": each.line, "column": each.column} for each in found or ()]
