"""The lock file satisfies what pyproject asks for, names no address, and is what pip and uv both can install."""

import re
import tomllib

from house_tree import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def pins(text: str) -> dict[str, set[Version]]:
    """Name to the versions that are locked: more than one where a marker chooses."""
    found: dict[str, set[Version]] = {}
    for name, version in PIN.findall(text):
        found.setdefault(canonicalize_name(name), set()).add(Version(version))
    return found


def unsatisfied(wanted: list[str], text: str) -> list[str]:
    """Requirements that the lock does not meet."""
    locked = pins(text)
    bad = []
    for line in wanted:
        requirement = Requirement(line)
        versions = locked.get(canonicalize_name(requirement.name), set())
        if not versions or not all(v in requirement.specifier for v in versions):
            bad.append(line)
    return bad


def addresses(text: str) -> list[str]:
    """Lines that name a host, an index or a path: they would tie the lock to one machine or registry."""
    return [
        line for line in text.splitlines() if re.search(r"://|--(extra-)?index-url|--find-links|--trusted| @ ", line)
    ]


def the_lock() -> str:
    return (ROOT / "requirements.lock").read_text(encoding="utf-8")


def wanted() -> list[str]:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [*pyproject["project"]["dependencies"], *pyproject["dependency-groups"]["dev"]]


def test_the_lock_satisfies_pyproject() -> None:
    assert unsatisfied(wanted(), the_lock()) == [], "run: make lock"


def test_the_lock_names_no_address() -> None:
    assert addresses(the_lock()) == []


def test_every_pin_has_its_hashes() -> None:
    blocks = re.split(r"^(?=[A-Za-z0-9])", the_lock(), flags=re.MULTILINE)
    bare = [block.split()[0] for block in blocks if PIN.match(block) and not HASH.search(block)]
    assert bare == []


def test_the_build_backend_is_locked_too() -> None:
    """An editable install without network asks for nothing that the lock does not hold, or says so here."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert [Requirement(line).name for line in pyproject["build-system"]["requires"]] == ["hatchling"]


def test_a_lock_that_does_not_fit_is_seen() -> None:
    text = "rich==13.0.0 \\\n    --hash=sha256:00\nstarlette==1.10.0\n"
    assert unsatisfied(["rich>=14", "starlette>=1.0", "typer>=0.20"], text) == ["rich>=14", "typer>=0.20"]
    assert addresses("--index-url https://registry.example/simple\nrich @ file:///x\nrich==14") == [
        "--index-url https://registry.example/simple",
        "rich @ file:///x",
    ]
