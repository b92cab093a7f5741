"""Consent: support.ometria.com/hc/en-gb/articles/9881943263389 (force), 9881990633117 (dates), 360011293458 (event)."""

from typing import Any

import pytest
from ometria_account import OmetriaAccount, contact, event, order

IN, OUT, NONE = "EXPLICITLY_OPTEDIN", "EXPLICITLY_OPTEDOUT", "NOT_SPECIFIED"
ASKED_AT = "2026-11-22T10:00:00Z"


def other(**more: Any) -> dict[str, Any]:
    """A listing of the same person from another source."""
    return {**contact(1), "@collection": "forms", "id": "f1", **more}


def consent(account: OmetriaAccount) -> str | None:
    status = account.profile("a1@example.com")["marketing_optin"]
    return None if status is None else str(status)


def unsubscribe(account: OmetriaAccount, **more: str) -> None:
    account.platform.decide(email="a1@example.com", **more)


@pytest.mark.parametrize(
    ("one", "two", "result"), [(IN, OUT, OUT), (IN, NONE, IN), (NONE, None, NONE), (None, None, None)]
)
def test_without_force_one_opted_out_listing_keeps_a_contact_out(
    account: OmetriaAccount, one: str | None, two: str | None, result: str | None
) -> None:
    """support.ometria.com/hc/en-gb/articles/9881943263389"""
    account.settled(contact(1, marketing_optin=one), other(marketing_optin=two))
    assert consent(account) == result


@pytest.mark.parametrize(("forced", "free"), [(IN, OUT), (OUT, IN)])
def test_a_forced_listing_wins_over_all_others(account: OmetriaAccount, forced: str, free: str) -> None:
    """support.ometria.com/hc/en-gb/articles/9881943263389"""
    account.settled(contact(1, marketing_optin=forced, **{"@force_optin": True}), other(marketing_optin=free))
    assert consent(account) == forced


def test_a_forced_listing_heeds_only_force(account: OmetriaAccount) -> None:
    """support.ometria.com/hc/en-gb/articles/9881943263389"""
    account.settled(contact(1, marketing_optin=OUT, **{"@force_optin": True}))
    account.settled(contact(1, marketing_optin=IN))
    assert (consent(account), account.listing("uk:1")["marketing_optin"]) == (OUT, OUT)
    account.settled(contact(1, marketing_optin=IN, **{"@force_optin": True}))
    assert consent(account) == IN


def test_by_switch_a_plain_write_replaces_a_forced_listing() -> None:
    """what happens to the very same listing is not documented"""
    account = OmetriaAccount(forced_listing="replaced")
    account.settled(contact(1, marketing_optin=OUT, **{"@force_optin": True}))
    account.settled(contact(1, marketing_optin=IN))
    assert consent(account) == IN


@pytest.mark.parametrize(("tie", "result"), [("latest", IN), ("optout", OUT)])
def test_of_two_forced_listings_the_later_or_the_opt_out_wins(tie: str, result: str) -> None:
    """cut off in support.ometria.com/hc/en-gb/articles/9881943263389"""
    account = OmetriaAccount(forced_tie=tie)
    account.settled(contact(1, marketing_optin=OUT, **{"@force_optin": True}))
    account.settled(other(marketing_optin=IN, **{"@force_optin": True}))
    assert consent(account) == result


@pytest.mark.parametrize(("model", "result"), [("optout_priority", OUT), ("hierarchy", IN), ("tiers", IN)])
def test_the_older_models_let_the_newer_of_equal_writers_decide(model: str, result: str) -> None:
    """support.ometria.com/hc/en-gb/articles/360013407877 (tiers), an older 9881943263389 (hierarchy)"""
    account = OmetriaAccount(optin_model=model)
    account.settled(contact(1, marketing_optin=OUT))
    account.settled(other(marketing_optin=IN))
    assert consent(account) == result


@pytest.mark.parametrize(("enhanced", "moved"), [(False, True), (True, False)])
def test_a_refused_write_moves_the_date_unless_force_is_enhanced(enhanced: bool, moved: bool) -> None:
    """support.ometria.com/hc/en-gb/articles/9881990633117"""
    account = OmetriaAccount(enhanced_force=enhanced)
    account.settled(contact(1, marketing_optin=OUT, **{"@force_optin": True}))
    account.settled(contact(1, marketing_optin=IN, timestamp_subscribed=ASKED_AT))
    assert ("timestamp_subscribed" in account.listing("uk:1")) is moved
    assert consent(account) == OUT


def test_a_change_of_status_without_a_date_is_dated_now_and_the_last_dates_are_kept(account: OmetriaAccount) -> None:
    """support.ometria.com/hc/en-gb/articles/9881990633117"""
    account.settled(contact(1, marketing_optin=IN))
    first = account.listing("uk:1")["timestamp_subscribed"]
    account.settled(contact(1, marketing_optin=OUT))
    stored = account.listing("uk:1")
    assert stored["timestamp_subscribed"] == first < stored["timestamp_unsubscribed"]


def test_a_welcome_needs_status_and_date_together_and_comes_once(account: OmetriaAccount) -> None:
    """support.ometria.com/hc/en-gb/articles/360011293458"""
    account.settled(contact(1, marketing_optin=IN))
    account.settled(contact(1, timestamp_subscribed=ASKED_AT))
    assert account.automations("subscribe") == []
    account.settled(contact(1, marketing_optin=IN, timestamp_subscribed=ASKED_AT))
    account.settled(contact(1, marketing_optin=OUT, timestamp_unsubscribed=ASKED_AT))
    account.settled(contact(1, marketing_optin=IN, timestamp_subscribed=ASKED_AT))
    (welcome,) = account.automations("subscribe")
    assert (welcome["channel"], welcome["email"], welcome["timestamp"]) == ("email", "a1@example.com", ASKED_AT)
    assert len(account.automations("unsubscribe")) == 1


def test_a_refused_opt_in_welcomes_nobody(account: OmetriaAccount) -> None:
    """support.ometria.com/hc/en-gb/articles/9881943263389"""
    account.settled(contact(1, marketing_optin=OUT, **{"@force_optin": True}))
    account.settled(contact(1, marketing_optin=IN, timestamp_subscribed=ASKED_AT))
    assert account.automations("subscribe") == []


def test_orders_and_backfilled_contacts_start_nothing(account: OmetriaAccount) -> None:
    """support.ometria.com/hc/en-gb/articles/360011293458, docs.ometria.com/docs/orders-endpoint"""
    account.settled(order(customer={"id": "uk:1", "email": "a1@example.com"}))
    account.settled(contact(1, marketing_optin=IN), contact(2, marketing_optin=OUT))
    assert account.platform.account.automations == []


def test_every_custom_event_is_seen_by_automations(account: OmetriaAccount) -> None:
    """support.ometria.com/hc/en-gb/articles/360011171077"""
    account.settled(contact(1))
    account.settled(event())
    (seen,) = account.automations("custom_event")
    assert (seen["event_id"], seen["event_type"], seen["profile_id"]) == (
        "e1",
        "order_shipped",
        account.profile("a1@example.com")["id"],
    )


def test_the_preference_centre_forces_and_is_listed(account: OmetriaAccount) -> None:
    """support.ometria.com/hc/en-gb/articles/9881943263389 and 360011622878"""
    account.settled(contact(1, marketing_optin=IN))
    unsubscribe(account)
    account.settled(contact(1, marketing_optin=IN))
    assert consent(account) == OUT
    (entry,) = account.get("/v2/unsubscribes")
    assert (entry["email_address"], entry["type"]) == ("a1@example.com", "preferences_centre")
    assert entry["profile_id"] == account.profile("a1@example.com")["id"]
    assert entry["timestamp"] == "2026-11-23 09:01:00+00"


def test_an_opt_out_by_api_is_not_listed(account: OmetriaAccount) -> None:
    """support.ometria.com/hc/en-gb/articles/360011622878: API unsubscribes are not returned"""
    account.settled(contact(1, marketing_optin=OUT, timestamp_unsubscribed=ASKED_AT, **{"@force_optin": True}))
    assert account.get("/v2/unsubscribes") == []


def test_a_resubscription_in_the_preference_centre_shows_on_the_profile_alone(account: OmetriaAccount) -> None:
    """support.ometria.com/hc/en-gb/articles/360011622878"""
    account.settled(contact(1, marketing_optin=IN))
    unsubscribe(account)
    unsubscribe(account, action="subscribe")
    assert consent(account) == IN
    assert len(account.get("/v2/unsubscribes")) == 1


def test_unsubscribes_are_filtered_by_time_and_type_and_may_come_late() -> None:
    """docs.ometria.com/reference/get_unsubscribes; the lag is a switch"""
    account = OmetriaAccount(unsub_lag=30.0)
    account.settled(contact(1))
    unsubscribe(account, type="link_unsubscribe")
    assert account.get("/v2/unsubscribes") == []
    account.wait(30)
    assert len(account.get("/v2/unsubscribes?since=2026-11-23T09:01:00")) == 1
    assert account.get("/v2/unsubscribes?before=2026-11-23T09:01:00") == []
    assert account.get("/v2/unsubscribes?type=app") == []


def sms(allowed: bool, at: str = ASKED_AT) -> dict[str, Any]:
    return {
        "phone_number": "+447400123456",
        "channels": {"sms": {"allow_marketing": allowed, "dt_updated_marketing": at}},
    }


def may_text(account: OmetriaAccount) -> bool | None:
    allowed = account.profile("a1@example.com")["channels"]["sms"]["allow_marketing"]
    return None if allowed is None else bool(allowed)


def test_texts_are_a_channel_of_their_own_and_the_newest_word_counts(account: OmetriaAccount) -> None:
    """support.ometria.com/hc/en-gb/articles/20853734022813"""
    account.settled(contact(1, marketing_optin=OUT, **sms(True)), other(**sms(False, "2026-11-20T10:00:00Z")))
    assert (may_text(account), consent(account)) == (True, OUT)
    assert [one["channel"] for one in account.automations("subscribe")] == ["sms"]
    unsubscribe(account, type="stopword_unsubscribe_TF")
    assert may_text(account) is False


def test_with_double_opt_in_only_the_reserved_collections_count() -> None:
    """support.ometria.com/hc/en-gb/articles/20854035651101"""
    account = OmetriaAccount(sms_double_optin=True)
    account.settled(contact(1, **sms(True)))
    assert may_text(account) is None
    account.settled({**contact(1, **sms(True)), "@collection": "optin:sms"})
    assert may_text(account) is None
    assert len(account.automations("double_optin_text")) == 1
    account.settled({**contact(1, **sms(True)), "@collection": "double_optin:sms"})
    assert may_text(account) is True
