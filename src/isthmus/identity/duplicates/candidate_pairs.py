"""Find everybody who may be somebody else too, without holding everyone against everyone.

Only those who share a key are compared: a mailbox, a number, or a name within a postcode. A key that a crowd shares
(a number that was typed to satisfy a form) says nothing about anyone; it is counted, and nobody is compared by it.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from msgspec import Struct

from isthmus.identity.duplicates.features import PersonFeatures
from isthmus.identity.duplicates.rules import CANDIDATES, DuplicateLikelihood, MatchScore, is_shared_address, score_pair

CROWD = 60
"""More than this many customers of one key are a crowd: at most 1,770 comparisons for any key."""


class Pair(Struct, frozen=True, gc=False):
    """Two customers, and what was made of them."""

    one: PersonFeatures
    two: PersonFeatures
    judgement: MatchScore


class DuplicateSearch(Struct):
    """What a search brought up.

    `candidates` may be one person under two addresses, best first. `one_address` answer to one address, and so are one
    person already; those of them that seem to be different people stand in `shared_addresses` too. `shared` are
    different people who share a number or a mailbox.
    """

    candidates: list[Pair]
    one_address: list[Pair]
    shared_addresses: list[Pair]
    shared: list[Pair]
    n_people: int = 0
    n_compared: int = 0
    n_crowds: int = 0


ONE_ADDRESS = MatchScore(DuplicateLikelihood.SURE, "address", 100, ("the same address",))
TWO_PEOPLE = MatchScore(DuplicateLikelihood.SHARED, "shared_address", 0, ("the same address", "but another name"))


def find_pairs(everybody: Iterable[PersonFeatures]) -> DuplicateSearch:
    """Compare whoever shares a key with whoever else does."""
    people = list(everybody)
    found = DuplicateSearch([], [], [], [], n_people=len(people))
    for a, b in _pairs(people, found):
        one, two = people[a], people[b]
        found.n_compared += 1
        if one.email is not None and one.email == two.email:
            is_apart = is_shared_address(one, two)
            pair = Pair(one, two, TWO_PEOPLE if is_apart else ONE_ADDRESS)
            found.one_address.append(pair)
            if is_apart:
                found.shared_addresses.append(pair)
            continue
        judgement = score_pair(one, two)
        if judgement.verdict in CANDIDATES:
            found.candidates.append(Pair(one, two, judgement))
        elif judgement.verdict is DuplicateLikelihood.SHARED:
            found.shared.append(Pair(one, two, judgement))
    found.candidates.sort(key=lambda pair: (-pair.judgement.score, pair.one.contact, pair.two.contact))
    return found


def _pairs(people: Sequence[PersonFeatures], found: DuplicateSearch) -> Iterator[tuple[int, int]]:
    """Each pair that shares a key, once."""
    blocks: dict[tuple[str | None, ...], list[int]] = {}
    for n, one in enumerate(people):
        for key in _keys(one):
            blocks.setdefault(key, []).append(n)
    seen: set[int] = set()
    for block in blocks.values():
        if len(block) > CROWD:
            found.n_crowds += 1
            continue
        for a, b in combinations(block, 2):
            both = a << 32 | b
            if both not in seen:
                seen.add(both)
                yield a, b


def _keys(one: PersonFeatures) -> Iterator[tuple[str | None, ...]]:
    if one.mailbox is not None:
        yield ("mailbox", one.mailbox)
    for phone in one.phones:
        yield ("phone", phone)
    if one.postcode is not None and one.first and one.last:
        yield ("name", one.postcode, *one.name)
        if one.house is not None:
            yield ("short", one.postcode, one.house, *one.last, one.first[0][0])
