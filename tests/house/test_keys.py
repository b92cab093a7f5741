"""Every key starts with the connection, so that every table can be distributed by it (docs/decisions/0004)."""

import re

from house_tree import ROOT

MIGRATIONS = ROOT / "src" / "isthmus" / "db" / "migrations"
WITHOUT = {
    "installation": "one row, of no connection",
    "readiness": "a row for each role of the installation",
    "engine_migration": "the job engine's own tables belong to no connection",
}
"""Tables that hold no connection's rows, and why."""


def tables(sql: str) -> dict[str, str]:
    """Name and columns of every table, comments taken out."""
    plain = re.sub(r"--[^\n]*", "", sql)
    return dict(re.findall(r"CREATE TABLE (\w+) \((.*?)\n\)", plain, flags=re.DOTALL))


def first_of_key(columns: str) -> str | None:
    """The first column of a table's primary key."""
    found = re.search(r"PRIMARY KEY \((\w+)", columns) or re.search(
        r"^\s*(\w+)[^\n,]*PRIMARY KEY", columns, re.MULTILINE
    )
    return found[1] if found else None


def unique_indexes(sql: str) -> dict[str, str]:
    """Name and first column of every unique index."""
    return dict(re.findall(r"CREATE UNIQUE INDEX (\w+) ON \w+\s*\((\w+)", sql))


def migrations() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(MIGRATIONS.glob("*.sql")))


def test_every_primary_key_starts_with_the_connection() -> None:
    found = {name: first_of_key(columns) for name, columns in tables(migrations()).items() if name not in WITHOUT}
    # A table of raw bodies needs no key at all; then its index says how it is found.
    wrong = {name: first for name, first in found.items() if first not in ("connection", None)}
    assert wrong == {}
    bare = [name for name, first in found.items() if first is None]
    for name in bare:
        assert re.search(rf"CREATE INDEX \w+ ON {name} \(connection,", migrations()), name


def test_every_unique_index_starts_with_the_connection() -> None:
    assert {name: column for name, column in unique_indexes(migrations()).items() if column != "connection"} == {}


def test_a_key_that_starts_otherwise_is_seen() -> None:
    sql = """
CREATE TABLE a (
    id bigint PRIMARY KEY,
    b text
);
CREATE TABLE c (
    d text,
    PRIMARY KEY (d)
);
"""
    assert {name: first_of_key(columns) for name, columns in tables(sql).items()} == {"a": "id", "c": "d"}
    assert unique_indexes("CREATE UNIQUE INDEX x ON t (store, id)") == {"x": "store"}
