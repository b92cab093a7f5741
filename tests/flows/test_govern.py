"""The daily look at the ground under a connection: each difference a case, and only a look closes it."""

from datetime import timedelta
from typing import Any

import pytest

from governed import URI, Governed
from isthmus.cases.sql import cases
from isthmus.config_changes.result import CheckOutcome, CheckResult
from isthmus.config_changes.rules import SecretAge
from isthmus.db.pool import Database
from isthmus.shopify import documents, topics


@pytest.fixture
def play(database: Database) -> Governed:
    return Governed(database)


def answers(verdicts: list[CheckResult], **wanted: Any) -> list[CheckResult]:
    return [one for one in verdicts if all(getattr(one, name) == value for name, value in wanted.items())]


def test_a_shop_as_it_should_be_makes_no_case(play: Governed) -> None:
    play.look()
    assert answers(play.look(), answer=CheckOutcome.FOUND) == []
    assert play.open_codes() == []


def test_f15_a_setting_that_nobody_tells_of_is_a_case_with_what_it_means(play: Governed) -> None:
    """F15: no webhook fires when a merchant changes the consent of the checkout."""
    play.look()
    play.uk.shop.sms_consent_at_checkout = False
    play.look()
    (case,) = play.cases("storefront.setting_changed")
    assert case["store"] == "uk"
    assert case["subject"] == "setting:marketingSmsConsentEnabledAtCheckout"
    assert case["detail"].endswith(
        "was on and is off: shoppers are, or are no longer, asked for SMS consent at checkout"
    )


def test_closing_the_case_agrees_to_the_setting(play: Governed) -> None:
    play.look()
    play.uk.shop.taxes_included = False
    play.look()
    play.look()
    (case,) = play.cases("storefront.setting_changed")
    with play.db.transaction() as tx:
        cases.close_case(tx, case["id"], play.now, "ada")
    play.look()
    assert play.cases("storefront.setting_changed") == []


def test_a_setting_that_goes_back_closes_its_case(play: Governed) -> None:
    play.look()
    play.uk.shop.iana_timezone = "Europe/Paris"
    play.look()
    assert len(play.cases("storefront.setting_changed")) == 1
    play.uk.shop.iana_timezone = "Europe/London"
    play.look()
    assert play.cases("storefront.setting_changed") == []


def test_f87_a_version_that_ends_is_a_case_that_grows_more_severe(play: Governed) -> None:
    """F87: the pinned version and its last day."""
    play.pinned = play.uk.shop.webhook_version = "2026-01"
    play.sims.store("int").shop.webhook_version = "2026-01"
    play.look()
    assert {code for code, _, _ in play.open_codes()} == {"storefront.api_version_ends"}
    (case, _) = play.cases("storefront.api_version_ends")
    assert "38 days left" in case["detail"]
    assert str(case["due_on"]) == "2027-01-01"
    play.pass_time(timedelta(days=10).total_seconds())
    play.look()
    assert {code for code, _, _ in play.open_codes()} == {"storefront.api_version_ends_soon"}


def test_a_retired_version_is_answered_by_another(play: Governed) -> None:
    play.pinned = "2025-07"
    play.look()
    (case, _) = play.cases("storefront.api_version")
    assert case["detail"].startswith("asked for 2025-07, answered by 2026-01")
    assert len(play.cases("storefront.webhook_version")) == 2


def test_doubled_subscriptions_are_reported(play: Governed) -> None:
    first = answers(play.look(), code="integration.subscriptions_differ")
    assert {one.answer for one in first} == {CheckOutcome.NOT_FOUND}
    play.watched()["uk"].shop.graphql(
        documents.SUBSCRIBE, {"topic": topics.topic_enum_name("orders/create"), "uri": URI}
    )
    play.look()
    (case,) = play.cases("integration.subscriptions_differ")
    assert case["store"] == "uk"


def test_f89_scopes_that_were_silently_reduced_are_found_and_so_is_their_return(play: Governed) -> None:
    """F89: a scope is gone after the app was installed again."""
    play.look()
    play.sims.faults.set({"shopify.dropped_scopes": "read_returns"})
    play.look()
    (case, _) = play.cases("storefront.scopes_changed")
    assert case["detail"] == "gone: read_returns"
    assert {case["store"] for case in play.cases("storefront.scope_missing")} == {"uk", "int"}
    play.sims.faults.set({"shopify.dropped_scopes": ""})
    play.look()
    assert play.open_codes() == []


def test_an_app_that_may_not_write_consent_is_told_of_and_nothing_else_stops(play: Governed) -> None:
    play.sims.faults.set({"shopify.dropped_scopes": "write_customers"})
    play.look()
    cases = play.cases("storefront.scope_missing")
    assert {case["store"] for case in cases} == {"uk", "int"}
    assert cases[0]["detail"].startswith("write_customers: without it opt-outs")
    play.person("ada@example.com", "SUBSCRIBED")
    play.come_to_rest()
    assert play.mailable("ada@example.com") == "EXPLICITLY_OPTEDIN"
    play.sims.faults.set({"shopify.dropped_scopes": ""})
    play.look()
    assert play.cases("storefront.scope_missing") == []


def test_f88_customer_data_that_is_no_longer_given_is_found(play: Governed) -> None:
    """F88: approval for protected customer data is missing, and every address is null."""
    for _ in range(10):
        play.person(None)
    (verdict,) = answers(play.look(), code="storefront.protected_data_missing", store="uk")
    assert verdict.answer is CheckOutcome.FOUND
    play.person("ada@example.com")
    play.look()
    assert play.cases("storefront.protected_data_missing") == []


def test_more_429_than_the_limits_explain_are_found(play: Governed) -> None:
    play.look()
    play.person("ada@example.com", "SUBSCRIBED")
    play.hear()
    play.sims.faults.set({"ometria.p429": 1.0})
    play.push()
    for _ in range(8):
        play.pass_time(60)
        play.push()
    play.look()
    (case,) = play.cases("platform.limit_differs")
    assert "turned away at 4 per second" in case["detail"]


def test_a_secret_that_cannot_be_had_is_a_case_before_it_is_needed(play: Governed) -> None:
    play.secrets = [SecretAge("stores[0].previous_client_secret", "environment variable OLD is not set")]
    play.look()
    (case,) = play.cases("integration.secret_missing")
    assert case["subject"] == "stores[0].previous_client_secret"
    play.secrets = [SecretAge("stores[0].previous_client_secret", print="1")]
    play.look()
    assert play.cases("integration.secret_missing") == []


def test_what_cannot_be_looked_at_closes_nothing(play: Governed) -> None:
    play.look()
    play.uk.shop.taxes_included = False
    play.look()
    play.sims.faults.set({"shopify.error": 1.0})
    verdicts = play.look()
    assert answers(verdicts, store="uk", answer=CheckOutcome.NOT_FOUND) == []
    assert answers(verdicts, store="uk", answer=CheckOutcome.FOUND) == []
    assert len(play.cases("storefront.setting_changed")) == 1


def test_a_lost_scope_for_all_orders_is_a_case_that_names_the_first_day_in_sight(play: Governed) -> None:
    play.sims.faults.set({"shopify.dropped_scopes": "read_all_orders"})
    play.look()
    (one, two) = play.cases("storefront.scope_missing")
    day = (play.now - timedelta(days=60)).date()
    assert all(f"sees orders from {day} on only" in case["detail"] for case in (one, two))
    play.sims.faults.set({"shopify.dropped_scopes": ""})
    play.look()
    assert play.cases("storefront.scope_missing") == []


def test_a_horizon_that_the_connection_accepts_is_told_and_is_no_case(play: Governed) -> None:
    play.is_horizon_accepted = True
    play.sims.faults.set({"shopify.dropped_scopes": "read_all_orders"})
    (one, _) = answers(play.look(), code="storefront.scope_missing", answer=CheckOutcome.NOT_FOUND)
    assert 'as orders.horizon = "60d" accepts' in one.detail
    assert play.cases("storefront.scope_missing") == []
