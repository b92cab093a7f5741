"""Whose accounts are one person's: by address, and by what was merged, in whatever order it is heard."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from isthmus.identity.match import Account, Link, assign_survivors


def link(n: int, email: str | None = None, joined: Account | None = None, *, is_gone: bool = False) -> Link:
    return Link("uk", n, f"uk:{n}", email, joined, is_gone)


def test_a_merge_joins_everybody_behind_both_addresses() -> None:
    who = assign_survivors(
        [link(1, "a@x.co"), link(2, "a@x.co"), link(3, "b@x.co", ("uk", 2)), link(4, "b@x.co"), link(5, "c@x.co")]
    )
    assert {n: who.by_customer["uk", n] for n in range(1, 6)} == {1: "uk:1", 2: "uk:1", 3: "uk:1", 4: "uk:1", 5: "uk:5"}
    assert who.by_email == {"a@x.co": "uk:1", "b@x.co": "uk:1", "c@x.co": "uk:5"}


def test_an_account_that_is_gone_joins_others_and_speaks_for_nobody() -> None:
    who = assign_survivors([link(1, None, ("uk", 3), is_gone=True), link(2, "b@x.co", ("uk", 1)), link(3, "c@x.co")])
    assert set(who.by_customer.values()) == {"uk:2"}


def test_several_merged_into_one_that_nobody_knows_are_one_person() -> None:
    who = assign_survivors([link(2, "b@x.co", ("uk", 9)), link(3, "c@x.co", ("uk", 9))])
    assert set(who.by_customer.values()) == {"uk:2"}


@given(st.lists(st.tuples(st.integers(1, 6), st.sampled_from("abc"), st.none() | st.integers(1, 6)), max_size=5))
def test_the_answer_does_not_depend_on_the_order(told: list[tuple[int, str, int | None]]) -> None:
    links = list({n: link(n, f"{e}@x.co", ("uk", to) if to and to != n else None) for n, e, to in told}.values())
    answers = [assign_survivors(some) for some in permutations(links)]
    assert all(answer == answers[0] for answer in answers)


def test_without_a_merge_an_address_is_its_oldest_customers_and_without_an_address_everyone_is_alone() -> None:
    who = assign_survivors([link(4, "a@x.co"), link(2, "a@x.co"), link(3), link(5)])
    assert {n: who.by_customer["uk", n] for n in (2, 3, 4, 5)} == {2: "uk:2", 3: "uk:3", 4: "uk:2", 5: "uk:5"}
    assert who.by_email == {"a@x.co": "uk:2"}


def test_those_of_whom_nobody_is_left_keep_the_id_they_had() -> None:
    who = assign_survivors([link(1, "a@x.co", ("uk", 3), is_gone=True), link(2, "b@x.co", ("uk", 7))])
    assert who.by_customer == {("uk", 1): "uk:1", ("uk", 2): "uk:2"}
    assert who.by_email == {"a@x.co": "uk:1", "b@x.co": "uk:2"}
