"""Codes, catalogue and runbooks hold together: what is raised is catalogued, what is catalogued has its steps."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_lines import named, wrongs
from house_tree import modules, nodes

from isthmus.cases.catalogue import CATALOGUE, CaseRow

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "docs" / "runbooks"
SECTIONS = ("What you see", "Why", "What to do", "How it closes")
CODE = re.compile(r"(?:storefront|integration|platform|privacy|identity|internal|consent)\.[a-z][a-z_]*")
CARRIERS = {"Failure", "TransientError", "RejectedError", "BlockedError", "Touch", "Finding"}


def raised() -> Iterator[tuple[str, str]]:
    """Every code that stands in the product, and where: by its look, or as the first word of a failure."""
    for module in modules():
        if module.path == "isthmus/cases/catalogue.py":
            continue
        where = f"src/{module.path}"
        for node in nodes(module.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                yield node.value, f"{where}:{node.lineno}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                first = node.args[0] if node.args else None
                if name in CARRIERS and isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value, f"{where}:{node.lineno}"


def sections(text: str) -> dict[str, str]:
    found = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return {name.strip(): body.strip() for name, body in zip(found[1::2], found[2::2], strict=True)}


def test_every_code_raised_is_catalogued() -> None:
    unknown = sorted(f"{where} {code}" for code, where in raised() if code not in CATALOGUE)
    assert not unknown, "give each a row in cases/catalogue.py and a runbook:\n" + "\n".join(unknown)


@pytest.mark.parametrize("row", CATALOGUE.values(), ids=lambda row: row.code)
def test_a_row_says_something(row: CaseRow) -> None:
    assert CODE.fullmatch(row.code)
    assert row.remedy.endswith(".")
    assert "\n" not in row.remedy
    assert row.title
    assert not row.title.endswith(".")
    assert (row.due_days is not None) == row.code.startswith("privacy.")


@pytest.mark.parametrize("row", CATALOGUE.values(), ids=lambda row: row.code)
def test_a_runbook_stands_behind_every_row(row: CaseRow) -> None:
    text = (ROOT / row.runbook).read_text(encoding="utf-8")
    assert text.startswith(f"# {row.code}\n\n{row.title}. ")
    assert f"Cause: {row.cause}. Owner: {row.owner}. Severity: {row.severity}." in text
    found = sections(text)
    assert tuple(found) == SECTIONS
    for name, body in found.items():
        assert len(body) >= 60, f"{name} says too little"
    assert re.search(r"^1\. ", found["What to do"], re.MULTILINE), "steps are numbered"


def test_every_runbook_belongs_to_a_row() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"} == set(CATALOGUE)


@pytest.mark.parametrize("section", SECTIONS)
def test_no_two_runbooks_say_the_same(section: str) -> None:
    """A passage pasted into several runbooks tells nobody anything."""
    seen: dict[str, str] = {}
    for code, row in CATALOGUE.items():
        body = sections((ROOT / row.runbook).read_text(encoding="utf-8"))[section]
        assert body not in seen, f"{code} repeats {seen[body]}"
        seen[body] = code


@pytest.mark.parametrize("row", CATALOGUE.values(), ids=lambda row: row.code)
def test_runbooks_and_remedies_use_commands_as_the_program_takes_them(row: CaseRow) -> None:
    assert wrongs(row.remedy) == []
    assert wrongs((ROOT / row.runbook).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("row", CATALOGUE.values(), ids=lambda row: row.code)
def test_a_runbook_names_the_commands_of_its_remedy(row: CaseRow) -> None:
    """Whoever opens the runbook finds there what the remedy says to type."""
    runbook = named((ROOT / row.runbook).read_text(encoding="utf-8"))
    assert [line for line in named(row.remedy) if line not in runbook] == []


def test_a_command_line_that_the_program_would_refuse_is_seen() -> None:
    assert wrongs("`isthmus erase NAME --email E`") == ["isthmus erase: there is no such command"]
    assert wrongs("`isthmus cases reply ID`") == ["isthmus cases reply: there is no such command"]
    assert wrongs("`isthmus replay NAME --gone`") == ["isthmus replay --gone: there is no such option"]
    assert wrongs("`isthmus replay NAME --since`") == ["isthmus replay --since: needs a value"]
    assert wrongs("`isthmus status NAME OTHER`") == ["isthmus status: takes 1 values, not NAME OTHER"]
    assert wrongs("`isthmus cases replay 17 18`, `isthmus` and an isthmus of land") == []
