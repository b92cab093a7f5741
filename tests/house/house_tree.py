"""How the house tests read the house: its files, its modules as syntax trees, and what a call in them is called."""

import ast
import functools
import gc
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
SKIPPED = {".git", ".venv", ".isthmus", ".conformance", "__pycache__"}


class Module(NamedTuple):
    """A module by its path below `src`, `isthmus/db/pool.py`, with its syntax tree."""

    path: str
    tree: ast.Module


@functools.cache
def modules(package: str = "isthmus") -> tuple[Module, ...]:
    """Every module of a package, in order."""
    source = ROOT / "src"
    found = tuple(
        Module(path.relative_to(source).as_posix(), ast.parse(path.read_text(encoding="utf-8")))
        for path in sorted((source / package).rglob("*.py"))
    )
    gc.freeze()  # hundreds of trees stay: walking them for garbage again and again costs more than all checks
    return found


@functools.cache
def nodes(tree: ast.Module) -> tuple[ast.AST, ...]:
    """Every node of a module, walked once for all checks."""
    return tuple(ast.walk(tree))


def files() -> list[Path]:
    """Every file of the project that is kept: what git knows, or in an unpacked archive everything but the caches."""
    try:
        told = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT, capture_output=True, check=True, text=True,
        )  # fmt: skip
        found = [ROOT / name for name in told.stdout.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        found = [path for path in ROOT.rglob("*") if not SKIPPED & set(path.relative_to(ROOT).parts)]
    return sorted(path for path in found if path.is_file())


def sample(code: str, path: str = "isthmus/sample.py") -> Module:
    """A module that is not there, to show that a check can fail."""
    return Module(path, ast.parse(code))


@functools.cache
def imported(tree: ast.Module) -> dict[str, str]:
    """The names that a module's imports bind: {"sleep": "time.sleep", "dt": "datetime"}."""
    bound: dict[str, str] = {}
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                bound[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return bound


def dotted(node: ast.AST) -> str | None:
    """`a.b.c` of a chain of names and attributes; `().c` for the attribute of something else; None for the rest."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value) or '()'}.{node.attr}"
    return None


def uses(module: Module) -> Iterator[tuple[int, str]]:
    """Every name that is used, with its line, spelled in full by the imports: `time.sleep`, `os.environ`."""
    bound = imported(module.tree)
    for node in nodes(module.tree):
        if isinstance(node, ast.Name | ast.Attribute) and (name := dotted(node)) is not None:
            first, dot, rest = name.partition(".")
            yield node.lineno, bound.get(first, first) + dot + rest


def calls(module: Module) -> Iterator[tuple[int, str]]:
    """Every call, with its line, by the name that is called, spelled in full."""
    bound = imported(module.tree)
    for node in nodes(module.tree):
        if isinstance(node, ast.Call) and (name := dotted(node.func)) is not None:
            first, dot, rest = name.partition(".")
            yield node.lineno, bound.get(first, first) + dot + rest
