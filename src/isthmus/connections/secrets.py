"""Secrets by reference: a settings file says where a secret is, never what it is."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NoReturn

from pydantic import AfterValidator

from isthmus.model.failure import BlockedError

_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:[^\x00-\x1f\x7f]+")


class Secret:
    """A secret that no log, error, page or JSON can show by accident: only `reveal` gives it away."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written down")


def is_reference(text: str) -> bool:
    """Whether `text` says where a secret is, as env:NAME or file:PATH."""
    return _REFERENCE.fullmatch(text) is not None


def _checked(text: str) -> str:
    if not is_reference(text):
        raise ValueError('is a secret in the clear or no reference; write "env:NAME" or "file:PATH" instead')
    return text


Reference = Annotated[str, AfterValidator(_checked)]
"""The type of a setting that refers to a secret; validation refuses everything else without repeating it."""


def resolve_secret(reference: str, key: str, environ: Mapping[str, str] = os.environ) -> Secret:
    """The secret behind the reference that the setting `key` holds.

    Raises BlockedError "integration.secret_missing" with a line that names key, reference and fix.
    """
    if not is_reference(reference):
        raise _missing(key, "holds no reference", 'write "env:NAME" or "file:PATH"')
    kind, _, where = reference.partition(":")
    if kind == "env":
        value = environ.get(where, "").strip()
        if not value:
            raise _missing(key, f"environment variable {where} is not set", "set it for every isthmus process")
        return Secret(value)
    try:
        value = Path(where).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise _missing(key, f"file {where} cannot be read ({why})", "put the secret there") from None
    if not value:
        raise _missing(key, f"file {where} is empty", "put the secret there")
    return Secret(value)


def _missing(key: str, trouble: str, fix: str) -> BlockedError:
    return BlockedError("integration.secret_missing", f"{key}: {trouble}; {fix}")
