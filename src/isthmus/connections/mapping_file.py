"""Read a mapping file whole: everything that is wrong with it at once, each with its line and key."""

import tomllib
from pathlib import Path

from msgspec import Struct
from pydantic import ValidationError

from isthmus.connections.custom import CustomField, MappingFile, Place, find_conflicts
from isthmus.kit.config_errors import ConfigError, all_errors, dotted_path
from isthmus.kit.toml_lines import Lines


class Wrong(Struct, frozen=True):
    """One thing that is wrong: where it stands, and in one sentence what it is and how to fix it."""

    line: int
    key: str
    says: str


class ParsedMappingFile(Struct, frozen=True):
    """A file as it was read: its entries, none of which count while anything is wrong."""

    fields: tuple[CustomField, ...]
    wrong: tuple[Wrong, ...]


def read_mapping_file(path: Path) -> tuple[CustomField, ...]:
    """The entries of a file; ConfigError in one line that names the first thing wrong, where there is any."""
    checked = check_mapping_file(path)
    if not checked.wrong:
        return checked.fields
    first, more = checked.wrong[0], len(checked.wrong) - 1
    tail = f" (and {more} more: isthmus mapping check {path.name} shows them all)" if more else ""
    raise ConfigError(f"{path.name}:{first.line}: {first.says}{tail}", first.key)


def check_mapping_file(path: Path) -> ParsedMappingFile:
    """Look at a file without using it. ConfigError only where it cannot be read at all."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the path", "mapping.file") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text; save it as UTF-8", "mapping.file") from None
    return parse_mapping_file(text)


def parse_mapping_file(text: str) -> ParsedMappingFile:
    """Look at the text of a mapping file."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # Its words name a place and at most one character, never a value.
        return ParsedMappingFile((), (Wrong(_line(error, text), "", f"is no valid TOML: {error}"),))
    lines = Lines(text)
    try:
        fields = MappingFile.model_validate(data).metafields
        wrong = [(place, f"{dotted_path(place)}: {told}") for place, told in find_conflicts(fields)]
    except ValidationError as error:
        fields, wrong = (), [*all_errors(error, MappingFile), *_clashes_of_the_rest(data)]
    told = sorted({Wrong(lines.of(place), dotted_path(place), says) for place, says in wrong}, key=lambda one: one.line)
    return ParsedMappingFile(fields if not told else (), tuple(told))


def _clashes_of_the_rest(data: dict[str, object]) -> list[tuple[Place, str]]:
    """What is wrong between the entries that can be read beside those that cannot."""
    rows = data.get("metafields")
    if not isinstance(rows, list):
        return []
    readable: dict[int, CustomField] = {}
    for n, row in enumerate(rows):
        try:
            readable[n] = CustomField.model_validate(row)
        except ValidationError:
            continue
    numbers = list(readable)
    return [
        ((name, numbers[int(n)], *rest), f"{dotted_path((name, numbers[int(n)], *rest))}: {told}")
        for (name, n, *rest), told in find_conflicts(list(readable.values()))
    ]


def _line(error: tomllib.TOMLDecodeError, text: str) -> int:
    """The line that the parser's words name; the last one where they say that something is missing at the end."""
    _, found, place = str(error).rpartition("(at line ")
    number = place.partition(",")[0]
    return int(number) if found and number.isdecimal() else max(1, len(text.splitlines()))
