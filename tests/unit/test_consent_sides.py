"""What Ometria's word about a person means, row by row."""

import itertools

import pytest

from isthmus.consent.platform_change import PlatformConsentFacts, ProfileChange, classify_profile_change
from isthmus.model.consent import Stance

IN, OUT, UNSAID = Stance.IN, Stance.OUT, Stance.UNSAID


@pytest.mark.parametrize(
    ("stance", "was", "now", "more", "meaning"),
    [
        (IN, IN, IN, {}, ProfileChange.CALM),
        (OUT, IN, UNSAID, {}, ProfileChange.CALM),
        (IN, IN, OUT, {"has_contact": True}, ProfileChange.OPT_OUT),
        (IN, IN, OUT, {"has_contact": True, "sent_out": True}, ProfileChange.WAIT),
        (IN, IN, OUT, {"has_contact": True, "is_explained": True}, ProfileChange.BLOCKED),
        (IN, OUT, OUT, {"has_contact": True}, ProfileChange.BLOCKED),
        (IN, OUT, OUT, {"has_contact": True, "is_moving": True}, ProfileChange.WAIT),
        (IN, OUT, OUT, {"has_contact": True, "is_asked": True}, ProfileChange.CALM),
        (OUT, OUT, IN, {"has_contact": True, "is_asked": True}, ProfileChange.UNPROVEN),
        (UNSAID, OUT, OUT, {}, ProfileChange.OPT_OUT),
        (UNSAID, UNSAID, OUT, {"is_first": True}, ProfileChange.OPT_OUT),
        (OUT, OUT, IN, {"has_contact": True}, ProfileChange.UNPROVEN),
        (OUT, OUT, IN, {"has_contact": True, "may_opt_in": True}, ProfileChange.OPT_IN),
        (OUT, OUT, IN, {"has_contact": True, "sent_in": True}, ProfileChange.WAIT),
        (OUT, IN, IN, {"has_contact": True}, ProfileChange.REFUSED),
        (OUT, UNSAID, IN, {"has_contact": True, "is_first": True}, ProfileChange.REFUSED),
        (OUT, UNSAID, IN, {"has_contact": True, "is_moving": True}, ProfileChange.WAIT),
        (OUT, UNSAID, IN, {}, ProfileChange.UNPROVEN),
        (UNSAID, UNSAID, IN, {"has_contact": True}, ProfileChange.UNPROVEN),
        (UNSAID, UNSAID, IN, {}, ProfileChange.CALM),
        (IN, UNSAID, UNSAID, {"has_contact": True}, ProfileChange.BLOCKED),
        (IN, UNSAID, UNSAID, {"has_contact": True, "is_moving": True}, ProfileChange.WAIT),
        (IN, UNSAID, UNSAID, {}, ProfileChange.CALM),
    ],
)
def test_a_profile_that_says_this_means_that(
    stance: Stance, was: Stance, now: Stance, more: dict[str, bool], meaning: ProfileChange
) -> None:
    assert classify_profile_change(PlatformConsentFacts(stance=stance, was=was, now=now, **more)) is meaning


def test_whatever_is_seen_it_never_opts_anybody_in_unless_the_platform_may() -> None:
    """Every combination of facts: an opt-in only where the policy lets Ometria's count."""
    flags = ("is_first", "has_contact", "is_moving", "sent_in", "sent_out", "is_explained", "is_asked", "may_opt_in")
    for stance, was, now in itertools.product(Stance, repeat=3):
        for given in itertools.product((False, True), repeat=len(flags)):
            facts = PlatformConsentFacts(stance=stance, was=was, now=now, **dict(zip(flags, given, strict=True)))
            meaning = classify_profile_change(facts)
            if meaning is ProfileChange.OPT_IN:
                assert facts.may_opt_in
                assert (facts.now, facts.stance is IN) == (IN, False)
            if meaning is ProfileChange.OPT_OUT:
                assert facts.now is OUT
            if meaning is ProfileChange.CALM and facts.has_contact and facts.now is IN:
                assert facts.stance is IN, facts
