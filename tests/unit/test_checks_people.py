"""What the audit's checks make of customers."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from isthmus.checks.check import CustomerCheck
from isthmus.checks.consent_between_stores import ConsentBetweenStores
from isthmus.checks.consent_differs import ConsentDiffers
from isthmus.checks.consent_evidence import ConsentEvidence
from isthmus.checks.consent_unknown import ConsentUnknown
from isthmus.checks.duplicate_email import DuplicateEmail
from isthmus.checks.duplicate_name import DuplicateName
from isthmus.checks.duplicate_phone import DuplicatePhone
from isthmus.checks.invalid_email import InvalidEmail, is_address
from isthmus.checks.no_email import NoEmail
from isthmus.checks.protected_data import ENOUGH, ProtectedData
from isthmus.checks.role_address import RoleAddress
from isthmus.model.audit_finding import AuditFinding, Level
from isthmus.model.audit_rows import CustomerRef, CustomerRow, ProfileRow, ReadDenied, Source
from isthmus.model.customer import ChannelConsent

AT = datetime(2026, 1, 1, tzinfo=UTC)


def person(
    number: int, email: str | None = None, *, store: str = "uk", spent: str = "10.00", **more: object
) -> CustomerRow:
    return CustomerRow(CustomerRef(store, str(number), Decimal(spent), "GBP"), email=email, **more)  # type: ignore[arg-type]


def of(check: CustomerCheck, *rows: CustomerRow) -> list[AuditFinding]:
    for row in rows:
        check.person(row)
    return check.answer()


def test_addresses_that_differ_by_case_and_space_are_one():
    (one,) = of(DuplicateEmail(), person(1, "Ada@x.com"), person(2, " ada@X.com "), person(3, "bob@x.com"))
    assert (one.n, one.of, one.people, one.money) == (2, 3, 2, {"GBP": Decimal("20.00")})
    assert [(each.id, each.says) for each in one.examples] == [("1", "also 2")]


def test_f71_an_address_of_several_names_is_flagged_as_perhaps_a_family():
    rows = [
        person(1, "home@x.com", firstname="Ada"),
        person(2, "home@x.com", firstname="Bob"),
        person(3, "own@x.com", firstname="Cy", lastname="Ng"),
        person(4, "own@x.com", firstname="CY ", lastname="ng"),
        person(5, "own@x.com"),
    ]
    (one,) = of(DuplicateEmail(), *rows)
    assert "2 groups" in one.what
    assert "In 1 of them the names differ" in one.what


def test_the_same_address_in_two_stores_is_one_person_and_no_trouble():
    assert of(DuplicateEmail(), person(1, "ada@x.com"), person(2, "ada@x.com", store="int")) == []


def test_a_plus_tag_and_dots_make_another_address():
    assert of(DuplicateEmail(), person(1, "ada@x.com"), person(2, "a.da@x.com"), person(3, "ada+1@x.com")) == []


def test_those_who_spent_most_come_first():
    rows = [person(1, "a@x.com"), person(2, "a@x.com"), person(3, "b@x.com", spent="99"), person(4, "b@x.com")]
    (one,) = of(DuplicateEmail(keep=1), *rows)
    assert [each.id for each in one.examples] == ["3"]
    assert (one.n, "2 groups" in one.what) == (4, True)


@pytest.mark.parametrize(("left", "right"), [("+447911123456", "07911 123456"), ("+44 7911 123456", "+447911123456")])
def test_phones_are_compared_as_numbers(left: str, right: str):
    rows = [person(1, phone=left, country_code="GB"), person(2, phone=right, country_code="GB")]
    (one,) = of(DuplicatePhone(), *rows)
    assert one.n == 2


def test_a_phone_that_is_no_number_is_nobodys():
    assert of(DuplicatePhone(), person(1, phone="n/a"), person(2, phone="n/a")) == []


def test_a_name_with_a_postcode_is_only_a_flag():
    rows = [
        person(1, firstname="Ada", lastname="Byron", postcode="LS1 4AP"),
        person(2, firstname="ADA", lastname="byron", postcode="ls14ap"),
        person(3, firstname="Ada", lastname="Byron"),
    ]
    (one,) = of(DuplicateName(), *rows)
    assert (one.n, one.level) == (2, Level.NOTE)


def test_who_has_no_email_may_have_a_phone():
    (one,) = of(NoEmail(), person(1), person(2, " ", phone="+447911123456"), person(3, "a@x.com"))
    assert one.n == 2
    assert "1 of them have a phone" in one.what
    assert [each.says for each in one.examples] == ["neither email nor phone", "phone only"]


@pytest.mark.parametrize("text", ["ada@x.co.uk", "a.b+c@x-y.com", "ada@müller.de", "o'neill@x.org", "a_b@x.museum"])
def test_addresses_that_can_be(text: str):
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    ["ada", "ada@x", "a@@x.com", "a b@x.com", ".ada@x.com", "ada.@x.com", "a..b@x.com", "ada@-x.com", "ada@x.c",
     "@x.com", "a" * 65 + "@x.com", "ada@x.com,bob@x.com"],
)  # fmt: skip
def test_addresses_that_cannot_be(text: str):
    assert not is_address(text)


def test_an_address_that_shopify_found_undeliverable_is_invalid():
    (one,) = of(InvalidEmail(), person(1, "ada@x.com", email_consent=ChannelConsent("INVALID")))
    assert one.n == 1
    assert "1 look right" in one.what
    assert one.examples[0].says == "found undeliverable by Shopify"


def test_an_invalid_address_is_shown_masked():
    (one,) = of(InvalidEmail(), person(1, "adelaide.at.home"), person(2, "adelaide@@home.com"))
    assert [each.says for each in one.examples] == ["a*** (no @)", "a***@h***.com"]


@pytest.mark.parametrize(("email", "n"), [("Info@x.com", 1), ("sales+uk@x.com", 1), ("ingrid@x.com", 0), (None, 0)])
def test_an_office_is_no_person(email: str | None, n: int):
    assert sum(one.n for one in of(RoleAddress(), person(1, email))) == n


def test_a_subscriber_without_time_or_level_is_told_of_each():
    rows = [
        person(1, "a@x.com", email_consent=ChannelConsent("SUBSCRIBED", "SINGLE_OPT_IN", AT)),
        person(2, "b@x.com", email_consent=ChannelConsent("SUBSCRIBED", "UNKNOWN", AT)),
        person(3, "c@x.com", email_consent=ChannelConsent("SUBSCRIBED", "CONFIRMED_OPT_IN", None)),
        person(4, "d@x.com", email_consent=ChannelConsent("UNSUBSCRIBED", None, None)),
    ]
    check = ConsentEvidence()
    assert [(one.code, one.n, one.of) for one in of(check, *rows)] == [
        ("consent_without_time", 1, 3),
        ("consent_without_level", 1, 3),
    ]
    (picture,) = check.pictures()
    assert {bar.label: bar.n for bar in picture.bars} == {
        "subscribed, single opt-in": 1,
        "subscribed, level unknown": 1,
        "subscribed, confirmed by mail": 1,
        "unsubscribed": 1,
    }


def test_an_unknown_state_of_either_channel_is_told_once():
    rows = [person(1, "a@x.com", email_consent=ChannelConsent("MAYBE"), sms_consent=ChannelConsent("PERHAPS"))]
    (one,) = of(ConsentUnknown(), *rows, person(2, "b@x.com", sms_consent=ChannelConsent("NEVER_SUBSCRIBED")))
    assert one.n == 1


@pytest.mark.parametrize(
    ("state", "optin", "code"),
    [
        ("UNSUBSCRIBED", True, "consent_against_will"),
        ("INVALID", True, "consent_against_will"),
        ("SUBSCRIBED", False, "consent_lost"),
        ("NOT_SUBSCRIBED", True, "consent_unproven"),
        ("PENDING", True, "consent_unproven"),
        ("SUBSCRIBED", True, None),
        ("SUBSCRIBED", None, None),
        ("UNSUBSCRIBED", False, None),
        ("NOT_SUBSCRIBED", False, None),
    ],
)
@pytest.mark.parametrize("is_shop_first", [True, False])
def test_consent_that_the_sides_tell_differently(state: str, optin: bool | None, code: str | None, is_shop_first: bool):
    check = ConsentDiffers()
    shop, there = person(1, "Ada@x.com", email_consent=ChannelConsent(state)), ProfileRow("p", "ada@x.com", optin)
    if is_shop_first:
        check.person(shop)
    check.profile(there)
    if not is_shop_first:
        check.person(shop)
    assert [one.code for one in check.answer()] == ([code] if code else [])


def test_a_no_in_one_store_is_a_no_against_a_yes_on_the_platform():
    check = ConsentDiffers()
    check.person(person(1, "a@x.com", email_consent=ChannelConsent("SUBSCRIBED")))
    check.person(person(2, "a@x.com", store="int", email_consent=ChannelConsent("UNSUBSCRIBED")))
    check.profile(ProfileRow("p", "a@x.com", True))
    assert [one.code for one in check.answer()] == ["consent_against_will"]


def test_who_is_on_one_side_only_cannot_differ():
    check = ConsentDiffers()
    check.person(person(1, "a@x.com", email_consent=ChannelConsent("UNSUBSCRIBED")))
    check.profile(ProfileRow("p", "b@x.com", True))
    check.profile(ProfileRow("q", None, True))
    assert check.answer() == []


def test_a_yes_here_and_a_no_there_is_told_once():
    rows = [
        person(1, "a@x.com", email_consent=ChannelConsent("SUBSCRIBED")),
        person(2, "a@x.com", store="int", email_consent=ChannelConsent("UNSUBSCRIBED")),
        person(3, "A@x.com", store="us", email_consent=ChannelConsent("UNSUBSCRIBED")),
        person(4, "b@x.com", email_consent=ChannelConsent("UNSUBSCRIBED")),
        person(5, "b@x.com", store="int", email_consent=ChannelConsent("NOT_SUBSCRIBED")),
    ]
    (one,) = of(ConsentBetweenStores(), *rows)
    assert one.n == 1


def test_customers_without_any_name_mean_that_we_may_not_see_them():
    rows = [person(n) for n in range(ENOUGH)]
    (one,) = of(ProtectedData(), *rows)  # type: ignore[arg-type]
    assert (one.level, one.people) == (Level.STOP, ENOUGH)
    assert of(ProtectedData(), *rows, person(99, "a@x.com")) == []  # type: ignore[arg-type]
    assert of(ProtectedData(), *rows[1:]) == []  # type: ignore[arg-type]


def test_a_refusal_to_show_customers_is_found_where_another_failure_is_not():
    check = ProtectedData()
    check.denied(ReadDenied("int", Source.CUSTOMERS, "storefront.unavailable"))
    check.denied(ReadDenied("uk", Source.CUSTOMERS, "storefront.protected_data_missing"))
    assert [one.title.split()[-1] for one in check.answer()] == ["are"]
    assert "store uk" in check.answer()[0].title
