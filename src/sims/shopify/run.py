"""One execution of an operation: what it was given, what it may see, and the errors it met."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import FieldNode

from sims.shopify import access, inputs
from sims.shopify.schema import snake

Path = tuple[Any, str | int] | None
"""Where in the answer we are: the way to the parent, and the last step."""


class Refusal(Exception):  # noqa: N818 - it is an answer, not a fault of ours
    """A field that answers with an error of the GraphQL kind instead of a value."""

    def __init__(self, message: str, **extensions: Any) -> None:
        super().__init__(message)
        self.message = message
        self.extensions = extensions


@dataclass(slots=True)
class Run:
    """One execution: its variables, what it may see, and the errors it met."""

    variables: Mapping[str, Any]
    scopes: frozenset[str]
    errors: list[dict[str, Any]] = field(default_factory=list)
    at: Path = None
    _arguments: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    _denied: dict[str, bool] = field(default_factory=dict)

    def arguments(self, definition: Any, node: FieldNode) -> Mapping[str, Any]:
        """Return a field's arguments under their Python names, worked out once."""
        known = self._arguments.get(id(node))
        if known is None:
            given = inputs.arguments(definition, node, self.variables)
            known = self._arguments[id(node)] = {snake(name): value for name, value in given.items()}
        return known

    def denies(self, requirement: str) -> bool:
        """Say whether a requirement is not met by the scopes granted."""
        denied = self._denied.get(requirement)
        if denied is None:
            denied = self._denied[requirement] = not access.allowed(requirement, self.scopes)
        return denied

    def refuse(self, node: FieldNode, path: Path, refusal: Refusal) -> None:
        """Note an error as the answer tells it."""
        told: dict[str, Any] = {"message": refusal.message}
        if node.loc is not None:
            told["locations"] = [{"line": node.loc.start_token.line, "column": node.loc.start_token.column}]
        if refusal.extensions:
            told["extensions"] = refusal.extensions
        told["path"] = list(unwind(path))
        self.errors.append(told)


def denial(name: str, requirement: str) -> Refusal:
    """Return the refusal of a field whose scope is missing."""
    return Refusal(
        f"Access denied for {name} field. Required access: {requirement}",
        code="ACCESS_DENIED",
        documentation=access.DOCUMENTATION,
        requiredAccess=requirement,
    )


def unwind(path: Path) -> Iterator[str | int]:
    """Walk a path from the root."""
    if path is not None:
        yield from unwind(path[0])
        yield path[1]
