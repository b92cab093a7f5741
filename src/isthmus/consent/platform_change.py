"""What Ometria's word about a person tells, held against where the person stands and what we sent: one table.

A profile says what all of its contacts come to, with neither a time nor a reason. So a change there is somebody's word
only where nothing of ours explains it; and where nothing changed although we asked for it, something else speaks.
"""

from collections.abc import Callable
from enum import Enum

from msgspec import Struct

from isthmus.model.consent import Stance


class ProfileChange(Enum):
    """calm: both sides agree, or nobody can tell better · wait: something of it is under way · opt_out: a new word
    against · opt_in: a new word for, where Ometria's counts · unproven: a word for that nobody can prove ·
    refused: our opt-out has no effect · blocked: our opt-in has none.
    """

    CALM = "calm"
    WAIT = "wait"
    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"
    UNPROVEN = "unproven"
    REFUSED = "refused"
    BLOCKED = "blocked"


class PlatformConsentFacts(Struct, frozen=True, kw_only=True):
    """One person on one channel. `was` and `now` are what Ometria said when it was last looked at, and now.

    `has_contact` says that the shop knows the person, and we have a contact of theirs there; `is_moving` that one is
    being sent or not settled; `sent_in` and `sent_out` that we sent an opt-in or an opt-out since Ometria was last
    looked at; `is_explained` that the ledger has an opt-out from there that is later than that look.
    """

    stance: Stance
    was: Stance
    now: Stance
    is_first: bool = False
    has_contact: bool = False
    is_moving: bool = False
    sent_in: bool = False
    sent_out: bool = False
    is_explained: bool = False
    is_asked: bool = False
    """They were asked by text message whether they mean their opt-in, and have yet to answer."""
    is_retired: bool = False
    """A contact of somebody who is gone, and had the address, keeps it opted out: no statement of anybody's."""
    may_opt_in: bool = False
    """Ometria's own opt-ins count as proven (consent.authority = "platform")."""


class ProfileChangeRule(Struct, frozen=True):
    """One row of the table."""

    meaning: ProfileChange
    when: Callable[[PlatformConsentFacts], bool]


def _is_new(facts: PlatformConsentFacts) -> bool:
    """Whether Ometria says something else than before, or is looked at for the first time."""
    return facts.is_first or facts.was is not facts.now


TABLE: tuple[ProfileChangeRule, ...] = (
    # It says what it should, or is silent where it should not write.
    ProfileChangeRule(ProfileChange.CALM, lambda f: f.now is f.stance),
    ProfileChangeRule(ProfileChange.CALM, lambda f: f.now is Stance.UNSAID and f.stance is Stance.OUT),
    ProfileChangeRule(ProfileChange.CALM, lambda f: f.now is Stance.OUT and f.is_retired and f.stance is not Stance.IN),
    # Out, where we know of no opt-out that would be why.
    ProfileChangeRule(ProfileChange.WAIT, lambda f: f.now is Stance.OUT and _is_new(f) and f.sent_out),
    ProfileChangeRule(ProfileChange.OPT_OUT, lambda f: f.now is Stance.OUT and _is_new(f) and not f.is_explained),
    ProfileChangeRule(ProfileChange.OPT_OUT, lambda f: f.now is Stance.OUT and f.stance is Stance.UNSAID),
    # Out, although a later opt-in was proven.
    ProfileChangeRule(ProfileChange.WAIT, lambda f: f.now is Stance.OUT and f.is_moving),
    ProfileChangeRule(ProfileChange.CALM, lambda f: f.now is Stance.OUT and f.is_asked),
    ProfileChangeRule(ProfileChange.BLOCKED, lambda f: f.now is Stance.OUT and f.has_contact),
    ProfileChangeRule(ProfileChange.CALM, lambda f: f.now is Stance.OUT),
    # In, where the person is out or never said anything.
    ProfileChangeRule(ProfileChange.WAIT, lambda f: f.now is Stance.IN and (f.is_moving or (_is_new(f) and f.sent_in))),
    ProfileChangeRule(
        ProfileChange.OPT_IN,
        lambda f: f.now is Stance.IN and f.may_opt_in and f.was is not Stance.IN and not f.is_first,
    ),
    ProfileChangeRule(
        ProfileChange.UNPROVEN, lambda f: f.now is Stance.IN and f.stance is Stance.UNSAID and f.has_contact
    ),
    ProfileChangeRule(ProfileChange.CALM, lambda f: f.now is Stance.IN and f.stance is Stance.UNSAID),
    ProfileChangeRule(
        ProfileChange.UNPROVEN, lambda f: f.now is Stance.IN and (f.was is Stance.OUT or not f.has_contact)
    ),
    ProfileChangeRule(ProfileChange.REFUSED, lambda f: f.now is Stance.IN),
    # Silent, where an opt-in was sent.
    ProfileChangeRule(ProfileChange.WAIT, lambda f: f.is_moving),
    ProfileChangeRule(ProfileChange.BLOCKED, lambda f: f.has_contact),
    ProfileChangeRule(ProfileChange.CALM, lambda _: True),
)
"""First match wins. Every row after the first three is about two sides that do not say the same."""


def classify_profile_change(facts: PlatformConsentFacts) -> ProfileChange:
    """What it means that Ometria says this."""
    return next(rule.meaning for rule in TABLE if rule.when(facts))
