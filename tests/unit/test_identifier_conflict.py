"""What Ometria would ignore of a contact, from what it is known to hold."""

import pytest

from isthmus.identity.conflict import ContactIdentifiers, Holder, find_conflicts

ADA = ContactIdentifiers("uk:1", frozenset({"uk:1", "int:4"}), "ada@example.com", "+447911123456")


@pytest.mark.parametrize(
    ("profiles", "others", "fields"),
    [
        ([], set(), ()),
        ([Holder("p1", "ada@example.com", None, "uk:1")], set(), ()),
        ([Holder("p1", "ada@example.com", None, "int:4")], set(), ()),
        ([Holder("p1", "ada@example.com", None, None)], set(), ()),
        ([Holder("p1", "ada@example.com", None, "web-7")], set(), ()),
        ([Holder("p1", "ada@example.com", None, "uk:9")], {"uk:9"}, ("email",)),
        (
            [Holder("p1", "ada@old.example", None, "uk:1"), Holder("p2", "ada@example.com", None, "web-7")],
            set(),
            ("email",),
        ),
        ([Holder("p1", "b@example.com", "+447911123456", "uk:9")], {"uk:9"}, ("phone",)),
        ([Holder("p1", "ada@example.com", "+447911123456", "uk:9")], {"uk:9"}, ("email", "phone")),
    ],
)  # fmt: skip
def test_what_is_somebody_elses_is_foretold(profiles: list[Holder], others: set[str], fields: tuple[str, ...]) -> None:
    assert tuple(one.field for one in find_conflicts(ADA, profiles, others)) == fields


def test_a_number_says_nothing_where_phones_identify_nobody() -> None:
    asked = ContactIdentifiers("uk:1", frozenset({"uk:1"}), "ada@example.com")
    assert find_conflicts(asked, [Holder("p1", "b@example.com", "+447911123456", "uk:9")], {"uk:9"}) == ()
