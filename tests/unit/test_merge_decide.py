"""What speaks against a merge that nobody can undo: by what we know, and by what Ometria says."""

from itertools import product
from typing import Any

import msgspec
import pytest

from isthmus.identity.merge_rules import (
    MergeConsent,
    Refusal,
    Side,
    There,
    objections_by_profiles,
    objections_by_records,
    platform_side,
    stricter_consent,
    survivor_and_loser,
)

ONE = Side(
    account=("uk", 1), contact="uk:1", accounts=frozenset({("uk", 1)}), contacts=("uk:1",), emails=frozenset({"a@x.co"})
)
TWO = Side(
    account=("uk", 2), contact="uk:2", accounts=frozenset({("uk", 2)}), contacts=("uk:2",), emails=frozenset({"b@x.co"})
)
P1 = There("p1", "uk:1", frozenset({"uk:1"}), frozenset({"a@x.co"}), MergeConsent.UNSAID, MergeConsent.UNSAID)
IN1 = msgspec.structs.replace(P1, email=MergeConsent.IN)
P2 = There("p2", "uk:2", frozenset({"uk:2"}), frozenset({"b@x.co"}), MergeConsent.UNSAID, MergeConsent.UNSAID)


@pytest.mark.parametrize(
    ("changed", "refusals"),
    [
        ({}, ()),
        ({"contact": "uk:1"}, (Refusal.ONE,)),
        ({"emails": frozenset()}, (Refusal.NO_ADDRESS,)),
        ({"is_shared": True}, (Refusal.SHARED,)),
        ({"is_whole": False}, (Refusal.EXCLUDED,)),
        ({"email": MergeConsent.IN}, (Refusal.EMAIL,)),
        ({"email": MergeConsent.OUT}, ()),
        ({"sms": MergeConsent.IN}, (Refusal.SMS,)),
        ({"sms": MergeConsent.IN, "email": MergeConsent.IN}, (Refusal.EMAIL, Refusal.SMS)),
    ],
)
def test_what_we_know_speaks_against_it(changed: dict[str, Any], refusals: tuple[Refusal, ...]) -> None:
    other = msgspec.structs.replace(TWO, **changed)
    assert objections_by_records(ONE, other) == refusals
    assert objections_by_records(other, ONE) == refusals


def test_what_a_person_said_speaks_against_it() -> None:
    assert objections_by_records(ONE, TWO, are_apart=True) == (Refusal.APART,)


@pytest.mark.parametrize(
    ("first", "second", "refusals"),
    [
        ([P1], [P2], ()),
        ([], [P2], (Refusal.ABSENT,)),
        ([P1, P2], [P2], (Refusal.SEVERAL,)),
        ([P1], [msgspec.structs.replace(P2, customer_id="uk:9")], (Refusal.OTHERS,)),
        ([P1], [msgspec.structs.replace(P2, customer_id=None)], (Refusal.OTHERS,)),
        ([P1], [msgspec.structs.replace(P2, customer_ids=frozenset({"uk:2", "uk:9"}))], (Refusal.OTHERS,)),
        ([P1], [msgspec.structs.replace(P2, emails=frozenset({"b@x.co", "c@x.co"}))], (Refusal.OTHERS,)),
        ([P1], [msgspec.structs.replace(P2, email=MergeConsent.IN)], (Refusal.EMAIL_THERE,)),
        ([IN1], [msgspec.structs.replace(P2, email=MergeConsent.IN)], (Refusal.EMAIL_THERE,)),
        ([P1], [msgspec.structs.replace(P2, sms=MergeConsent.IN)], (Refusal.SMS_THERE,)),
    ],
)  # fmt: skip
def test_what_the_platform_says_speaks_against_it(
    first: list[There], second: list[There], refusals: tuple[Refusal, ...]
) -> None:
    assert objections_by_profiles(ONE, TWO, (first, second)) == refusals


@pytest.mark.parametrize(("one", "two"), list(product(MergeConsent, MergeConsent)))
def test_no_merge_lets_anyone_write_to_whom_they_could_not(one: MergeConsent, two: MergeConsent) -> None:
    """Whatever is not refused leaves everybody as mailable as before, and both as the stricter of the two."""
    allowed = (
        objections_by_records(msgspec.structs.replace(ONE, email=one), msgspec.structs.replace(TWO, email=two)) == ()
    )
    assert allowed is ((one is MergeConsent.IN) == (two is MergeConsent.IN))
    if allowed:
        assert (stricter_consent(one, two) is MergeConsent.IN) is (one is MergeConsent.IN and two is MergeConsent.IN)


def test_the_oldest_account_survives() -> None:
    assert survivor_and_loser(TWO, ONE) == (ONE, TWO)


def test_a_profile_is_read_with_all_its_identities() -> None:
    told = platform_side(
        {
            "id": "p1", "customer_id": "uk:1", "email": " A@X.co",
            "identities": [{"type": "customer_id", "id": "uk:5"}, {"type": "email", "id": "b@x.co"}, "nonsense"],
            "marketing_optin": "EXPLICITLY_OPTEDOUT", "channels": {"sms": {"allow_marketing": True}},
        }
    )  # fmt: skip
    assert told == There(
        "p1", "uk:1", frozenset({"uk:1", "uk:5"}), frozenset({"a@x.co", "b@x.co"}), MergeConsent.OUT, MergeConsent.IN
    )
