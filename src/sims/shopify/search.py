"""The `query:` argument: search terms over records, failing open as Shopify's do.

https://shopify.dev/docs/api/usage/search-syntax. A field nobody knows is ignored with a warning in
`extensions.search`, so that the search matches everything; a value that is none of the accepted ones matches nothing
and warns too; a date that is none is an error (all three captured).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from sims.shopify.run import Refusal

_TOKEN = re.compile(
    r"""\s*(?:(?P<paren>[()])|(?P<or>OR\b)|(?P<and>AND\b)|(?P<not>NOT\b|-)|
    (?:(?P<field>[A-Za-z_][\w.]*):\s*)?(?P<op><=|>=|<|>)?(?P<value>"[^"]*"|'[^']*'|[^\s()]+)?)""",
    re.VERBOSE,
)

Match = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Field:
    """A searchable field: how it is read from a record, and what kind of value it is compared with.

    `kind` is "text", "tokens" (text found by its parts unless quoted), "not" (text that must be missing), "time",
    "number" or "id"; `accepted` limits what may be asked for.
    """

    read: Callable[[Any], Any]
    kind: str = "text"
    accepted: frozenset[str] = frozenset()


@dataclass(slots=True)
class Term:
    """One term as written, without its quotes."""

    field: str | None
    op: str
    value: str
    is_quoted: bool = False


@dataclass(slots=True)
class Search:
    """A parsed query: what it matches, which fields it asks about, and what was wrong with it.

    `bounds` hold, for fields that are times, from when to when a match can be at all.
    """

    query: str
    matches: Match
    fields: frozenset[str] = frozenset()
    parsed: dict[str, Any] = field(default_factory=dict)
    bounds: dict[str, tuple[datetime | None, datetime | None]] = field(default_factory=dict)
    warnings: list[dict[str, str]] = field(default_factory=list)

    def told(self, path: list[str | int]) -> dict[str, Any]:
        """Return the search as `extensions.search` tells it."""
        told: dict[str, Any] = {"path": path, "query": self.query, "parsed": self.parsed}
        return {**told, "warnings": self.warnings} if self.warnings else told


def parse(query: str, known: Mapping[str, Field], default: Callable[[Any], str] | None = None) -> Search:
    """Return a query ready to be asked of records; bare words look into `default`'s text.

    Terms side by side must all match; `OR`, `NOT`, a leading minus and parentheses work as documented.
    """
    reading = _Reading(query, known, default)
    match = reading.disjunction()
    parsed = reading.told[0] if len(reading.told) == 1 else {"and": reading.told}
    fields = frozenset(term.field for term in reading.terms if term.field is not None)
    return Search(query, match, fields, parsed, reading.bounds(), reading.warnings)


class _Reading:
    """One pass over a query text."""

    def __init__(self, query: str, known: Mapping[str, Field], default: Callable[[Any], str] | None) -> None:
        self._known, self._default = known, default
        self._tokens = [each for each in _TOKEN.finditer(query) if each.group().strip()]
        self._at = 0
        self.terms: list[Term] = []
        self.told: list[dict[str, Any]] = []
        self.warnings: list[dict[str, str]] = []

    def bounds(self) -> dict[str, tuple[datetime | None, datetime | None]]:
        """Return the span of each time that the query names; none when terms are not simply side by side."""
        if any(each.group("or") or each.group("not") or each.group("paren") for each in self._tokens):
            return {}
        found: dict[str, tuple[datetime | None, datetime | None]] = {}
        for term in self.terms:
            known = self._known.get(term.field or "")
            if known is None or known.kind != "time" or term.field is None:
                continue
            at, end = _span(term)
            low, high = found.get(term.field, (None, None))
            if term.op in ("", ">", ">="):
                low = at if low is None else max(low, at)
            if term.op in ("", "<", "<="):
                high = end if high is None else min(high, end)
            found[term.field] = (low, high)
        return found

    def disjunction(self) -> Match:
        choices = [self._conjunction()]
        while self._take("or"):
            choices.append(self._conjunction())
        return choices[0] if len(choices) == 1 else lambda record: any(match(record) for match in choices)

    def _conjunction(self) -> Match:
        parts: list[Match] = []
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token.group("or") or token.group("paren") == ")":
                break
            self._at += 1
            if token.group("and"):
                continue
            negated = bool(token.group("not"))
            if negated:
                if self._at == len(self._tokens):
                    break
                token = self._tokens[self._at]
                self._at += 1
            parts.append(self._operand(token, negated))
        if not parts:
            return lambda _: True
        return parts[0] if len(parts) == 1 else lambda record: all(match(record) for match in parts)

    def _operand(self, token: re.Match[str], negated: bool) -> Match:
        if token.group("paren") == "(":
            inner = self.disjunction()
            if self._at < len(self._tokens):
                self._at += 1  # the closing parenthesis
            return (lambda record: not inner(record)) if negated else inner
        written = token.group("value") or ""
        value = written.strip("\"'")
        term = Term(token.group("field"), token.group("op") or "", value, value != written)
        self.terms.append(term)
        match = self._term(term)
        if match is None:
            return lambda _: True
        found = match
        return (lambda record: not found(record)) if negated else found

    def _take(self, group: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at].group(group):
            self._at += 1
            return True
        return False

    def _term(self, term: Term) -> Match | None:
        if term.field is None:
            self.told.append({"field": "default", "match_all": term.value})
            default, word = self._default, term.value.lower().rstrip("*")
            return None if default is None else lambda record: word in default(record).lower()
        self.told.append({"field": term.field, _OPERATORS[term.op]: term.value})
        known = self._known.get(term.field)
        if known is None:
            self._warn(term.field, "Invalid search field for this query.", "invalid_field")
            return None
        unaccepted = known.accepted and set(term.value.lower().split(",")) - known.accepted
        if unaccepted:
            self._warn(term.field, f"Input `{term.value}` is not an accepted value.", "invalid_value")
            return lambda _: False
        return _COMPARE[known.kind](term, known.read)

    def _warn(self, name: str, message: str, code: str) -> None:
        self.warnings.append({"field": name, "message": message, "code": code})


def _text(term: Term, read: Callable[[Any], Any]) -> Match:
    wanted = term.value.lower()
    if wanted == "*":
        return lambda record: bool(read(record))
    if wanted.endswith("*"):
        return lambda record: any(each.startswith(wanted[:-1]) for each in _texts(read(record)))
    options = {part.strip() for part in wanted.split(",")}
    return lambda record: any(each in options for each in _texts(read(record)))


def _tokens(term: Term, read: Callable[[Any], Any]) -> Match:
    """Compare a tokenized field: quoted as a phrase, else by its parts, so that `email:gmail.com` finds many."""
    if term.is_quoted or "*" in term.value:
        return _text(term, read)
    wanted = set(_parts(term.value))
    return lambda record: wanted <= set(_parts(read(record)))


def _parts(text: str | None) -> list[str]:
    return [part for part in re.split(r"[@+\s]+", (text or "").lower()) if part]


def _without(term: Term, read: Callable[[Any], Any]) -> Match:
    found = _text(term, read)
    return lambda record: not found(record)


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(each).lower() for each in value] if isinstance(value, (list, tuple)) else [str(value).lower()]


def _number(term: Term, read: Callable[[Any], Any]) -> Match:
    try:
        wanted = Decimal(term.value)
    except InvalidOperation:
        return lambda _: False
    return _compared(term.op, wanted, read)


def _id(term: Term, read: Callable[[Any], Any]) -> Match:
    if term.op:
        return _number(term, read)
    wanted = {part.strip().rsplit("/", 1)[-1] for part in term.value.split(",")}
    return lambda record: str(read(record)) in wanted


def _time(term: Term, read: Callable[[Any], Any]) -> Match:
    at, end = _span(term)
    compare: dict[str, Callable[[datetime], bool]] = {
        "": lambda x: at <= x < end,
        ">": lambda x: x >= end,
        ">=": lambda x: x >= at,
        "<": lambda x: x < at,
        "<=": lambda x: x < end,
    }
    chosen = compare[term.op]
    return lambda record: (value := read(record)) is not None and chosen(value)


def _span(term: Term) -> tuple[datetime, datetime]:
    """Return the second or the day a term names; ASSUMED: a day is one in UTC, and an equal sign means the second."""
    try:
        at = datetime.fromisoformat(term.value)
    except ValueError as error:
        raise Refusal(f"Invalid timestamp for query filter `{term.field}`.", code="BAD_REQUEST") from error
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return at, at + (timedelta(days=1) if len(term.value) == len("2026-11-23") else timedelta(seconds=1))


def _compared(op: str, wanted: Decimal, read: Callable[[Any], Any]) -> Match:
    compare: dict[str, Callable[[Any], bool]] = {
        "": lambda x: x == wanted,
        ">": lambda x: x > wanted,
        ">=": lambda x: x >= wanted,
        "<": lambda x: x < wanted,
        "<=": lambda x: x <= wanted,
    }
    chosen = compare[op]
    return lambda record: (value := read(record)) is not None and chosen(value)


_COMPARE: dict[str, Callable[[Term, Callable[[Any], Any]], Match]] = {
    "text": _text,
    "tokens": _tokens,
    "not": _without,
    "time": _time,
    "number": _number,
    "id": _id,
}
_OPERATORS = {"": "match_all", ">": "range_gt", ">=": "range_gte", "<": "range_lt", "<=": "range_lte"}
"""How a parsed term is told; only `match_all` was captured, the others are ASSUMED."""
