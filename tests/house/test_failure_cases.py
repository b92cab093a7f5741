"""The table of known failures holds: every case is there once, every test it names exists, and names the case."""

import ast
import re

import pytest
from house_tree import ROOT

TABLE = ROOT / "docs" / "reference" / "failure-cases.md"
ROW = re.compile(r"^\| (F\d\d) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
ROWS: list[tuple[str, str, str]] = ROW.findall(TABLE.read_text(encoding="utf-8"))
HELD = [(case, name.strip()) for case, _, held in ROWS if not held.startswith("later: ") for name in held.split(",")]
NAMED = re.compile(r"test_(f\d\d)_")


def suite() -> dict[str, str]:
    """Every test of the suite as file::name, with what it says of itself."""
    found = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                said = ast.get_docstring(node) or ""
                found[f"{path.relative_to(ROOT).as_posix()}::{node.name}"] = f"{node.name} {said}"
    return found


TESTS = suite()


def test_every_case_is_there_once() -> None:
    cases = [case for case, _, _ in ROWS]
    assert (
        len(cases)
        == len(set(cases))
        == len(re.findall(r"^\| F\d", TABLE.read_text(encoding="utf-8"), re.MULTILINE))
        > 60
    )


@pytest.mark.parametrize(("case", "name"), HELD)
def test_a_test_that_is_named_is_there(case: str, name: str) -> None:
    assert name in TESTS


def test_every_test_that_names_a_case_is_in_its_row() -> None:
    held = {name for _, name in HELD}
    named = [name for name in TESTS if NAMED.search(name) and "failure_cases" in name]
    assert [name for name in named if name not in held] == []
    assert [name for case, name in HELD if (own := NAMED.search(name)) and own[1] != case.lower()
            and case not in ("F22", "F34")] == []  # fmt: skip


def test_what_comes_later_says_why() -> None:
    assert all(len(held) > len("later: ") + 10 for _, _, held in ROWS if held.startswith("later:"))
