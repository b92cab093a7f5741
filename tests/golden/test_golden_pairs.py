"""Every golden pair holds, byte for byte."""

import golden_pairs as pairs
import pytest


@pytest.mark.parametrize("case", pairs.cases())
def test_what_is_sent_is_what_the_pair_says(case: str) -> None:
    assert pairs.written(case) == pairs.expected(case)


@pytest.mark.parametrize("case", pairs.cases())
def test_every_pair_says_why(case: str) -> None:
    assert (pairs.HERE / case / "why.md").read_text().strip()
