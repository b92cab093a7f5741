"""Say in one line what is wrong in a settings file: the key, the trouble, the fix, and never the value."""

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails


class UnknownError(Exception):
    """Nothing is known of the record that was asked for: one line for a person, and exit code 1."""


class ConfigError(ValueError):
    """Wrong configuration; the message is the one line to show, `key` the dotted key it is about, if any."""

    def __init__(self, line: str, key: str = "") -> None:
        super().__init__(line)
        self.key = key

    def at(self, source: str) -> "ConfigError":
        """The same, beginning with where it stands: a file, a variable."""
        return ConfigError(f"{source}: {self}", self.key)


def first_error(error: ValidationError, model: type[BaseModel]) -> ConfigError:
    """The first problem of a validation as one line, with the number of further ones.

    An unknown key is told first: it is often the cause of a missing one.
    """
    details = sorted(error.errors(include_input=False, include_url=False), key=lambda d: d["type"] != "extra_forbidden")
    line, more = _sentence(details[0], model), len(details) - 1
    return ConfigError(f"{line} (and {more} more)" if more else line, dotted_path(details[0]["loc"]))


def all_errors(error: ValidationError, model: type[BaseModel]) -> list[tuple[tuple[int | str, ...], str]]:
    """Every problem of a validation, as its place and the line to show."""
    return [
        (detail["loc"], _sentence(detail, model)) for detail in error.errors(include_input=False, include_url=False)
    ]


def dotted_path(loc: Sequence[int | str]) -> str:
    """`stores[0].currency` for ("stores", 0, "currency")."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc]
    return "".join(parts).removeprefix(".")


def closest_name(name: str, known: Sequence[str]) -> str | None:
    """The known name that `name` most likely means."""
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.6)), None)


def _sentence(detail: ErrorDetails, model: type[BaseModel]) -> str:
    loc, key = detail["loc"], dotted_path(detail["loc"])
    if detail["type"] == "extra_forbidden":
        return f"{key} is not a known key; {_hint(loc, model)}"
    if detail["type"] == "missing":
        return f"{key} is missing; {_invitation(loc, model)}"
    said = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "literal_error":
        said = f"must be {detail['ctx']['expected']}"
    elif detail["type"] in ("model_type", "model_attributes_type"):
        said = f"must be a section, [{key}]"
    said = said.replace("Input should be", "must be").partition(", unable to parse")[0]
    return f"{key}: {said}" if key else said


def _hint(loc: Sequence[int | str], model: type[BaseModel]) -> str:
    name, at = str(loc[-1]), _model_at(model, loc[:-1])
    known = list(at.model_fields) if at else []
    if near := closest_name(name, known):
        return f"did you mean {dotted_path((*loc[:-1], near))}?"
    elsewhere = [path for path in _paths(model) if path.rpartition(".")[2] == name]
    if elsewhere:
        return f"did you mean {elsewhere[0]}?"
    return f"known here: {', '.join(known)}"


def _invitation(loc: Sequence[int | str], model: type[BaseModel]) -> str:
    above = _model_at(model, loc[:-1])
    field = above.model_fields.get(str(loc[-1])) if above else None
    if field is not None and _model_in(field.annotation):
        return f"add a section [{loc[-1]}]" if not _is_list(field.annotation) else f"add a section [[{loc[-1]}]]"
    return f"add {loc[-1]} = …" + (f" ({field.description})" if field is not None and field.description else "")


def _paths(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = _model_in(field.annotation)
        if inner is None:
            yield prefix + name
        else:
            yield from _paths(inner, f"{prefix}{name}.")


def _model_at(model: type[BaseModel], loc: Sequence[int | str]) -> type[BaseModel] | None:
    at: type[BaseModel] | None = model
    for part in loc:
        if isinstance(part, int):
            continue
        field = at.model_fields.get(part) if at else None
        at = _model_in(field.annotation) if field else None
    return at


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that an annotation is, or is a list or an optional of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _model_in(arg))), None)


def _is_list(annotation: Any) -> bool:
    return not isinstance(annotation, type) or bool(get_args(annotation))
