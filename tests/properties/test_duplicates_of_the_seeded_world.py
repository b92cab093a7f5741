"""On the seeded world every true duplicate is found and no two humans are taken for one by rule, whatever the seed."""

from itertools import combinations

import msgspec
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from isthmus.identity.duplicates.candidate_pairs import DuplicateSearch, Pair, find_pairs
from isthmus.identity.duplicates.features import PersonFeatures, person_features
from isthmus.identity.duplicates.rules import DuplicateLikelihood
from isthmus.model.customer import Customer
from isthmus.shopify import parse
from scenes import AT
from sims.clock import SimClock
from sims.shopify import kinship, world
from sims.shopify.rest.people import customer as body_of
from sims.shopify.state import World

Account = tuple[str, int]
SHOPS = {"acme-uk.myshopify.com": "uk", "acme-int.myshopify.com": "int"}


def seeded(seed: int, each: int, customers: int = 160) -> tuple[World, list[kinship.Tie]]:
    made = world.build(seed, customers, 0, 2, SimClock(AT, rate=0))
    return made, kinship.sow(made, seed, each)


def everybody(made: World) -> list[PersonFeatures]:
    """All customers as their webhooks tell of them."""
    people = []
    for domain, store in made.stores.items():
        for one in store.customers.values():
            told = parse.parse_webhook("customer", msgspec.json.encode(body_of(store, one)))
            assert isinstance(told, Customer)
            people.append(person_features(SHOPS[domain], f"{SHOPS[domain]}:{one.id}", told))
    return people


def humans(made: World) -> dict[Account, int]:
    """Whose account each really is, by the label."""
    return {(SHOPS[domain], one.id): one.human or one.id for domain, store in made.stores.items()
            for one in store.customers.values()}  # fmt: skip


def accounts(pair: Pair) -> frozenset[Account]:
    return frozenset({(pair.one.store, pair.one.id), (pair.two.store, pair.two.id)})


def true_pairs(who: dict[Account, int]) -> set[frozenset[Account]]:
    of: dict[int, list[Account]] = {}
    for account, human in who.items():
        of.setdefault(human, []).append(account)
    return {frozenset(pair) for some in of.values() for pair in combinations(some, 2)}


def brought_up(found: DuplicateSearch) -> set[frozenset[Account]]:
    """Pairs that are one person by their address, or are put before a person."""
    return {accounts(pair) for pair in (*found.one_address, *found.candidates)}


@given(seed=st.integers(0, 10_000))
@examples(max_examples=25)
def test_every_true_pair_is_found_and_no_two_humans_are_sure(seed: int) -> None:
    made, ties = seeded(seed, 2)
    who = humans(made)
    found = find_pairs(everybody(made))
    assert true_pairs(who) - brought_up(found) == set()
    sure = {accounts(pair) for pair in found.candidates if pair.judgement.verdict is DuplicateLikelihood.SURE}
    assert sure - true_pairs(who) == set()
    assert sure, "nothing would ever be merged by rule"
    # Whoever shares an address with another human is flagged, never passed over in silence.
    flagged = {accounts(pair) for pair in found.shared_addresses}
    sharing = {frozenset((SHOPS[shop], number) for shop, number in tie.accounts) for tie in ties
               if tie.sort in ("family_address", "recycled_address")}  # fmt: skip
    assert sharing <= flagged
    assert flagged.isdisjoint(true_pairs(who))


def test_the_label_says_who_is_who_and_is_not_derived_from_what_is_alike() -> None:
    made, ties = seeded(1, 1)
    who = humans(made)
    assert {tie.sort for tie in ties if tie.is_one} == set(kinship.ONE_HUMAN)
    for tie in ties:
        own = {who[SHOPS[shop], number] for shop, number in tie.accounts}
        assert (len(own) == 1) == tie.is_one
