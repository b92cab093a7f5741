"""Whether both sides agree on a person: the whole table of what the shop says, where they stand, and Ometria."""

from datetime import UTC, datetime

import pytest

from isthmus.consent.decide import NOTHING, ConsentStatus, Statement
from isthmus.consent.side_comparison import compare_sides
from isthmus.model.consent import Stance
from isthmus.model.consent_comparison import DifferenceKind
from isthmus.model.customer import ChannelConsent

AT = datetime(2026, 11, 1, tzinfo=UTC)
SHOP, OMETRIA = (Statement("SUBSCRIBED", source, AT, AT) for source in ("shopify.webhook", "ometria.hook"))
IN, OUT, UNSAID = Stance.IN, Stance.OUT, Stance.UNSAID


@pytest.mark.parametrize(
    ("word", "standing", "platform", "sort"),
    [
        # Both may write, or neither.
        ("SUBSCRIBED", ConsentStatus(IN, "", SHOP), IN, None),
        ("UNSUBSCRIBED", ConsentStatus(OUT, "", SHOP), OUT, None),
        ("UNSUBSCRIBED", ConsentStatus(OUT, "", SHOP), UNSAID, None),
        (None, NOTHING, UNSAID, None),
        # What stands came from Ometria, and the shop is yet to say it.
        ("UNSUBSCRIBED", ConsentStatus(IN, "", OMETRIA), IN, DifferenceKind.LACKING),
        ("SUBSCRIBED", ConsentStatus(IN, "", OMETRIA), IN, None),
        (None, ConsentStatus(IN, "", OMETRIA), IN, None),
        ("UNSUBSCRIBED", ConsentStatus(IN, "", SHOP), IN, None),  # another shop's word, which counts for all
        ("UNSUBSCRIBED", ConsentStatus(OUT, "", OMETRIA), OUT, None),
        ("UNSUBSCRIBED", ConsentStatus(IN, ""), IN, None),
        ("SUBSCRIBED", ConsentStatus(OUT, "", OMETRIA), OUT, DifferenceKind.BEHIND),
        # One side alone.
        ("SUBSCRIBED", ConsentStatus(IN, "", SHOP), OUT, DifferenceKind.SILENCED),
        ("SUBSCRIBED", ConsentStatus(IN, "", SHOP), UNSAID, DifferenceKind.SILENCED),
        ("UNSUBSCRIBED", ConsentStatus(IN, "", OMETRIA), OUT, DifferenceKind.SILENCED),
        ("UNSUBSCRIBED", ConsentStatus(OUT, "", SHOP), IN, DifferenceKind.AGAINST),
        ("SUBSCRIBED", ConsentStatus(OUT, "", OMETRIA), IN, DifferenceKind.AGAINST),
        ("UNSUBSCRIBED", NOTHING, IN, DifferenceKind.AGAINST),
        ("NOT_SUBSCRIBED", NOTHING, IN, DifferenceKind.UNPROVEN),
        (None, NOTHING, IN, DifferenceKind.UNPROVEN),
    ],
)
def test_how_the_sides_differ(
    word: str | None, standing: ConsentStatus, platform: Stance, sort: DifferenceKind | None
) -> None:
    said = None if word is None else ChannelConsent(word)
    assert compare_sides(said, standing, platform, is_moving=False) is sort
    assert compare_sides(said, standing, platform, is_moving=True) is (None if sort is None else DifferenceKind.WAITING)
