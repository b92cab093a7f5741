"""The duplicates report as one page that stands alone, made to be printed; it names nobody but by id."""

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def duplicates_html(told: Mapping[str, Any]) -> str:
    """HTML of the document that `isthmus duplicates --json` prints."""
    pages = Environment(
        loader=PackageLoader("isthmus.ops"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    candidates = told["candidates"]
    return pages.get_template("duplicates.html").render(
        told=told,
        n_may=sum(one["may_be_merged"] for one in candidates),
        by_verdict={
            verdict: [one for one in candidates if one["verdict"] == verdict]
            for verdict in ("sure", "likely", "possible")
        },
    )
