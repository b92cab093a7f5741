"""The glossary lists what the code and the database list, no more and no less."""

import ast
import importlib
import re
from enum import Enum

import pytest
from house_tree import ROOT, modules, nodes

GLOSSARY = ROOT / "docs" / "glossary.md"
MIGRATIONS = ROOT / "src" / "isthmus" / "db" / "migrations"
MARK = re.compile(r"<!-- (enum|sql) ([\w.]+) -->\n\n((?:\|.*\n)+)")

UNLISTED = {
    "isthmus.web.webhooks.responses.HookResponse": "statuses of HTTP, told in the contract of the webhook endpoint",
}
"""Enumerations that are no words of the house, and why."""


def listed(text: str) -> dict[tuple[str, str], list[str]]:
    """The marked tables: ("enum" or "sql", place) to the values in the first column."""
    return {
        (what, place): re.findall(r"^\| `([^`]+)`", table, flags=re.MULTILINE)
        for what, place, table in MARK.findall(text)
    }


def enums() -> set[str]:
    """Every enumeration that the product defines, by its full name."""
    return {
        f"{module.path.removesuffix('.py').replace('/', '.')}.{node.name}"
        for module in modules()
        for node in nodes(module.tree)
        if isinstance(node, ast.ClassDef) and any(ast.unparse(parent).endswith("Enum") for parent in node.bases)
    }


def checked(place: str) -> list[str]:
    """The values that the database allows in `table.column`, as the last migration says."""
    table, column = place.split(".")
    sql = "\n".join(path.read_text(encoding="utf-8") for path in sorted(MIGRATIONS.glob("*.sql")))
    body = re.findall(rf"CREATE TABLE {table} \((.*?)\n\)", sql, flags=re.DOTALL)[-1]
    allowed = re.findall(rf"\b{column} IN \(([^)]*)\)", body)
    return re.findall(r"'([^']*)'", allowed[-1])


def tables(what: str) -> dict[str, list[str]]:
    text = GLOSSARY.read_text(encoding="utf-8")
    return {place: values for (kind, place), values in listed(text).items() if kind == what}


@pytest.mark.parametrize("place", sorted(tables("enum")))
def test_a_list_is_its_enumeration(place: str) -> None:
    module, _, name = place.rpartition(".")
    found: type[Enum] = getattr(importlib.import_module(module), name)
    assert tables("enum")[place] == [member.value for member in found]


@pytest.mark.parametrize("place", sorted(tables("sql")))
def test_a_list_is_what_the_database_allows(place: str) -> None:
    assert tables("sql")[place] == checked(place)


def test_every_enumeration_is_listed() -> None:
    assert enums() - set(UNLISTED) == set(tables("enum"))


def test_no_word_is_explained_twice() -> None:
    words = GLOSSARY.read_text(encoding="utf-8").partition("## Lists")[0]
    told = re.findall(r"^\| ([^|]+?) \|", words, flags=re.MULTILINE)
    found = [word for word in told if word not in ("word", "---")]
    assert sorted({word for word in found if found.count(word) > 1}) == []


def test_a_missing_row_is_seen() -> None:
    text = "<!-- enum isthmus.model.lane.Lane -->\n\n| value | is |\n|---|---|\n| `realtime` | x |\n"
    assert listed(text) == {("enum", "isthmus.model.lane.Lane"): ["realtime"]}
