"""A round of checks: each sees what it wants, and says when it could not look."""

from datetime import date
from decimal import Decimal

import pytest

from isthmus.checks import mask
from isthmus.checks.registry import Setting, all_checks
from isthmus.checks.runner import CheckRunner
from isthmus.kit.phone import to_e164
from isthmus.model.audit_finding import AuditFinding, Level, NotChecked, Passed
from isthmus.model.audit_rows import CustomerRef, CustomerRow, Source
from isthmus.ops.audit_page import format_money, format_share


def checks():
    return all_checks(Setting(today=date(2026, 11, 23), pushes_per_second=Decimal(4)))


def test_a_check_that_could_not_look_says_why_and_is_not_clean():
    answers = CheckRunner(checks()).answers({Source.PRODUCTS: "the file is missing"})
    unseen = {one.code: one.reason for one in answers if isinstance(one, NotChecked)}
    assert unseen["no_sku"] == "products: the file is missing"
    assert "no_email" not in unseen
    assert {"no_email", "duplicate_email"} <= {one.code for one in answers if isinstance(one, Passed)}


def test_every_check_needs_something_that_can_be_read_and_has_a_name_of_its_own():
    made = checks()
    assert len({check.code for check in made}) == len(made) >= 25
    assert all(check.needs <= set(Source) for check in made)
    everything = dict.fromkeys(Source, "away")
    unseen = [one for one in CheckRunner(checks()).answers(everything) if isinstance(one, NotChecked)]
    assert {check.code for check in made} - {one.code for one in unseen} == {"protected_data"}


def test_the_weightiest_comes_first_then_whatever_touches_most_people():
    round_ = CheckRunner(checks())
    show = round_.eyes(CustomerRow)
    for n in range(30):
        show(CustomerRow(CustomerRef("uk", str(n)), email=f"info@x{n}.com" if n > 5 else None))
    found = [one for one in round_.answers({}) if isinstance(one, AuditFinding)]
    assert [(one.code, one.level) for one in found] == [("no_email", Level.CARE), ("role_address", Level.NOTE)]


def test_pictures_of_what_was_not_read_are_not_drawn():
    round_ = CheckRunner(checks())
    assert round_.pictures({Source.CONSENT: "not there"}) == []


@pytest.mark.parametrize(
    ("text", "masked"),
    [("joan@example.com", "j***@e***.com"), (" Joan@mail.example.co.uk", "J***@m***.uk"), ("x@host", "x***@h***"),
     ("nobody", "n*** (no @)"), (None, ""), ("  ", "")],
)  # fmt: skip
def test_addresses_are_masked(text: str | None, masked: str):
    assert mask.mask_email(text) == masked


@pytest.mark.parametrize(("text", "masked"), [("+447911123456", "+44***56"), ("123", "***"), (None, "")])
def test_numbers_are_masked(text: str | None, masked: str):
    assert mask.mask_phone(text) == masked


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [("+447911123456", None, "+447911123456"), ("07911 123456", "GB", "+447911123456"), ("07911 123456", None, None),
     ("+44 (0)7911 123456", None, "+447911123456"), ("+4", None, None), (None, "GB", None)],
)  # fmt: skip
def test_phones_in_one_spelling(text: str | None, country: str | None, number: str | None):
    assert to_e164(text, country) == number


def test_money_and_shares_as_people_read_them():
    assert format_money({"GBP": Decimal("1204.5"), "JPY": Decimal(2000)}) == "2,000 JPY and 1,204.50 GBP"
    assert [format_share(Decimal(text)) for text in ("0.25", "0.0001", "1", "0")] == [
        "25.0 %",
        "under 0.1 %",
        "all",
        "0.0 %",
    ]
    assert format_share(None) == ""
