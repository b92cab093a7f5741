"""Runs one validated operation: compiled once per text, then walked quickly.

The language, the types and the validation are graphql-core's. The walk is ours because an answer of fifty orders has
tens of thousands of fields, which graphql-core's own executor takes many times longer to visit; a test holds both to
the same answers (tests/unit/test_sim_execution.py). Null propagates as in
https://spec.graphql.org/October2021/#sec-Handling-Field-Errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

from sims.shopify import access
from sims.shopify.run import Path, Refusal, Run, denial
from sims.shopify.schema import Read, reader

Complete = Callable[[Any, Run, Path], Any]

NO_ARGUMENTS: Mapping[str, Any] = {}


class _Nulled(Exception):  # noqa: N818
    """A non-null field came to nothing; its error is already noted."""


@dataclass(slots=True)
class Step:
    """One field of a selection, ready to be read."""

    key: str
    node: FieldNode
    definition: Any
    read: Read
    has_arguments: bool
    is_nullable: bool
    requirement: str | None
    complete: Complete


class Plan:
    """A compiled operation for one choice of its @skip and @include variables."""

    def __init__(
        self,
        schema: GraphQLSchema,
        view_of: Callable[[str], type | None],
        document: DocumentNode,
        operation: OperationDefinitionNode,
        switches: Mapping[str, Any],
    ) -> None:
        self._schema = schema
        self._view_of = view_of
        self._switches = switches
        self._fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        root = schema.get_root_type(operation.operation)
        assert root is not None  # noqa: S101 - the operation was validated
        self._steps = self._compile(root, [operation.selection_set])

    def run(self, root: Any, run: Run) -> dict[str, Any] | None:
        """Return `data` of the answer; errors are in `run.errors`."""
        try:
            return walk(self._steps, root, run, None)
        except _Nulled:
            return None

    def _compile(self, parent: GraphQLObjectType, selections: list[SelectionSetNode]) -> list[Step]:
        grouped: dict[str, list[FieldNode]] = {}
        for selection in selections:
            for node in self._collect(parent, selection):
                grouped.setdefault((node.alias or node.name).value, []).append(node)
        return [self._step(parent, key, nodes) for key, nodes in grouped.items()]

    def _step(self, parent: GraphQLObjectType, key: str, nodes: list[FieldNode]) -> Step:
        node, name = nodes[0], nodes[0].name.value
        if name == "__typename":
            spelt = parent.name
            return Step(key, node, None, lambda _source, _: spelt, False, False, None, _as_is)
        if name.startswith("__"):
            raise LookupError("introspection is answered by graphql-core")
        definition = parent.fields[name]
        read, is_method = reader(self._view_of(parent.name), name)
        named = get_named_type(definition.type)
        selections = [each.selection_set for each in nodes if each.selection_set is not None]
        return Step(
            key,
            node,
            definition,
            read,
            is_method,
            not is_non_null_type(definition.type),
            access.required(parent.name, name, named.name),
            self._completer(definition.type, selections, node, f"{parent.name}.{name}"),
        )

    def _completer(self, kind: Any, selections: list[SelectionSetNode], node: FieldNode, name: str) -> Complete:
        if is_non_null_type(kind):
            inner = self._completer(kind.of_type, selections, node, name)
            if inner is _as_is:
                return _Solid(name)
            return _Required(inner, name)
        if is_list_type(kind):
            inner = self._completer(kind.of_type, selections, node, name)
            return _listed(inner, not is_non_null_type(kind.of_type))
        if is_leaf_type(kind):
            return _as_is
        if is_abstract_type(kind):
            return self._any_of(selections, node)
        return _OneOf(_Lazy(self, kind, selections))

    def _any_of(self, selections: list[SelectionSetNode], node: FieldNode) -> Complete:
        known: dict[str, _Lazy] = {}

        def complete(value: Any, run: Run, path: Path) -> Any:
            if value is None:
                return None
            if isinstance(value, Refusal):
                run.refuse(node, path, value)
                raise _Nulled
            name = type_name(value)
            lazy = known.get(name)
            if lazy is None:
                lazy = known[name] = _Lazy(self, self._schema.type_map[name], selections)
            requirement = access.TYPES.get(name)
            if requirement is not None and run.denies(requirement):
                run.refuse(node, path, denial(node.name.value, requirement))
                raise _Nulled
            return walk(lazy.steps(), value, run, path)

        return complete

    def _collect(self, parent: GraphQLObjectType, selection: SelectionSetNode) -> Iterator[FieldNode]:
        for node in selection.selections:
            if not self._includes(node):
                continue
            if isinstance(node, FieldNode):
                yield node
                continue
            fragment: Any = self._fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
            condition = fragment.type_condition
            if condition is None or self._covers(condition.name.value, parent):
                yield from self._collect(parent, fragment.selection_set)

    def _covers(self, condition: str, parent: GraphQLObjectType) -> bool:
        kind = self._schema.type_map[condition]
        return kind is parent or (is_abstract_type(kind) and self._schema.is_sub_type(kind, parent))

    def _includes(self, node: Any) -> bool:
        for directive in node.directives or ():
            if directive.name.value not in ("skip", "include"):
                continue
            value = directive.arguments[0].value
            told = self._switches.get(value.name.value) if isinstance(value, VariableNode) else value.value
            if bool(told) == (directive.name.value == "skip"):
                return False
        return True

    def is_plain(self, name: str) -> bool:
        """Say whether objects of a type are plain dicts."""
        return self._view_of(name) is None

    def compile_object(self, kind: GraphQLObjectType, selections: list[SelectionSetNode]) -> list[Step]:
        """Compile what is asked of an object type, when the first such object is met."""
        return self._compile(kind, selections)


class _Lazy:
    """Compiles a selection when it is first needed: a type that never comes costs nothing.

    `pick` is a short cut through plain dicts of plain values, such as money; None where there is none.
    """

    __slots__ = ("_kind", "_plan", "_selections", "_steps", "pick")

    def __init__(self, plan: Plan, kind: Any, selections: list[SelectionSetNode]) -> None:
        self._plan, self._kind, self._selections = plan, kind, selections
        self._steps: list[Step] | None = None
        self.pick: Callable[[Any], dict[str, Any]] | None = None

    def steps(self) -> list[Step]:
        if self._steps is None:
            self._steps = self._plan.compile_object(self._kind, self._selections)
            if self._plan.is_plain(self._kind.name):
                self.pick = _picker(self._steps)
        return self._steps


def walk(steps: list[Step], source: Any, run: Run, path: Path) -> dict[str, Any]:
    """Return the fields of one object; errors go to `run`."""
    answer: dict[str, Any] = {}
    for step in steps:
        here = (path, step.key)
        try:
            if step.requirement is not None and run.denies(step.requirement):
                raise denial(step.node.name.value, step.requirement)
            if step.has_arguments:
                run.at = here
                value = step.read(source, run.arguments(step.definition, step.node))
            else:
                value = step.read(source, NO_ARGUMENTS)
            answer[step.key] = step.complete(value, run, here)
        except Refusal as refusal:
            run.refuse(step.node, here, refusal)
            if not step.is_nullable:
                raise _Nulled from refusal
            answer[step.key] = None
        except _Nulled:
            if not step.is_nullable:
                raise
            answer[step.key] = None
    return answer


def _as_is(value: Any, _run: Run, _path: Path) -> Any:
    return value


class _Solid:
    """Completes a non-null leaf."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, value: Any, _run: Run, _path: Path) -> Any:
        if value is None:
            raise _missing(self._name)
        return value


class _Required:
    """Completes what must not come to nothing."""

    __slots__ = ("_name", "inner")

    def __init__(self, inner: Complete, name: str) -> None:
        self.inner, self._name = inner, name

    def __call__(self, value: Any, run: Run, path: Path) -> Any:
        done = self.inner(value, run, path)
        if done is None:
            raise _missing(self._name)
        return done


def _listed(inner: Complete, is_nullable: bool) -> Complete:
    if inner is _as_is or isinstance(inner, _Solid):
        return lambda value, _run, _path: None if value is None else list(value)

    def complete(value: Any, run: Run, path: Path) -> Any:
        if value is None:
            return None
        if not is_nullable:
            return [inner(item, run, (path, n)) for n, item in enumerate(value)]
        return [_item(inner, item, run, (path, n)) for n, item in enumerate(value)]

    return complete


def _item(inner: Complete, item: Any, run: Run, path: Path) -> Any:
    try:
        return inner(item, run, path)
    except _Nulled:
        return None


class _OneOf:
    """Completes an object of one type."""

    __slots__ = ("lazy",)

    def __init__(self, lazy: _Lazy) -> None:
        self.lazy = lazy

    def __call__(self, value: Any, run: Run, path: Path) -> Any:
        if value is None:
            return None
        lazy = self.lazy
        steps = lazy.steps()
        if lazy.pick is not None:
            try:
                return lazy.pick(value)
            except _Nulled:
                pass  # the long way tells what is missing
        return walk(steps, value, run, path)


def _picker(steps: list[Step]) -> Callable[[Any], dict[str, Any]] | None:
    """Return what reads a whole selection of plain values out of a dict; None where more is asked than that."""
    parts: list[tuple[str, str, Callable[[Any], Any] | None, bool]] = []
    for step in steps:
        inner = step.complete.inner if isinstance(step.complete, _Required) else step.complete
        pick = None
        if isinstance(inner, _OneOf):
            inner.lazy.steps()
            pick = inner.lazy.pick
        is_leaf = inner is _as_is or isinstance(inner, _Solid)
        if step.requirement or step.has_arguments or step.definition is None or not (is_leaf or pick):
            return None
        parts.append((step.key, step.node.name.value, pick, step.is_nullable))

    def read(source: Any) -> dict[str, Any]:
        told = {}
        for key, name, pick, is_nullable in parts:
            value = source[name]
            if value is None:
                if not is_nullable:
                    raise _Nulled
            elif pick is not None:
                value = pick(value)
            told[key] = value
        return told

    return read


def switches(document: DocumentNode, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables that @skip and @include of a document depend on."""
    found: dict[str, Any] = {}

    def visit(selection: SelectionSetNode | None) -> None:
        for node in selection.selections if selection is not None else ():
            for directive in node.directives or ():
                for argument in directive.arguments or ():
                    if isinstance(argument.value, VariableNode):
                        name = argument.value.name.value
                        found[name] = variables.get(name)
            visit(getattr(node, "selection_set", None))

    for definition in document.definitions:
        visit(getattr(definition, "selection_set", None))
    return found


def type_name(value: Any) -> str:
    """Return the GraphQL type of an object that an abstract field returned."""
    name: str = value["__typename"] if isinstance(value, dict) else value.type_name
    return name


def _missing(name: str) -> Refusal:
    return Refusal(f"Cannot return null for non-nullable field {name}.", code="INTERNAL_SERVER_ERROR")
