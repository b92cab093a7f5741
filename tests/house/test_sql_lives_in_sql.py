"""SQL is written in modules called sql, or in packages of that name, and statements are run from there."""

import ast
import re

import pytest
from house_tree import Module, calls, modules, nodes, sample

STATEMENT = re.compile(
    r"\s*(SELECT\b|INSERT\s+INTO\b|UPDATE\s+\w+\s+(\w+\s+)?SET\b|DELETE\s+FROM\b|WITH\s+\w+\s+AS\b|CREATE\s+(TABLE|INDEX|UNIQUE|"
    r"DATABASE|ROLE|SCHEMA|FUNCTION)\b|ALTER\s+(TABLE|DATABASE|ROLE|SYSTEM)\b|DROP\s+(TABLE|DATABASE|INDEX)\b|COPY\s+\w+|"
    r"BEGIN$|COMMIT$|TRUNCATE\b|LOCK\s+TABLE\b|LISTEN\b|NOTIFY\b)"
)
RUNS = {"execute", "executemany", "execute_many", "fetch_all", "fetch_one", "fetch_value", "fetch_as"}

ELSEWHERE = {
    "isthmus/db/pool.py": "runs what the SQL modules say, between its own BEGIN and COMMIT",
    "isthmus/db/autocommit_connection.py": "runs what the inbox says, for the webhook endpoint",
    "isthmus/db/migrate.py": "keeps the list of migrations that were applied",
    "isthmus/db/cluster.py": "asks a server that starts whether it answers",
    "isthmus/flows/ingest.py": "hands the inbox's statement to the webhook endpoint's own line",
    "isthmus/db/readiness.py": "runs the one statement of /ready on the webhook endpoint's own line",
    "isthmus/app/engine.py": "installs the job engine's tables and keeps the list of its migrations",
}
"""Who else may, and why."""


def statements(module: Module) -> list[int]:
    """Lines with a string that is a statement."""
    return sorted(
        node.lineno
        for node in nodes(module.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and STATEMENT.match(node.value)
    )


def runs(module: Module) -> list[int]:
    """Lines that run a statement."""
    return sorted(line for line, name in calls(module) if name.rpartition(".")[2] in RUNS and "." in name)


def has_sql(module: Module) -> bool:
    return bool(statements(module) or runs(module))


def is_place(path: str) -> bool:
    """Whether SQL belongs into a module of this path."""
    return path.endswith("/sql.py") or path.rsplit("/", 2)[-2] == "sql"


def test_sql_stands_only_in_sql() -> None:
    found = {m.path: (*statements(m), *runs(m)) for m in modules() if not is_place(m.path) and has_sql(m)}
    assert {path: lines for path, lines in found.items() if path not in ELSEWHERE} == {}


def test_each_exception_is_still_one() -> None:
    there = {m.path for m in modules() if has_sql(m)}
    assert sorted(set(ELSEWHERE) - there) == []


@pytest.mark.parametrize(
    "code",
    [
        "x = 'SELECT 1'",
        'x = """\nINSERT INTO t VALUES (1)"""',
        "x = f'UPDATE t SET a = {b}'",
        "def f(tx):\n    tx.fetch_all(query)",
        "x = 'WITH a AS (SELECT 1) SELECT * FROM a'",
    ],
)
def test_sql_is_seen(code: str) -> None:
    assert has_sql(sample(code))


def test_words_are_not_sql() -> None:
    assert not has_sql(sample("x = 'Select a store'\ny = 'update me'\nz = 'with love'"))
