"""What the platform's word about a person means, row by row."""

import itertools

import pytest

from isthmus.consent.sides import Facts, Meaning, read
from isthmus.model.consent import Stance

IN, OUT, UNSAID = Stance.IN, Stance.OUT, Stance.UNSAID


@pytest.mark.parametrize(
    ("stance", "was", "now", "more", "meaning"),
    [
        (IN, IN, IN, {}, Meaning.CALM),
        (OUT, IN, UNSAID, {}, Meaning.CALM),
        (IN, IN, OUT, {"has_contact": True}, Meaning.OPT_OUT),
        (IN, IN, OUT, {"has_contact": True, "sent_out": True}, Meaning.WAIT),
        (IN, IN, OUT, {"has_contact": True, "is_explained": True}, Meaning.BLOCKED),
        (IN, OUT, OUT, {"has_contact": True}, Meaning.BLOCKED),
        (IN, OUT, OUT, {"has_contact": True, "is_moving": True}, Meaning.WAIT),
        (IN, OUT, OUT, {"has_contact": True, "is_asked": True}, Meaning.CALM),
        (OUT, OUT, IN, {"has_contact": True, "is_asked": True}, Meaning.UNPROVEN),
        (UNSAID, OUT, OUT, {}, Meaning.OPT_OUT),
        (UNSAID, UNSAID, OUT, {"is_first": True}, Meaning.OPT_OUT),
        (OUT, OUT, IN, {"has_contact": True}, Meaning.UNPROVEN),
        (OUT, OUT, IN, {"has_contact": True, "may_opt_in": True}, Meaning.OPT_IN),
        (OUT, OUT, IN, {"has_contact": True, "sent_in": True}, Meaning.WAIT),
        (OUT, IN, IN, {"has_contact": True}, Meaning.REFUSED),
        (OUT, UNSAID, IN, {"has_contact": True, "is_first": True}, Meaning.REFUSED),
        (OUT, UNSAID, IN, {"has_contact": True, "is_moving": True}, Meaning.WAIT),
        (OUT, UNSAID, IN, {}, Meaning.UNPROVEN),
        (UNSAID, UNSAID, IN, {"has_contact": True}, Meaning.UNPROVEN),
        (UNSAID, UNSAID, IN, {}, Meaning.CALM),
        (IN, UNSAID, UNSAID, {"has_contact": True}, Meaning.BLOCKED),
        (IN, UNSAID, UNSAID, {"has_contact": True, "is_moving": True}, Meaning.WAIT),
        (IN, UNSAID, UNSAID, {}, Meaning.CALM),
    ],
)
def test_a_profile_that_says_this_means_that(
    stance: Stance, was: Stance, now: Stance, more: dict[str, bool], meaning: Meaning
) -> None:
    assert read(Facts(stance=stance, was=was, now=now, **more)) is meaning


def test_whatever_is_seen_it_never_opts_anybody_in_unless_the_platform_may() -> None:
    """Every combination of facts: an opt-in only where the policy lets the platform's count."""
    flags = ("is_first", "has_contact", "is_moving", "sent_in", "sent_out", "is_explained", "is_asked", "may_opt_in")
    for stance, was, now in itertools.product(Stance, repeat=3):
        for given in itertools.product((False, True), repeat=len(flags)):
            facts = Facts(stance=stance, was=was, now=now, **dict(zip(flags, given, strict=True)))
            meaning = read(facts)
            if meaning is Meaning.OPT_IN:
                assert facts.may_opt_in
                assert (facts.now, facts.stance is IN) == (IN, False)
            if meaning is Meaning.OPT_OUT:
                assert facts.now is OUT
            if meaning is Meaning.CALM and facts.has_contact and facts.now is IN:
                assert facts.stance is IN, facts
