"""Public names are the field's words: a class name is used once, a function name once in its package.

docs/renames.map has what became what; docs/decisions/0017 says why.
"""

import ast
import re
from collections import defaultdict

from house_tree import Module, modules, sample

_BANNED = """
anew apart bell bells buried bury desk door doors elder foretell govern hear heard heir heirs held holding kin
look looked looks mended moment moments neighbour neighbours odd rehearse rhythm road said saw say seen shut
spoken stands stranger strangers suspect suspects takings tell thrift timetable told toll trouble twin twins
unheard unlike unsaid wall whims wish wished worth
"""
BANNED = frozenset(_BANNED.split())
"""Words of a dialect that a newcomer can neither guess nor search for."""

ALLOWED = {
    "config_changes.result:could_not_look": "one of the three answers of every check: found, not found, could not look"
}
"""Names with one of these words all the same, each with the reason."""

SAME_IN_PACKAGE = {("cli", "register"): "every group of commands adds itself to the application by it"}
"""Functions of one name in several modules of a package, each with the reason."""

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def words(name: str) -> set[str]:
    """`read_orderTotals` as {"read", "order", "totals"}."""
    return {word.lower() for word in _WORD.findall(name)}


def public(module: Module) -> list[tuple[str, ast.stmt]]:
    """Classes and functions of a module that others may use, by name."""
    return [
        (node.name, node)
        for node in module.tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
    ]


def dotted(module: Module) -> str:
    return module.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".").partition(".")[2]


def banned(found: list[Module]) -> list[str]:
    """Modules, classes and functions with a banned word, as `flows.told` or `flows.process:look`."""
    bad = []
    for module in found:
        place = dotted(module)
        if words(place.rpartition(".")[2]) & BANNED:
            bad.append(place)
        bad += [f"{place}:{name}" for name, _ in public(module) if words(name) & BANNED]
    return bad


def test_no_public_name_has_a_word_of_the_dialect() -> None:
    assert [name for name in banned(list(modules())) if name not in ALLOWED] == []
    assert set(ALLOWED) <= set(banned(list(modules())))


def test_a_banned_word_is_seen() -> None:
    assert banned([sample("def look(): ...\nclass Told: ...\nclass _Held: ...", "isthmus/flows/wish.py")]) == [
        "flows.wish",
        "flows.wish:look",
        "flows.wish:Told",
    ]


def test_no_class_name_is_used_twice() -> None:
    places = defaultdict(list)
    for module in modules():
        for name, node in public(module):
            if isinstance(node, ast.ClassDef):
                places[name].append(dotted(module))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_function_name_is_used_twice_in_a_package() -> None:
    places = defaultdict(list)
    for module in modules():
        for name, node in public(module):
            if not isinstance(node, ast.ClassDef):
                places[dotted(module).rpartition(".")[0], name].append(dotted(module))
    twice = {key: found for key, found in places.items() if len(found) > 1 and key not in SAME_IN_PACKAGE}
    assert twice == {}
    assert all(len(places[key]) > 1 for key in SAME_IN_PACKAGE)
