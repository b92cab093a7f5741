"""The schema of the simulated shop is a part of the official one: nothing in it is invented."""

from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    GraphQLSchema,
    build_schema,
    is_enum_type,
    is_input_object_type,
    is_interface_type,
    is_object_type,
    is_scalar_type,
    is_specified_directive,
    is_specified_scalar_type,
    is_union_type,
    print_type,
    validate_schema,
    value_from_ast_untyped,
)
from sources import need

from sims.shopify import schema


@pytest.fixture(scope="module")
def official() -> GraphQLSchema:
    return build_schema(need("admin_2026-10.graphql").read_text(), assume_valid=True)


def own_types() -> list[Any]:
    types = schema.load().type_map.values()
    return [each for each in types if not each.name.startswith("__") and not is_specified_scalar_type(each)]


def test_the_subset_is_a_valid_schema() -> None:
    assert validate_schema(schema.load()) == []
    assert all(is_specified_directive(each) for each in schema.load().directives)


def test_every_type_exists_alike(official: GraphQLSchema) -> None:
    wrong = [each for kind in own_types() for each in differences(kind, official.type_map.get(kind.name))]
    assert not wrong, "\n".join(wrong)
    assert len(own_types()) > 150


def test_the_roots_are_the_official_ones(official: GraphQLSchema) -> None:
    own = schema.load()
    assert own.query_type is not None
    assert own.mutation_type is not None
    assert official.query_type is not None
    assert official.mutation_type is not None
    assert own.query_type.name == official.query_type.name
    assert own.mutation_type.name == official.mutation_type.name


def test_what_is_deprecated_says_so(official: GraphQLSchema) -> None:
    for kind in own_types():
        for name, field in getattr(kind, "fields", {}).items():
            known = official.type_map[kind.name].fields[name]  # type: ignore[attr-defined]
            assert bool(field.deprecation_reason) == bool(known.deprecation_reason), f"{kind.name}.{name}"


def differences(kind: Any, known: Any) -> Iterator[str]:
    """Tell how a type of ours departs from the official one of its name."""
    if known is None:
        yield f"{kind.name} does not exist"
        return
    judge = next(judge for test, judge in JUDGES if test(kind))
    if not any(test(known) for test, each in JUDGES if each is judge and test(kind)):
        yield f"{kind.name} is another kind of type: {print_type(known)[:60]}"
        return
    yield from judge(kind, known)


def of_enum(kind: Any, known: Any) -> Iterator[str]:
    for value in kind.values:
        if value not in known.values:
            yield f"{kind.name}.{value} does not exist"


def of_union(kind: Any, known: Any) -> Iterator[str]:
    names = {each.name for each in known.types}
    for each in kind.types:
        if each.name not in names:
            yield f"{each.name} is none of {kind.name}"


def of_fields(kind: Any, known: Any) -> Iterator[str]:
    for each in kind.interfaces:
        if each.name not in {official.name for official in known.interfaces}:
            yield f"{kind.name} does not implement {each.name}"
    for name, field in kind.fields.items():
        other = known.fields.get(name)
        if other is None:
            yield f"{kind.name}.{name} does not exist"
            continue
        if str(field.type) != str(other.type):
            yield f"{kind.name}.{name}: {field.type} is {other.type}"
        yield from of_arguments(f"{kind.name}.{name}", field.args, other.args)
        for argument, wanted in other.args.items():
            if str(wanted.type).endswith("!") and default(wanted) is None and argument not in field.args:
                yield f"{kind.name}.{name} leaves out the required {argument}"


def of_input(kind: Any, known: Any) -> Iterator[str]:
    yield from of_arguments(kind.name, kind.fields, known.fields)
    for name, wanted in known.fields.items():
        if str(wanted.type).endswith("!") and name not in kind.fields:
            yield f"{kind.name} leaves out the required {name}"


def of_arguments(where: str, given: Any, known: Any) -> Iterator[str]:
    for name, argument in given.items():
        other = known.get(name)
        if other is None:
            yield f"{where}({name}:) does not exist"
        elif str(argument.type) != str(other.type):
            yield f"{where}({name}:): {argument.type} is {other.type}"
        elif default(argument) != default(other):
            yield f"{where}({name}:) = {default(argument)} is {default(other)}"


def default(argument: Any) -> Any:
    node = argument.ast_node.default_value if argument.ast_node is not None else None
    return None if node is None else value_from_ast_untyped(node)


def nothing(_kind: Any, _known: Any) -> Iterator[str]:
    return iter(())


JUDGES = (
    (is_scalar_type, nothing),
    (is_enum_type, of_enum),
    (is_union_type, of_union),
    (is_input_object_type, of_input),
    (is_object_type, of_fields),
    (is_interface_type, of_fields),
)
