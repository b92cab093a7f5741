"""Rows of the table that decides consent: whose opt-in lifts an opt-out, what is counted, which equal is named."""

from datetime import UTC, datetime, timedelta

import pytest

from isthmus.consent.decide import Statement, decide_consent
from isthmus.consent.policy import Policy
from isthmus.model.consent import Stance

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
LATER = AT + timedelta(hours=1)


def statement(
    state: str, source: str = "shopify.webhook", at: datetime | None = AT, store: str = "uk", customer: int | None = 1
) -> Statement:
    if source.startswith("ometria."):
        store, customer = "", None
    return Statement(state, source, heard_at=LATER, at=at, store=store, customer_id=customer)


@pytest.mark.parametrize(
    ("authority", "source", "stance", "rule"),
    [
        ("newest", "shopify.webhook", Stance.IN, "later_opt_in"),
        ("newest", "ometria.hook", Stance.IN, "later_opt_in"),
        ("store", "shopify.webhook", Stance.IN, "later_opt_in"),
        ("store", "ometria.hook", Stance.OUT, "other_authority"),
        ("platform", "shopify.webhook", Stance.OUT, "other_authority"),
        ("platform", "ometria.hook", Stance.IN, "later_opt_in"),
    ],
)
def test_only_the_side_with_the_authority_lifts_an_opt_out(
    authority: str, source: str, stance: Stance, rule: str
) -> None:
    out = statement("UNSUBSCRIBED", customer=2)
    stands = decide_consent([out, statement("SUBSCRIBED", source, LATER)], Policy(authority), "uk")  # type: ignore[arg-type]
    assert (stands.stance, stands.rule) == (stance, rule)


def test_the_opt_outs_of_all_stores_are_counted_whatever_decides() -> None:
    ledger = [
        statement("UNSUBSCRIBED", store="int", customer=7),
        statement("INVALID"),
        statement("SUBSCRIBED", at=LATER),
    ]
    assert decide_consent(ledger, Policy(), "uk").n_outs == 2
    assert decide_consent(ledger, Policy(scope="store"), "uk").n_outs == 2
    assert decide_consent(ledger[:1], Policy(scope="store"), "uk") == decide_consent(
        ledger[:1], Policy(scope="store"), "fr"
    )
    assert decide_consent(ledger[:1], Policy(scope="store"), "uk").n_outs == 1


def test_of_two_opt_outs_of_one_moment_the_platforms_is_named_since_the_shops_is_its_echo() -> None:
    shops, theirs = statement("UNSUBSCRIBED"), statement("UNSUBSCRIBED", "ometria.unsubscribes")
    assert decide_consent([shops, theirs], Policy(), "uk").by == theirs
    assert decide_consent([theirs, shops], Policy(), "uk").by == theirs


def test_of_two_opt_outs_of_one_moment_the_one_with_a_time_of_its_own_is_named() -> None:
    timed, untimed = statement("UNSUBSCRIBED", at=LATER), statement("UNSUBSCRIBED", "ometria.profile", at=None)
    assert decide_consent([untimed, timed], Policy(), "uk").by == timed


def test_of_two_customers_who_opted_out_in_one_moment_the_same_one_is_always_named() -> None:
    first, second = statement("UNSUBSCRIBED", customer=3), statement("UNSUBSCRIBED", customer=4)
    assert (
        decide_consent([first, second], Policy(), "uk").by
        == decide_consent([second, first], Policy(), "uk").by
        == second
    )


def test_what_only_another_store_knows_is_counted_and_decides_nothing() -> None:
    stands = decide_consent([statement("UNSUBSCRIBED", store="int")], Policy(scope="store"), "uk")
    assert (stands.stance, stands.rule, stands.by, stands.n_outs) == (Stance.UNSAID, "nothing_said", None, 1)
