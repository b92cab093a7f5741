"""Names say what a thing is, files stay small enough to read, and every module says what it is for."""

import ast
import re

import pytest
from house_tree import Module, modules, nodes, sample

MEANINGLESS = ("Manager", "Service", "Helper", "Util", "Utils", "Handler", "Processor", "Base")
ROOMS_FOR_ANYTHING = {"common", "misc", "util", "utils", "helper", "helpers", "service", "services", "base", "core"}
FACES = re.compile(rf"(?:^|[a-z0-9])({'|'.join(MEANINGLESS)})$")
LONGEST = 700
"""Lines: far above what is beautiful, and where a reviewer would give up."""


def names(module: Module) -> list[str]:
    """Names in a module, the module's own among them, that say nothing."""
    parts = module.path.removesuffix(".py").split("/")
    found = [part for part in parts if part in ROOMS_FOR_ANYTHING]
    for node in nodes(module.tree):
        if isinstance(node, ast.ClassDef) and FACES.search(node.name):
            found.append(node.name)
    return found


def test_names_say_what_a_thing_is() -> None:
    found = {m.path: bad for m in [*modules("isthmus"), *modules("sims")] if (bad := names(m))}
    assert found == {}


def test_files_are_short_enough_to_read() -> None:
    found = {m.path: n for m in [*modules("isthmus"), *modules("sims")] if (n := _length(m)) > LONGEST}
    assert found == {}


def test_every_module_says_what_it_is_for() -> None:
    silent = [m.path for m in [*modules("isthmus"), *modules("sims")] if m.tree.body and not ast.get_docstring(m.tree)]
    assert silent == []


def test_no_money_is_a_float() -> None:
    """`amount: float` and the like, in the language and the mapping."""
    money = re.compile(r"amount|price|total|tax|discount|shipping|refunded|net|subtotal")
    found = [
        f"{m.path}:{node.lineno} {node.target.id}"
        for m in modules()
        if m.path.startswith(("isthmus/model/", "isthmus/mapping/", "isthmus/kit/"))
        for node in nodes(m.tree)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and money.search(node.target.id)
        and "float" in ast.unparse(node.annotation)
    ]
    assert found == []


def _length(module: Module) -> int:
    return max((getattr(node, "end_lineno", 0) or 0 for node in nodes(module.tree)), default=0)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("isthmus/sample.py", "class OrderManager: ..."),
        ("isthmus/sample.py", "class Handler: ..."),
        ("isthmus/utils/money.py", ""),
        ("isthmus/kit/helpers.py", ""),
    ],
)
def test_a_name_that_says_nothing_is_seen(path: str, code: str) -> None:
    assert names(sample(code, path))


def test_a_name_that_says_something_is_fine() -> None:
    assert names(sample("class Database: ...\nclass Managed: ...\nclass Basement: ...")) == []
