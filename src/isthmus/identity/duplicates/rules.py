"""Whether two customers are one person: what they share is looked at once, and the first rule that fits decides.

A guess that merges two people cannot be undone, so only what a mail host itself treats as one, together with a name or
a number, is sure. What a family may share (a phone, an address, a house, a mailbox) never is.
"""

from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from isthmus.identity.duplicates.features import PersonFeatures


class DuplicateLikelihood(StrEnum):
    """sure: one person, may be merged by rule · likely: a person decides · possible: worth a look ·
    shared: different people who share something, never merged · different: nothing speaks for one person.
    """

    SURE = "sure"
    LIKELY = "likely"
    POSSIBLE = "possible"
    SHARED = "shared"
    DIFFERENT = "different"


CANDIDATES = frozenset({DuplicateLikelihood.SURE, DuplicateLikelihood.LIKELY, DuplicateLikelihood.POSSIBLE})
"""What is put before a person."""


class Alike(StrEnum):
    """How two values compare. near: one mailbox spelt in two ways; one name shortened; a postcode without a house.
    kin: another first name with the same last name. renamed: the same first name with another last name.
    """

    SAME = "same"
    NEAR = "near"
    KIN = "kin"
    RENAMED = "renamed"
    OTHER = "other"
    UNKNOWN = "unknown"


class PairFeatures(Struct, frozen=True, gc=False):
    """Two customers, held against each other."""

    email: Alike
    phone: Alike
    name: Alike
    place: Alike

    @property
    def is_named_apart(self) -> bool:
        return self.name in _APART


class MatchScore(Struct, frozen=True, gc=False):
    """What was decided, by which rule, how strongly (0 to 100), and what the two share: words, never values."""

    verdict: DuplicateLikelihood
    rule: str
    score: int
    reasons: tuple[str, ...] = ()


def score_pair(one: PersonFeatures, two: PersonFeatures) -> MatchScore:
    """The first rule that fits two customers with different addresses."""
    seen = compare_customers(one, two)
    for name, verdict, score, fits in RULES:
        if fits(seen):
            return MatchScore(verdict, name, score, _reasons(seen, one, two))
    return NOTHING


def is_shared_address(one: PersonFeatures, two: PersonFeatures) -> bool:
    """Whether two customers who answer to one address seem to be two people: a family, or somebody new behind it.

    Somebody who only changed the last name (at the same house or number) is not.
    """
    seen = compare_customers(one, two)
    if seen.name is Alike.RENAMED:
        return Alike.SAME not in (seen.phone, seen.place)
    return seen.is_named_apart


def compare_customers(one: PersonFeatures, two: PersonFeatures) -> PairFeatures:
    """Hold two customers against each other."""
    return PairFeatures(_emails(one, two), _phones(one, two), _names(one, two), _places(one, two))


_APART = frozenset({Alike.KIN, Alike.RENAMED, Alike.OTHER})
_SAME, _NEAR, _OTHER, _UNKNOWN = Alike.SAME, Alike.NEAR, Alike.OTHER, Alike.UNKNOWN

RULES: tuple[tuple[str, DuplicateLikelihood, int, Callable[[PairFeatures], bool]], ...] = (
    ("mailbox_and_name", DuplicateLikelihood.SURE, 97, lambda s: s.email is _NEAR and s.name is _SAME),
    (
        "mailbox_and_phone",
        DuplicateLikelihood.SURE,
        96,
        lambda s: s.email is _NEAR and s.phone is _SAME and not s.is_named_apart,
    ),
    ("phone_and_name", DuplicateLikelihood.LIKELY, 85, lambda s: s.phone is _SAME and s.name in (_SAME, _NEAR)),
    (
        "house_and_name",
        DuplicateLikelihood.LIKELY,
        80,
        lambda s: s.place is _SAME and s.name is _SAME and s.phone is not _OTHER,
    ),
    ("mailbox", DuplicateLikelihood.LIKELY, 75, lambda s: s.email is _NEAR and not s.is_named_apart),
    (
        "phone_and_house",
        DuplicateLikelihood.LIKELY,
        70,
        lambda s: s.phone is _SAME and s.place is _SAME and not s.is_named_apart,
    ),
    ("shared_mailbox", DuplicateLikelihood.SHARED, 0, lambda s: s.email is _NEAR),
    ("shared_phone", DuplicateLikelihood.SHARED, 0, lambda s: s.phone is _SAME and s.is_named_apart),
    ("phone", DuplicateLikelihood.POSSIBLE, 55, lambda s: s.phone is _SAME),
    (
        "house_and_short_name",
        DuplicateLikelihood.POSSIBLE,
        50,
        lambda s: s.place is _SAME and s.name is _NEAR and s.phone is not _OTHER,
    ),
    (
        "postcode_and_name",
        DuplicateLikelihood.POSSIBLE,
        45,
        lambda s: s.place is _NEAR and s.name is _SAME and s.phone is not _OTHER,
    ),
    # Two of one name in one house with two numbers: somebody with a new number, or a parent and a child.
    ("namesakes", DuplicateLikelihood.POSSIBLE, 40, lambda s: s.place is _SAME and s.name is _SAME),
)
"""(name, verdict, score, when), first match wins."""

NOTHING = MatchScore(DuplicateLikelihood.DIFFERENT, "nothing_shared", 0)


# -- held against each other ------------------------------------------------------------------------------------------


def _emails(one: PersonFeatures, two: PersonFeatures) -> Alike:
    if one.email is None or two.email is None:
        return _UNKNOWN
    if one.email == two.email:
        return _SAME
    return _NEAR if one.mailbox == two.mailbox else _OTHER


def _phones(one: PersonFeatures, two: PersonFeatures) -> Alike:
    if not (one.phones and two.phones):
        return _UNKNOWN
    return _OTHER if set(one.phones).isdisjoint(two.phones) else _SAME


def _names(one: PersonFeatures, two: PersonFeatures) -> Alike:
    if not (one.first and one.last and two.first and two.last):
        known = [(one.first, two.first), (one.last, two.last)]
        if any(a and b and not _fits(a, b) for a, b in known):
            return _OTHER
        return _UNKNOWN
    if one.name == two.name:
        return _SAME
    if one.last == two.last:
        return _NEAR if _fits(one.first, two.first) else Alike.KIN
    return Alike.RENAMED if one.first == two.first else _OTHER


def _fits(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """Whether one may be the other shortened: A. and Ada, Alex and Alexander, Anna and Anna Maria."""
    if set(a) <= set(b) or set(b) <= set(a):
        return True
    short, long_ = sorted((a[0], b[0]), key=len)
    return long_.startswith(short) and (len(short) == 1 or len(short) >= 3)


def _places(one: PersonFeatures, two: PersonFeatures) -> Alike:
    if one.postcode is None or two.postcode is None:
        return _UNKNOWN
    if one.postcode != two.postcode:
        return _OTHER
    if one.house is None or two.house is None:
        return _NEAR
    return _SAME if one.house == two.house else _OTHER


def _reasons(seen: PairFeatures, one: PersonFeatures, two: PersonFeatures) -> tuple[str, ...]:
    told = {
        "the same phone number": seen.phone is _SAME,
        "the same name": seen.name is _SAME,
        "one name, shortened": seen.name is _NEAR,
        "one mailbox, spelt in two ways": seen.email is _NEAR,
        "the same house": seen.place is _SAME,
        "the same postcode": seen.place is _NEAR,
        "in two stores": one.store != two.store,
    }
    against = {
        "but another first name": seen.name is Alike.KIN,
        "but another last name": seen.name is Alike.RENAMED,
        "but another name": seen.name is _OTHER,
        "but another phone number": seen.phone is _OTHER,
    }
    return tuple(words for words, holds in (*told.items(), *against.items()) if holds)
