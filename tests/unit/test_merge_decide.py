"""What speaks against a merge that nobody can undo: by what we know, and by what the platform says."""

from itertools import product
from typing import Any

import msgspec
import pytest

from isthmus.identity.merges.decide import Refusal, Side, Stance, There, elder, stricter, there, weigh, weigh_there

ONE = Side(
    account=("uk", 1), contact="uk:1", accounts=frozenset({("uk", 1)}), contacts=("uk:1",), emails=frozenset({"a@x.co"})
)
TWO = Side(
    account=("uk", 2), contact="uk:2", accounts=frozenset({("uk", 2)}), contacts=("uk:2",), emails=frozenset({"b@x.co"})
)
P1 = There("p1", "uk:1", frozenset({"uk:1"}), frozenset({"a@x.co"}), Stance.UNSAID, Stance.UNSAID)
IN1 = msgspec.structs.replace(P1, email=Stance.IN)
P2 = There("p2", "uk:2", frozenset({"uk:2"}), frozenset({"b@x.co"}), Stance.UNSAID, Stance.UNSAID)


@pytest.mark.parametrize(
    ("changed", "refusals"),
    [
        ({}, ()),
        ({"contact": "uk:1"}, (Refusal.ONE,)),
        ({"emails": frozenset()}, (Refusal.NO_ADDRESS,)),
        ({"is_shared": True}, (Refusal.SHARED,)),
        ({"is_whole": False}, (Refusal.EXCLUDED,)),
        ({"email": Stance.IN}, (Refusal.EMAIL,)),
        ({"email": Stance.OUT}, ()),
        ({"sms": Stance.IN}, (Refusal.SMS,)),
        ({"sms": Stance.IN, "email": Stance.IN}, (Refusal.EMAIL, Refusal.SMS)),
    ],
)
def test_what_we_know_speaks_against_it(changed: dict[str, Any], refusals: tuple[Refusal, ...]) -> None:
    other = msgspec.structs.replace(TWO, **changed)
    assert weigh(ONE, other) == refusals
    assert weigh(other, ONE) == refusals


def test_what_a_person_said_speaks_against_it() -> None:
    assert weigh(ONE, TWO, are_apart=True) == (Refusal.APART,)


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
        ([P1], [msgspec.structs.replace(P2, email=Stance.IN)], (Refusal.EMAIL_THERE,)),
        ([IN1], [msgspec.structs.replace(P2, email=Stance.IN)], (Refusal.EMAIL_THERE,)),
        ([P1], [msgspec.structs.replace(P2, sms=Stance.IN)], (Refusal.SMS_THERE,)),
    ],
)  # fmt: skip
def test_what_the_platform_says_speaks_against_it(
    first: list[There], second: list[There], refusals: tuple[Refusal, ...]
) -> None:
    assert weigh_there(ONE, TWO, (first, second)) == refusals


@pytest.mark.parametrize(("one", "two"), list(product(Stance, Stance)))
def test_no_merge_lets_anyone_write_to_whom_they_could_not(one: Stance, two: Stance) -> None:
    """Whatever is not refused leaves everybody as mailable as before, and both as the stricter of the two."""
    allowed = weigh(msgspec.structs.replace(ONE, email=one), msgspec.structs.replace(TWO, email=two)) == ()
    assert allowed is ((one is Stance.IN) == (two is Stance.IN))
    if allowed:
        assert (stricter(one, two) is Stance.IN) is (one is Stance.IN and two is Stance.IN)


def test_the_oldest_account_survives() -> None:
    assert elder(TWO, ONE) == (ONE, TWO)


def test_a_profile_is_read_with_all_its_identities() -> None:
    told = there(
        {
            "id": "p1", "customer_id": "uk:1", "email": " A@X.co",
            "identities": [{"type": "customer_id", "id": "uk:5"}, {"type": "email", "id": "b@x.co"}, "nonsense"],
            "marketing_optin": "EXPLICITLY_OPTEDOUT", "channels": {"sms": {"allow_marketing": True}},
        }
    )  # fmt: skip
    assert told == There(
        "p1", "uk:1", frozenset({"uk:1", "uk:5"}), frozenset({"a@x.co", "b@x.co"}), Stance.OUT, Stance.IN
    )
