"""The runbook of a case as a page: packaged with the program, or in the checkout it runs from."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from markdown_it import MarkdownIt


def runbook_html(code: str, shelf: Traversable | None = None) -> str | None:
    """The steps of a case code's runbook as HTML; None where it is not at hand.

    `code` must be a row of the catalogue: it becomes part of a path. What stands before the first section is left out,
    since the page tells it from the catalogue.
    """
    found = (shelf or _shelf()) / f"{code}.md"
    if not found.is_file():
        return None
    whole = found.read_text(encoding="utf-8")
    _, heading, steps = whole.partition("\n## ")
    page: str = MarkdownIt("commonmark", {"html": False}).enable("table").render("## " + steps if heading else whole)
    return page


def _shelf() -> Traversable:
    packaged = files("isthmus") / "runbooks"
    if packaged.is_dir():
        return packaged
    return Path(__file__).parents[4] / "docs" / "runbooks"
