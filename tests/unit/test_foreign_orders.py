"""Which record of another writer is an order of ours, and when nobody can be sure."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from isthmus.identity.foreign_match import (
    ForeignVerdict,
    Ours,
    Theirs,
    last_number_in,
    match_order,
    match_product,
    normalise_order_name,
)

AT = datetime(2026, 11, 1, 10, tzinfo=UTC)
OURS = Ours(
    id="uk:5001", number=5001, name="#1001", who=b"ada", customer=7, currency="GBP", totals=(40_000, 50_000),
    placed_at=AT,
)  # fmt: skip


def theirs(own: str = "uk:1001", **changed: Any) -> Theirs:
    same = Theirs(
        id=own, number=last_number_in(own), name="1001", who=b"ada", customer=7, currency="GBP", gross_mills=50_000,
        net_mills=50_000, is_valid=True, placed_at=AT,
    )  # fmt: skip
    return msgspec.structs.replace(same, **changed)


@pytest.mark.parametrize("own", ["uk:1001", "uk:shopify_5001", "5001", "agency-1"])
def test_number_buyer_and_total_make_a_match_whatever_the_id(own: str) -> None:
    found = match_order(OURS, [theirs(own)])
    assert (found.verdict, found.theirs) == (ForeignVerdict.MATCHED, (own,))


@pytest.mark.parametrize(
    "changed",
    [
        {"gross_mills": 49_990, "net_mills": 0},  # a penny
        {"gross_mills": 90_000, "net_mills": 40_000},  # what is left of it
        {"who": None},  # known by Shopify's number
        {"customer": None},
        {"name": "#1001 "},
        {"placed_at": AT + timedelta(hours=1)},
        {"currency": None},
    ],
)
def test_what_writers_do_differently_is_no_difference(changed: dict[str, Any]) -> None:
    assert match_order(OURS, [theirs(**changed)]).verdict is ForeignVerdict.MATCHED


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"gross_mills": 49_980, "net_mills": 49_980}, "the total differs"),
        ({"who": b"bob", "customer": 8}, "the buyer differs"),
        ({"who": b"bob", "customer": 8, "gross_mills": 1, "net_mills": 1}, "buyer and total differ"),
    ],
)
def test_what_fits_by_half_is_a_conflict_that_says_where(changed: dict[str, Any], why: str) -> None:
    found = match_order(OURS, [theirs(**changed)])
    assert (found.verdict, found.why) == (ForeignVerdict.CONFLICTING, why)


def test_the_same_number_in_another_shop_is_another_order() -> None:
    elsewhere = {"who": b"bob", "customer": 8, "gross_mills": 1, "net_mills": 1, "placed_at": AT + timedelta(days=9)}
    assert match_order(OURS, [theirs(**elsewhere)]).verdict is ForeignVerdict.UNKNOWN
    assert match_order(OURS, [theirs(currency="EUR")]).verdict is ForeignVerdict.UNKNOWN
    assert match_order(OURS, [theirs(name="1002")]).verdict is ForeignVerdict.UNKNOWN
    assert match_order(OURS, []).verdict is ForeignVerdict.UNKNOWN


def test_of_several_copies_the_one_that_counts_is_it() -> None:
    found = match_order(OURS, [theirs("agency-1", is_valid=False), theirs("uk:1001")])
    assert (found.verdict, found.theirs) == (ForeignVerdict.MATCHED, ("uk:1001",))


def test_two_copies_that_count_are_a_conflict_unless_one_has_shopifys_number() -> None:
    assert match_order(OURS, [theirs("a-1"), theirs("a-2")]).verdict is ForeignVerdict.CONFLICTING
    assert match_order(OURS, [theirs("a-1"), theirs("uk:5001_copy-5001")]).theirs == ("uk:5001_copy-5001",)


def test_our_own_id_needs_no_match() -> None:
    assert match_order(OURS, [theirs("uk:5001", gross_mills=1, net_mills=1)]).verdict is ForeignVerdict.OURS


def test_an_order_without_a_buyer_is_known_by_its_minute() -> None:
    nobody = msgspec.structs.replace(OURS, who=None, customer=None)
    counter = theirs(who=None, customer=None)
    assert match_order(nobody, [counter]).verdict is ForeignVerdict.MATCHED
    later = msgspec.structs.replace(counter, placed_at=AT + timedelta(hours=2))
    assert match_order(nobody, [later]).verdict is ForeignVerdict.CONFLICTING


@pytest.mark.parametrize(
    ("own", "number"), [("uk:shopify_12", 12), ("uk:12_345", 345), ("none", None), (None, None), ("9" * 19, None)]
)
def test_a_number_is_the_last_in_an_id(own: str | None, number: int | None) -> None:
    assert last_number_in(own) == number


@pytest.mark.parametrize(("said", "name"), [("#1001", "1001"), (" 1001 ", "1001"), ("#", None), (None, None)])
def test_an_orders_number_is_compared_without_its_sign(said: str | None, name: str | None) -> None:
    assert normalise_order_name(said) == name


def test_a_product_is_known_by_its_number_alone_and_only_once() -> None:
    shelf = [Theirs(id="uk:3_44", number=44, is_variant=True), Theirs(id="uk:3", number=3)]
    assert match_product(44, is_variant=True, theirs=shelf) == "uk:3_44"
    assert match_product(3, is_variant=False, theirs=shelf) == "uk:3"
    assert match_product(3, is_variant=True, theirs=shelf) is None
    assert match_product(3, is_variant=False, theirs=[*shelf, Theirs(id="x3", number=3)]) is None
