"""ARCHITECTURE.md names files and functions that there are."""

import ast
import re

from house_tree import ROOT

PAGE = ROOT / "ARCHITECTURE.md"
SPAN = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"[\w.*-]+(?:/[\w.*-]+)*/?$")
FUNCTION = re.compile(r"((?:\w+/)*\w+\.py)::(\w+(?:\.\w+)?)$")
SOURCE = ROOT / "src" / "isthmus"


def missing(text: str) -> list[str]:
    """Spans that name a file, a folder or, as `flows/process.py::process_batch`, a function that is not there."""
    bad = []
    for span in SPAN.findall(text):
        if function := FUNCTION.match(span):
            path = _found(function[1])
            if path is None or function[2] not in _defined(path):
                bad.append(span)
        elif "/" in span and PATH.match(span) and not span.startswith("/") and _is_path(span) and _found(span) is None:
            bad.append(span)
    return bad


def _is_path(span: str) -> bool:
    """`flows/process.py` and `mapping/` are paths; `orders/create` is a topic."""
    return (
        span.endswith("/") or "." in span.rpartition("/")[2] or span.startswith(("src/", "docs/", "tests/", "bench/"))
    )


def _found(name: str) -> str | None:
    """The path of what a span names, from the root of the project or within the product."""
    for base in (ROOT, SOURCE):
        if "*" in name:
            if any(base.glob(name)):
                return name
        elif (base / name).exists():
            return str(base / name)
    return None


def _defined(path: str) -> set[str]:
    """Functions, classes, methods and constants of a module."""
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    found = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}.{part.name}"
                for part in node.body
                if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)
            }
        if isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return found


def test_everything_named_is_there() -> None:
    assert missing(PAGE.read_text(encoding="utf-8")) == []


def test_enough_is_named() -> None:
    """A walkthrough that names nothing holds nothing."""
    assert sum(bool(FUNCTION.match(span)) for span in SPAN.findall(PAGE.read_text(encoding="utf-8"))) >= 30


def test_every_room_has_its_place() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rooms = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert sorted(room for room in rooms if f"`{room}/`" not in text) == []


def test_what_is_not_there_is_seen() -> None:
    text = (
        "`flows/nowhere.py` `flows/process.py::no_such` `flows/process.py::process_batch` "
        "`no_room/` `orders/create` `/live`"
    )
    assert missing(text) == ["flows/nowhere.py", "flows/process.py::no_such", "no_room/"]
