"""Whether the shop and Ometria agree on one person, and in what way they do not."""

from isthmus.consent.decide import ConsentStatus
from isthmus.model.consent import IN, OUT, Stance
from isthmus.model.consent_comparison import DifferenceKind
from isthmus.model.customer import ChannelConsent


def compare_sides(
    word: ChannelConsent | None, standing: ConsentStatus, platform: Stance, *, is_moving: bool
) -> DifferenceKind | None:
    """How the sides differ; None where both may write to the person, or neither.

    The shop's side is where the person stands: what one shop says counts for all of them where the policy says so.
    """
    may_here = standing.stance is Stance.IN
    may_there = platform is Stance.IN
    is_behind = word is not None and word.state == IN and standing.stance is Stance.OUT
    is_lacking = (
        standing.by is not None
        and standing.by.side == "platform"
        and may_here
        and word is not None
        and word.state != IN
    )
    if may_here == may_there and not is_behind and not is_lacking:
        return None
    if is_moving:
        return DifferenceKind.WAITING
    if is_behind and not may_there:
        return DifferenceKind.BEHIND
    if may_here and may_there:
        return DifferenceKind.LACKING
    if may_there:
        is_refused = standing.stance is Stance.OUT or (word is not None and word.state in OUT)
        return DifferenceKind.AGAINST if is_refused else DifferenceKind.UNPROVEN
    return DifferenceKind.SILENCED
