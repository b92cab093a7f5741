"""On which line of a TOML file a key stands, for errors that name it; the standard parser keeps no places."""

import re
from collections.abc import Sequence

_TABLE = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+))*)\s*=""")
_LONG = re.compile(r'"""|\'\'\'')


class Lines:
    """Places in a file that is valid TOML: tables, tables of a list, and the keys directly below them."""

    def __init__(self, text: str) -> None:
        self._places: dict[tuple[int | str, ...], int] = {}
        table: tuple[int | str, ...] = ()
        counts: dict[tuple[int | str, ...], int] = {}
        quote: str | None = None
        for number, line in enumerate(text.splitlines(), start=1):
            was_inside = quote is not None
            quote = _after(line, quote)
            if was_inside:
                continue
            if found := _TABLE.match(line):
                table = _parts(found[2])
                if found[1] == "[[":
                    self._places.setdefault(table, number)
                    counts[table] = counts.get(table, -1) + 1
                    table = (*table, counts[table])
                self._places.setdefault(table, number)
            elif found := _KEY.match(line):
                self._places.setdefault((*table, *_parts(found[1])), number)

    def of(self, loc: Sequence[int | str]) -> int:
        """The line of a place (`("metafields", 2, "type")`), or of the nearest thing around it that is there."""
        for length in range(len(loc), 0, -1):
            if (number := self._places.get(tuple(loc[:length]))) is not None:
                return number
        return 1


def _parts(name: str) -> tuple[int | str, ...]:
    return tuple(part.strip().strip("\"'") for part in name.split("."))


def _after(line: str, quote: str | None) -> str | None:
    """The kind of long text that is open at the end of a line."""
    for mark in _LONG.findall(line):
        if quote is None:
            quote = mark
        elif mark == quote:
            quote = None
    return quote
