"""Inputs of an operation: variables and arguments become values, or a list of what is wrong with them.

The wording of each problem is that of captured answers (live-captures/customers, webhooks and bulk-operations).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from graphql import (
    FieldNode,
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLSchema,
    OperationDefinitionNode,
    VariableNode,
    is_enum_type,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
    type_from_ast,
    value_from_ast_untyped,
)

MAX_ARRAY = 250
"""Longest list an input may hold: "The input array size of 251 is greater than the maximum allowed of 250."."""

GID = re.compile(r"gid://shopify/[A-Za-z]+/[^/\s]+")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at one place of a value."""

    path: tuple[str | int, ...]
    explanation: str
    is_coercion: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the problem as `extensions.problems` lists it; a scalar's own complaint is told twice."""
        told: dict[str, Any] = {"path": list(self.path), "explanation": self.explanation}
        return {**told, "message": self.explanation} if self.is_coercion else told


@dataclass(frozen=True, slots=True)
class Invalid:
    """A variable that cannot be used."""

    name: str
    type: str
    value: Any
    node: Any
    problems: tuple[Problem, ...]


def variables(
    schema: GraphQLSchema, operation: OperationDefinitionNode, given: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Invalid]]:
    """Return the operation's variables as values, defaults filled in, and those that cannot be used."""
    values: dict[str, Any] = {}
    invalid: list[Invalid] = []
    for definition in operation.variable_definitions or ():
        name, kind = definition.variable.name.value, type_from_ast(schema, definition.type)
        if name not in given and definition.default_value is not None:
            values[name] = value_from_ast_untyped(definition.default_value)
            continue
        if name not in given and not is_non_null_type(kind):
            continue
        problems: list[Problem] = []
        value = coerce(given.get(name), kind, (), problems)
        if problems:
            invalid.append(Invalid(name, str(kind), given.get(name), definition, tuple(problems)))
        else:
            values[name] = value
    return values, invalid


def arguments(field: GraphQLField, node: FieldNode, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a validated field under their GraphQL names, defaults filled in."""
    written = {each.name.value: each.value for each in node.arguments or ()}
    values: dict[str, Any] = {}
    for name, argument in field.args.items():
        value = written.get(name)
        if isinstance(value, VariableNode):
            if value.name.value in known:
                values[name] = known[value.name.value]
                continue
            value = None
        if value is not None:
            values[name] = coerce(value_from_ast_untyped(value, dict(known)), argument.type, (), [])
        else:
            default = default_of(argument)
            if default is not None:
                values[name] = default
    return values


def default_of(argument: GraphQLArgument | GraphQLInputField) -> Any:
    """Return an argument's default value, None when it has none."""
    node = argument.ast_node
    return value_from_ast_untyped(node.default_value) if node is not None and node.default_value is not None else None


def coerce(value: Any, kind: Any, path: tuple[str | int, ...], problems: list[Problem]) -> Any:
    """Return `value` as an input of a type; what does not fit is added to `problems`."""
    if is_non_null_type(kind):
        if value is None:
            problems.append(Problem(path, "Expected value to not be null"))
            return None
        return coerce(value, kind.of_type, path, problems)
    if value is None:
        return None
    if is_list_type(kind):
        items = value if isinstance(value, list) else [value]
        return [coerce(item, kind.of_type, (*path, n), problems) for n, item in enumerate(items)]
    if is_input_object_type(kind):
        return _object(value, kind, path, problems)
    if is_enum_type(kind):
        if value not in kind.values:
            names = ", ".join(kind.values)
            problems.append(Problem(path, f'Expected "{value}" to be one of: {names}'))
        return value
    return _scalar(value, kind.name, path, problems)


def too_long(value: Any, path: tuple[str, ...]) -> tuple[tuple[str, ...], int] | None:
    """Return where an input holds a list that is too long, and how long it is."""
    if isinstance(value, list):
        if len(value) > MAX_ARRAY:
            return path, len(value)
        found = [too_long(item, path) for item in value if isinstance(item, (dict, list))]
    elif isinstance(value, dict):
        found = [too_long(item, (*path, name)) for name, item in value.items()]
    else:
        return None
    return next((each for each in found if each is not None), None)


def _object(value: Any, kind: Any, path: tuple[str | int, ...], problems: list[Problem]) -> dict[str, Any]:
    if not isinstance(value, dict):
        problems.append(Problem(path, f"Expected {value!r} to be a key-value object"))
        return {}
    filled: dict[str, Any] = {}
    for name in value:
        if name not in kind.fields:
            problems.append(Problem((*path, name), f"Field is not defined on {kind.name}"))
    for name, field in kind.fields.items():
        if name in value or is_non_null_type(field.type):
            filled[name] = coerce(value.get(name), field.type, (*path, name), problems)
        elif (default := default_of(field)) is not None:
            filled[name] = default
    if getattr(kind, "is_one_of", False) and sum(each is not None for each in filled.values()) != 1:
        problems.append(Problem(path, f"'{kind.name}' requires exactly one argument, but {len(filled)} were provided."))
    return filled


def _scalar(value: Any, name: str, path: tuple[str | int, ...], problems: list[Problem]) -> Any:
    if name == "ID":
        if not isinstance(value, str) or not GID.fullmatch(value):
            problems.append(Problem(path, f"Invalid global id '{value}'", is_coercion=True))
    elif name == "DateTime":
        if not _is_datetime(value):
            problems.append(Problem(path, f"invalid DateTime '{value}'", is_coercion=True))
    elif name in ("Decimal", "Money"):
        if not _is_number(value):
            problems.append(Problem(path, f"invalid decimal '{value}'", is_coercion=True))
    elif not isinstance(value, _PYTHON.get(name, str)) or (isinstance(value, bool) and name != "Boolean"):
        problems.append(Problem(path, f"Could not coerce value {value!r} to {name}"))
    return value


_PYTHON: dict[str, Any] = {
    "Boolean": bool,
    "Float": (int, float),
    "Int": int,
    "JSON": object,
    "UnsignedInt64": (int, str),
}


def _is_datetime(value: Any) -> bool:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True


def _is_number(value: Any) -> bool:
    try:
        Decimal(str(value))
    except InvalidOperation:
        return False
    return True
