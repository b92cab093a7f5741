"""Who may be one person, and who only looks it: the table of rules, and the search over everybody."""

from typing import Any

import pytest

from isthmus.identity.duplicates.candidate_pairs import CROWD, find_pairs
from isthmus.identity.duplicates.features import (
    PersonFeatures,
    mailbox_key,
    name_words,
    normalise_postcode,
    person_features,
)
from isthmus.identity.duplicates.rules import RULES, DuplicateLikelihood, score_pair
from isthmus.kit.clock import FrozenClock
from isthmus.model.customer import Customer
from scenes import AT

ADA: dict[str, Any] = {
    "email": "ada.king@example.com", "phone": "+447911123456", "firstname": "Ada", "lastname": "King",
    "postcode": "LS1 4DY", "house": "12",
}  # fmt: skip


def made(number: int = 1, store: str = "uk", **changed: Any) -> PersonFeatures:
    at = FrozenClock(AT).now()
    return person_features(store, f"{store}:{number}", Customer(number, at, at, **(ADA | changed)))


def unlike(number: int = 2, **changed: Any) -> PersonFeatures:
    """Somebody with nothing of Ada's but what is said."""
    other = {"email": f"b{number}@else.example", "phone": None, "postcode": None, "house": None,
             "firstname": None, "lastname": None}  # fmt: skip
    return made(number, **(other | changed))


NAME = {"firstname": "Ada", "lastname": "King"}
HOUSE = {"postcode": "ls14dy", "house": "12"}
LINE = {"phone": "+447911123456"}


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"email": "ada.king+shoes@example.com", **NAME}, "mailbox_and_name"),
        ({"email": "ada.king+shoes@example.com", **LINE}, "mailbox_and_phone"),
        ({"email": "ada.king+shoes@example.com"}, "mailbox"),
        ({**LINE, **NAME}, "phone_and_name"),
        ({**LINE, "firstname": "A.", "lastname": "KING"}, "phone_and_name"),
        ({**HOUSE, **NAME}, "house_and_name"),
        ({**HOUSE, "firstname": "King", "lastname": "Ada"}, "house_and_name"),
        ({**HOUSE, **LINE}, "phone_and_house"),
        (LINE, "phone"),
        ({**HOUSE, "firstname": "A", "lastname": "King"}, "house_and_short_name"),
        ({"postcode": "LS1 4DY", **NAME}, "postcode_and_name"),
        ({**HOUSE, **NAME, "phone": "+447911999999"}, "namesakes"),
        ({"email": "ada.king+tom@example.com", "firstname": "Tom", "lastname": "King"}, "shared_mailbox"),
        ({**LINE, "firstname": "Tom", "lastname": "King"}, "shared_phone"),
        (NAME, "nothing_shared"),
        ({**NAME, "postcode": "LS1 4DY", "house": "14"}, "nothing_shared"),
    ],
)
def test_the_first_rule_that_fits_decides(changed: dict[str, Any], rule: str) -> None:
    one, two = made(), unlike(**changed)
    assert score_pair(one, two).rule == rule
    assert score_pair(one, two) == score_pair(two, one)


def test_every_rule_is_reached_by_the_examples() -> None:
    examples = test_the_first_rule_that_fits_decides.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert {rule for _, rule in examples} >= {name for name, *_ in RULES}


def test_only_what_a_mail_host_takes_for_one_is_ever_sure() -> None:
    """A family may share phone, house and name; merging by those cannot be undone."""
    twin = made(2, email="other@else.example")
    assert score_pair(made(), twin).verdict is DuplicateLikelihood.LIKELY
    assert all(verdict is not DuplicateLikelihood.SURE or "mailbox" in name for name, verdict, *_ in RULES)


def test_reasons_name_no_person() -> None:
    told = score_pair(made(), unlike(**LINE, **NAME, store="int")).reasons
    assert set(told) == {"the same phone number", "the same name", "in two stores"}


def test_the_number_of_an_address_counts_like_ones_own() -> None:
    """A shop keeps a customer's number unique, so a twin's can only stand with the address."""
    assert score_pair(made(), unlike(address_phone="+44 7911 123456", **NAME)).rule == "phone_and_name"


@pytest.mark.parametrize(
    ("email", "same"),
    [("ada.king@gmail.com", "adaking@gmail.com"), ("a+x@b.co", "a@b.co"), ("a.b@googlemail.com", "ab@gmail.com")],
)
def test_spellings_of_one_mailbox_fall_together(email: str, same: str) -> None:
    assert mailbox_key(email) == mailbox_key(same)


def test_dots_count_where_the_host_reads_them() -> None:
    assert mailbox_key("ada.king@example.com") != mailbox_key("adaking@example.com")


def test_names_are_compared_without_case_accents_and_marks() -> None:
    assert name_words("Zoë O’Brien-Ångström") == ("zoe", "obrien", "angstrom")
    assert name_words("美咲") == ("美咲",)
    assert normalise_postcode(" ls1 4DY ") == "ls14dy"


def test_a_family_behind_one_address_is_told_from_somebody_who_married() -> None:
    tom = made(2, store="int", firstname="Tom", phone="+447911999999")
    married = made(3, store="int", lastname="Byron")
    found = find_pairs([made(), tom, married])
    assert {(pair.one.id, pair.two.id) for pair in found.shared_addresses} == {(1, 2), (2, 3)}
    assert len(found.one_address) == 3
    assert not found.candidates


def test_nobody_is_compared_by_what_a_crowd_shares() -> None:
    crowd = [unlike(n, phone="+447911000000") for n in range(1, CROWD + 2)]
    found = find_pairs([*crowd, made(9_001), unlike(9_002, **LINE)])
    assert (found.n_crowds, found.n_compared) == (1, 1)
    assert [pair.judgement.rule for pair in found.candidates] == ["phone"]


def test_candidates_come_best_first() -> None:
    found = find_pairs(
        [made(), unlike(2, **LINE), unlike(3, **LINE, **NAME), unlike(4, email="ada.king+x@example.com", **NAME)]
    )
    scores = [pair.judgement.score for pair in found.candidates]
    assert scores == sorted(scores, reverse=True)
    assert found.candidates[0].judgement.verdict is DuplicateLikelihood.SURE
