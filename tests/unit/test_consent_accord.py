"""Whether both sides agree on a person: the whole table of what the shop says, where they stand, and the platform."""

from datetime import UTC, datetime

import pytest

from isthmus.consent.accord import differ
from isthmus.consent.decide import NOTHING, Standing, Statement
from isthmus.model.accord import Sort
from isthmus.model.consent import Stance
from isthmus.model.customer import Consent

AT = datetime(2026, 11, 1, tzinfo=UTC)
SHOP, OMETRIA = (Statement("SUBSCRIBED", source, AT, AT) for source in ("shopify.webhook", "ometria.hook"))
IN, OUT, UNSAID = Stance.IN, Stance.OUT, Stance.UNSAID


@pytest.mark.parametrize(
    ("word", "standing", "platform", "sort"),
    [
        # Both may write, or neither.
        ("SUBSCRIBED", Standing(IN, "", SHOP), IN, None),
        ("UNSUBSCRIBED", Standing(OUT, "", SHOP), OUT, None),
        ("UNSUBSCRIBED", Standing(OUT, "", SHOP), UNSAID, None),
        (None, NOTHING, UNSAID, None),
        # What stands came from the platform, and the shop is yet to say it.
        ("UNSUBSCRIBED", Standing(IN, "", OMETRIA), IN, Sort.LACKING),
        ("SUBSCRIBED", Standing(IN, "", OMETRIA), IN, None),
        (None, Standing(IN, "", OMETRIA), IN, None),
        ("UNSUBSCRIBED", Standing(IN, "", SHOP), IN, None),  # another shop's word, which counts for all
        ("UNSUBSCRIBED", Standing(OUT, "", OMETRIA), OUT, None),
        ("UNSUBSCRIBED", Standing(IN, ""), IN, None),
        ("SUBSCRIBED", Standing(OUT, "", OMETRIA), OUT, Sort.BEHIND),
        # One side alone.
        ("SUBSCRIBED", Standing(IN, "", SHOP), OUT, Sort.SILENCED),
        ("SUBSCRIBED", Standing(IN, "", SHOP), UNSAID, Sort.SILENCED),
        ("UNSUBSCRIBED", Standing(IN, "", OMETRIA), OUT, Sort.SILENCED),
        ("UNSUBSCRIBED", Standing(OUT, "", SHOP), IN, Sort.AGAINST),
        ("SUBSCRIBED", Standing(OUT, "", OMETRIA), IN, Sort.AGAINST),
        ("UNSUBSCRIBED", NOTHING, IN, Sort.AGAINST),
        ("NOT_SUBSCRIBED", NOTHING, IN, Sort.UNPROVEN),
        (None, NOTHING, IN, Sort.UNPROVEN),
    ],
)
def test_how_the_sides_differ(word: str | None, standing: Standing, platform: Stance, sort: Sort | None) -> None:
    said = None if word is None else Consent(word)
    assert differ(said, standing, platform, is_moving=False) is sort
    assert differ(said, standing, platform, is_moving=True) is (None if sort is None else Sort.WAITING)
