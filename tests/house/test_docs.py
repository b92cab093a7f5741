"""The documents hold: links lead somewhere, commands and examples work, and nothing tells which machine wrote them."""

import re
import tomllib
from pathlib import Path

import pytest
from command_lines import wrongs
from house_tree import ROOT, files

from isthmus.app.settings import Settings
from isthmus.cases.catalogue import CATALOGUE
from isthmus.connections import file as connection_files

GUIDES = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
GUIDE_ROOMS = ("docs/howto", "docs/tutorial", "docs/handover")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)

TEXT = {".md", ".py", ".toml", ".sql", ".graphql", ".json", ".lock", ".html", ".css", ".svg", ".yml", ".txt", ""}
FOREIGN = re.compile(
    "|".join(
        [
            r"(?<![\w.])/(?:work|root|home)/\w+",
            *(f"{name}\\.{end}" for name, end in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "(?:com|org)"))),
            r"(?:artifactory|nexus|devpi)\.",
        ]
    )
)
"""Paths of a machine, and hosts that packages come from."""


def pages() -> list[Path]:
    return [path for path in files() if path.suffix == ".md" and "golden" not in path.parts]


def guides() -> list[Path]:
    """What people read first: the pages whose commands and examples must work as they stand."""
    return [
        path
        for path in pages()
        if path.relative_to(ROOT).as_posix() in GUIDES or path.relative_to(ROOT).as_posix().startswith(GUIDE_ROOMS)
    ]


def anchors(text: str) -> set[str]:
    """The fragments of a page's headings, as forges make them."""
    bare = FENCE.sub("", text)
    return {
        re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).strip().replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", bare, flags=re.MULTILINE)
    }


def links(text: str) -> list[str]:
    """Where a page points to within the project."""
    found = ["".join(groups) for groups in LINK.findall(FENCE.sub("", text))]
    return [to for to in found if not re.match(r"[a-z]+:", to)]


def broken(page: Path, text: str) -> list[str]:
    """Links of a page that lead nowhere."""
    bad = []
    for to in links(text):
        path, _, fragment = to.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (
            fragment and target.suffix == ".md" and fragment not in anchors(target.read_text(encoding="utf-8"))
        ):
            bad.append(to)
    return bad


def test_the_readme_names_both_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in text
    assert "make test" in text


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page, page.read_text(encoding="utf-8")) == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    todo = [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        todo += [(page.parent / to.partition("#")[0]).resolve() for to in links(page.read_text(encoding="utf-8"))]
    assert sorted(path.relative_to(ROOT).as_posix() for path in set(pages()) - seen) == []


def test_every_runbook_is_linked() -> None:
    text = (ROOT / "docs" / "reference" / "cases.md").read_text(encoding="utf-8")
    assert sorted(code for code in CATALOGUE if f"](../runbooks/{code}.md)" not in text) == []


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = set(links((folder / "README.md").read_text(encoding="utf-8")))
    assert sorted({path.name for path in folder.glob("[0-9]*.md")} - listed) == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_in_pages_are_there(page: Path) -> None:
    assert wrongs(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", guides(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_make_targets_in_guides_are_there(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = re.findall(r"(?:^|`|&& )make ([a-z-]+)", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert set(named) <= targets


@pytest.mark.parametrize("page", guides(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_settings_in_guides_are_valid(page: Path) -> None:
    for language, body in FENCE.findall(page.read_text(encoding="utf-8")):
        if language != "toml":
            continue
        data = tomllib.loads(body)
        if "connection" in data:
            connection_files.parse_connection(data, page.name)
        elif data.keys() & Settings.model_fields.keys():
            Settings.model_validate(data)


def test_no_page_or_file_tells_which_machine_wrote_it() -> None:
    found = [
        f"{path.relative_to(ROOT).as_posix()}:{n} {hit[0]}"
        for path in files()
        if path.suffix in TEXT and path != Path(__file__)
        for n, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if (hit := FOREIGN.search(line))
    ]
    assert found == []


def test_what_is_wrong_is_seen() -> None:
    page = ROOT / "README.md"
    assert broken(page, "[a](nowhere.md) [b](LICENSE) [c](#nowhere) ![d](no.svg) [e](https://example.com)") == [
        "nowhere.md",
        "#nowhere",
        "no.svg",
    ]
