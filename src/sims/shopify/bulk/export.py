"""One bulk query, compiled: which lines a record makes, its own first and those of its connections after it.

A line is one JSON object with the selected fields in their order; what a connection holds stands on lines of its own
that name their immediate parent in `__parentId`; lists and single objects stay inline; "/" is written "\\/".
https://shopify.dev/docs/api/usage/bulk-operations/queries#the-jsonl-data-format
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    is_composite_type,
    is_object_type,
)

from sims.shopify import access
from sims.shopify.bulk.wide import Stream, Wide
from sims.shopify.execute import Plan, Step, walk
from sims.shopify.pages import MAX_PAGE, Page
from sims.shopify.run import Run, denial
from sims.shopify.schema import Read, reader
from sims.shopify.views.query import QueryRoot
from sims.shopify.views.registry import view_of

PAGING = ("first", "last", "after", "before")
"""Arguments that a bulk operation does without."""


@dataclass(slots=True)
class Branch:
    """A connection: how it is reached from its parent's node, what its nodes tell, and what hangs on those."""

    way: list[Read]
    read: Read
    definition: Any
    node: FieldNode
    requirement: str | None
    fields: list[Step]
    branches: list[Branch]


@dataclass(slots=True)
class Export:
    """A compiled bulk query."""

    roots: list[Branch]

    @classmethod
    def compile(cls, schema: GraphQLSchema, document: DocumentNode) -> Export:
        """Compile a document that `check.read` found fit."""
        operation = next(each for each in document.definitions if isinstance(each, OperationDefinitionNode))
        maker = _Maker(schema, document, operation)
        return cls(maker.branches(operation.selection_set, schema.query_type))

    @property
    def kinds(self) -> list[str]:
        """The root connections by name: `orders`."""
        return [each.node.name.value for each in self.roots]

    def open(self, sight: Wide) -> Iterator[tuple[Stream | None, Iterator[list[bytes]]]]:
        """Give each root connection as its stream and the lines of each of its records; the record's own is first."""
        for branch in self.roots:
            found = list(_pages(branch, QueryRoot(sight), sight.run))
            stream = next((each for each in found if isinstance(each, Stream)), None)
            yield stream, (self._lines(branch, node, sight.run) for page in found for node in _nodes(page))

    def _lines(self, branch: Branch, view: Any, run: Run) -> list[bytes]:
        lines: list[bytes] = []
        _tell(branch, view, run, None, lines)
        return lines


def _tell(branch: Branch, view: Any, run: Run, parent: str | None, lines: list[bytes]) -> None:
    told = walk(branch.fields, view, run, None)
    number = told.get("id")
    if parent is not None:
        told["__parentId"] = parent
    lines.append(_encode(told).replace(b"/", b"\\/") + b"\n")
    for each in branch.branches:
        for page in _pages(each, view, run):
            for node in _nodes(page):
                _tell(each, node, run, number, lines)


_encode = msgspec.json.Encoder().encode


def _pages(branch: Branch, source: Any, run: Run) -> Iterator[Any]:
    """Walk the pages of a connection; a whole listing is one stream."""
    for read in branch.way:
        source = read(source, {})
        if source is None:
            return
    if branch.requirement is not None and run.denies(branch.requirement):
        run.refuse(branch.node, None, denial(branch.node.name.value, branch.requirement))
        return
    known = run.arguments(branch.definition, branch.node)
    given = {name: value for name, value in known.items() if name not in PAGING}
    if "first" in branch.definition.args:
        given["first"] = MAX_PAGE
    page = branch.read(source, given)
    while page is not None:
        yield page
        after = page.rest if isinstance(page, Page) else None
        page = None if after is None else branch.read(source, {**given, "after": after})


def _nodes(page: Any) -> Iterable[Any]:
    found: Iterable[Any] = page.nodes if isinstance(page, Page) else page
    return found


class _Maker:
    """Takes a document apart into its connections."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._plan = Plan(schema, view_of, document, operation, {})
        self._fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }

    def branches(self, selection: SelectionSetNode, parent: Any) -> list[Branch]:
        found: list[Branch] = []
        self._strip(selection, parent, [], found)
        return found

    def _branch(self, node: FieldNode, parent: Any, way: list[Read]) -> Branch:
        definition = parent.fields[node.name.value]
        connection = get_named_type(definition.type)
        kind = get_named_type(get_named_type(connection.fields["edges"].type).fields["node"].type)
        below: list[Branch] = []
        kept: list[SelectionSetNode] = []
        for edges in self._fields(node.selection_set):
            for one in self._fields(edges.selection_set) if edges.name.value == "edges" else ():
                if one.name.value == "node" and one.selection_set is not None:
                    kept.append(self._strip(one.selection_set, kind, [], below))
        read, _ = reader(view_of(parent.name), node.name.value)
        requirement = access.required(parent.name, node.name.value, connection.name)
        return Branch(way, read, definition, node, requirement, self._plan.compile_object(kind, kept), below)

    def _strip(
        self, selection: SelectionSetNode, parent: Any, way: list[Read], found: list[Branch]
    ) -> SelectionSetNode:
        """Return a selection without its connections, which go to `found`."""
        kept: list[Any] = []
        for each in selection.selections:
            if isinstance(each, FieldNode):
                kept += self._field(each, parent, way, found)
                continue
            fragment: Any = self._fragments[each.name.value] if isinstance(each, FragmentSpreadNode) else each
            condition = fragment.type_condition
            kind = parent if condition is None else self._schema.type_map[condition.name.value]
            inner = self._strip(fragment.selection_set, kind, way, found)
            if inner.selections:
                kept.append(
                    InlineFragmentNode(type_condition=condition, directives=each.directives, selection_set=inner)
                )
        return SelectionSetNode(selections=tuple(kept))

    def _field(self, node: FieldNode, parent: Any, way: list[Read], found: list[Branch]) -> list[FieldNode]:
        definition = getattr(parent, "fields", {}).get(node.name.value)
        named = None if definition is None else get_named_type(definition.type)
        if named is None or node.selection_set is None or not is_composite_type(named):
            return [node]
        if named.name.endswith("Connection"):
            found.append(self._branch(node, parent, way))
            return []
        further = way
        if is_object_type(parent):
            further = [*way, reader(view_of(parent.name), node.name.value)[0]]
        inner = self._strip(node.selection_set, named, further, found)
        if not inner.selections:
            return []
        return [
            FieldNode(
                name=node.name,
                alias=node.alias,
                arguments=node.arguments,
                directives=node.directives,
                selection_set=inner,
                loc=node.loc,
            )
        ]

    def _fields(self, selection: SelectionSetNode | None) -> Iterator[FieldNode]:
        for each in selection.selections if selection is not None else ():
            if isinstance(each, FieldNode):
                yield each
            else:
                fragment: Any = self._fragments[each.name.value] if isinstance(each, FragmentSpreadNode) else each
                yield from self._fields(fragment.selection_set)
