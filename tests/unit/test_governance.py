"""The rules of governance: days left, what differs from what was agreed to, and what nobody can tell."""

from datetime import UTC, date, datetime

import pytest

from isthmus.config_changes import calendar, rules
from isthmus.config_changes.result import CheckOutcome
from isthmus.config_changes.rules import Age, SecretAge

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SUPPORTED = ("2026-01", "2026-04", "2026-07", "2026-10")


def found(verdicts: list[rules.CheckResult]) -> list[str]:
    return [one.code for one in verdicts if one.answer is CheckOutcome.FOUND]


@pytest.mark.parametrize(
    ("today", "code"),
    [
        (date(2026, 10, 2), None),
        (date(2026, 10, 3), "storefront.api_version_ends"),
        (date(2026, 12, 1), "storefront.api_version_ends"),
        (date(2026, 12, 2), "storefront.api_version_ends_soon"),
        (date(2026, 12, 25), "storefront.api_version_ends_now"),
        (date(2027, 1, 9), "storefront.api_version_ends_now"),
    ],
)
def test_a_version_becomes_more_pressing_at_90_30_and_7_days(today: date, code: str | None) -> None:
    verdicts = rules.check_versions("uk", "2026-01", "2026-01", SUPPORTED, today)
    assert found(verdicts) == ([code] if code else [])
    assert all(one.answer is CheckOutcome.NOT_FOUND for one in verdicts if one.code != code)


def test_the_case_of_a_version_says_the_day_and_the_days() -> None:
    (one,) = (
        v
        for v in rules.check_versions("uk", "2026-01", "2026-01", SUPPORTED, AT.date())
        if v.answer is CheckOutcome.FOUND
    )
    assert one.detail == "2026-01 is supported until 2027-01-01, 39 days left; 2026-10 is the newest supported"
    assert one.due_on == date(2027, 1, 1)


def test_a_version_without_a_date_is_not_judged() -> None:
    verdicts = rules.check_versions("uk", "unstable", "unstable", SUPPORTED, AT.date())
    assert {one.answer for one in verdicts[:3]} == {CheckOutcome.COULD_NOT_LOOK}
    assert calendar.version_end("2026-02") is None


def test_webhooks_of_another_version_are_found() -> None:
    assert found(rules.check_versions("uk", "2026-10", "2026-07", SUPPORTED, AT.date())) == [
        "storefront.webhook_version"
    ]


def test_the_first_look_agrees_to_what_there_is() -> None:
    now = {"taxesIncluded": True, "plan": "Basic"}
    remembered = rules.agreed_settings(None, now, ())
    assert found(rules.check_settings("uk", remembered.agreed, now)) == []


def test_a_changed_setting_stays_found_until_a_person_closes_its_case_or_it_goes_back() -> None:
    first, then = {"taxesIncluded": True}, {"taxesIncluded": False}
    remembered = rules.agreed_settings(rules.agreed_settings(None, first, ()), then, ())
    (verdict,) = rules.check_settings("uk", remembered.agreed, then)
    assert verdict.detail.startswith("taxesIncluded was on and is off: ")
    assert verdict.subject == "setting:taxesIncluded"

    still = rules.agreed_settings(remembered, then, {"taxesIncluded"})
    assert found(rules.check_settings("uk", still.agreed, then)) == ["storefront.setting_changed"]
    back = rules.agreed_settings(remembered, first, {"taxesIncluded"})
    assert found(rules.check_settings("uk", back.agreed, first)) == []
    closed = rules.agreed_settings(still, then, ())
    assert found(rules.check_settings("uk", closed.agreed, then)) == []
    assert found(rules.check_settings("uk", closed.agreed, first)) == ["storefront.setting_changed"]


def test_a_second_change_is_told_although_the_first_was_agreed_to_meanwhile() -> None:
    remembered = rules.agreed_settings(rules.agreed_settings(None, {"plan": "Basic"}, ()), {"plan": "Grow"}, ())
    again = rules.agreed_settings(remembered, {"plan": "Plus"}, ())
    assert found(rules.check_settings("uk", again.agreed, {"plan": "Plus"})) == ["storefront.setting_changed"]


def test_scopes_say_what_is_gone_and_what_is_new() -> None:
    verdict = rules.check_scopes("uk", ["read_orders", "read_customers"], ["read_orders", "write_orders"])
    assert verdict.detail == "gone: read_customers; new: write_orders"


@pytest.mark.parametrize(
    ("pushes", "limited", "answer"),
    [
        (None, None, CheckOutcome.NOTHING_TO_JUDGE),
        (10, 0, CheckOutcome.NOTHING_TO_JUDGE),
        (10_000, 200, CheckOutcome.NOT_FOUND),
        (10_000, 201, CheckOutcome.FOUND),
        (3, 3, CheckOutcome.FOUND),
    ],
)
def test_limits_are_judged_by_a_days_answers(pushes: int | None, limited: int | None, answer: CheckOutcome) -> None:
    assert rules.check_rate_limit(4, pushes, limited).answer is answer


def test_nobody_with_an_address_is_found_only_among_enough() -> None:
    assert rules.check_customer_data("uk", 0, 0).answer is CheckOutcome.NOTHING_TO_JUDGE
    assert rules.check_customer_data("uk", 3, 0).answer is CheckOutcome.COULD_NOT_LOOK
    assert rules.check_customer_data("uk", 10, 0).answer is CheckOutcome.FOUND
    assert rules.check_customer_data("uk", 10, 1).answer is CheckOutcome.NOT_FOUND


def test_a_secret_has_the_age_of_its_last_exchange() -> None:
    later = datetime(2026, 12, 24, tzinfo=UTC)
    first = rules.secret_ages({}, [SecretAge("a", print="1"), SecretAge("b", print="2")], AT)
    second = rules.secret_ages(
        first, [SecretAge("a", print="1"), SecretAge("b", print="3"), SecretAge("c", "not set")], later
    )
    assert second == {"a": Age("1", AT), "b": Age("3", later)}
    assert rules.secret_ages(first, [SecretAge("a", "not set")], later) == {"a": Age("1", AT)}
