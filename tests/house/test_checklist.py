"""The handover page lists what the program judges, and each line leads somewhere."""

import re

import pytest
from house_tree import ROOT

from isthmus.ops.checklist import DAILY, LISTS, MONTHLY, NOTED, checklist_page

PAGE = (ROOT / "docs" / "handover" / "checklist.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("which", LISTS)
def test_the_page_says_what_the_program_judges(which: str) -> None:
    (table,) = re.findall(rf"<!-- checklist {which} -->\n\n((?:\|.*\n)+)", PAGE)
    assert table == checklist_page(LISTS[which])


@pytest.mark.parametrize("item", [*DAILY, *MONTHLY], ids=lambda item: item.key)
def test_a_line_leads_to_its_steps(item) -> None:
    path, _, fragment = item.guide.partition("#")
    text = (ROOT / path).read_text(encoding="utf-8")
    headings = [heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]
    assert not fragment or fragment in headings


def test_every_line_has_a_key_of_its_own() -> None:
    keys = [item.key for item in (*DAILY, *MONTHLY)]
    assert len(keys) == len(set(keys))
    assert {"access_review", "restore_test", "handover"} <= set(NOTED)
