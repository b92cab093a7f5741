"""What people say on Ometria's side, by every way there is, and what of it any reader can see.

support.ometria.com/hc/en-gb/articles/360011622878 (what is listed), 9881943263389 (force, importer),
20854035651101 (double opt-in), docs.ometria.com/docs/merge-profiles; forms, files and their names are assumed.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ometria_account import AT, OmetriaAccount, contact, order

from sims.clock import SimClock
from sims.neighbourhood import Neighbourhood, Sizes

IN, OUT = "EXPLICITLY_OPTEDIN", "EXPLICITLY_OPTEDOUT"
EMAIL = "a1@example.com"
SINCE = "2026-11-01T00:00:00Z"
PHONE = "+447400123456"


def status(account: OmetriaAccount, email: str = EMAIL) -> Any:
    return account.profile(email)["marketing_optin"]


def texts(account: OmetriaAccount) -> Any:
    return account.profile(EMAIL)["channels"]["sms"]["allow_marketing"]


def listed(account: OmetriaAccount) -> list[str]:
    return [one["type"] for one in account.get("/v2/unsubscribes")]


@pytest.fixture
def fan(account: OmetriaAccount) -> OmetriaAccount:
    """An account with one person who gets mails and texts."""
    sms = {"phone_number": PHONE, "channels": {"sms": {"allow_marketing": True, "dt_updated_marketing": SINCE}}}
    account.settled(contact(1, marketing_optin=IN, timestamp_subscribed=SINCE, **sms))
    return account


@pytest.mark.parametrize("way", ["preferences_centre", "app", "list_unsubscribe", "link_unsubscribe"])
def test_every_way_out_of_mails_is_listed_with_its_name(fan: OmetriaAccount, way: str) -> None:
    """support.ometria.com/hc/en-gb/articles/360011622878"""
    fan.platform.decide(email=EMAIL, type=way)
    assert (status(fan), texts(fan), listed(fan)) == (OUT, True, [way])


@pytest.mark.parametrize("way", ["stopword_unsubscribe_TF", "stopword_unsubscribe_DO"])
def test_a_stop_word_is_about_texts_alone(fan: OmetriaAccount, way: str) -> None:
    """support.ometria.com/hc/en-gb/articles/360011622878"""
    fan.platform.decide(email=EMAIL, type=way)
    assert (status(fan), texts(fan), listed(fan)) == (IN, False, [way])


@pytest.mark.parametrize("channel", ["email", "sms"])
def test_who_thinks_again_is_seen_on_the_profile_alone(fan: OmetriaAccount, channel: str) -> None:
    """support.ometria.com/hc/en-gb/articles/360011622878"""
    fan.platform.decide(email=EMAIL, channel=channel)
    fan.wait(1)
    before = listed(fan)
    fan.platform.decide(email=EMAIL, action="subscribe", channel=channel)
    assert (status(fan), texts(fan)) == (IN, True)
    assert listed(fan) == before


@pytest.mark.parametrize(("way", "collection"), [("form", "forms"), ("csv", "csv_upload")])
def test_an_opt_out_by_form_or_file_is_listed_nowhere_and_keeps_the_person_out(
    fan: OmetriaAccount, way: str, collection: str
) -> None:
    """assumed; that one opted-out listing is enough: support.ometria.com/hc/en-gb/articles/9881943263389"""
    fan.platform.decide(email=EMAIL, way=way)
    assert (status(fan), listed(fan)) == (OUT, [])
    (row,) = fan.get(f"/v2/contacts/{collection}")
    assert (row["marketing_optin"], row["source"], row["email"]) == (OUT, way, EMAIL)
    fan.settled(contact(1, marketing_optin=IN, timestamp_subscribed="2026-11-23T09:01:00Z"))
    assert status(fan) == OUT  # one old listing holds against our opt-in
    fan.platform.decide(email=EMAIL, way=way, action="subscribe")
    assert status(fan) == IN


def test_a_form_may_force_and_then_only_force_helps(fan: OmetriaAccount) -> None:
    """support.ometria.com/hc/en-gb/articles/9881943263389"""
    fan.platform.decide(email=EMAIL, way="form", forced=True)
    fan.settled(contact(1, marketing_optin=IN))
    assert status(fan) == OUT
    fan.settled(contact(1, marketing_optin=IN, **{"@force_optin": True}))
    assert status(fan) == IN


def test_everything_said_moves_the_profiles_time_of_change(fan: OmetriaAccount) -> None:
    """support.ometria.com/hc/en-gb/articles/360011514197"""
    fan.settled(contact(2, marketing_optin=IN))
    for said in ({}, {"action": "subscribe"}, {"way": "form"}, {"channel": "sms"}):
        fan.wait(60)
        since = fan.clock.now().strftime("%Y-%m-%dT%H:%M:%S")
        assert fan.get(f"/v2/profiles/?updateSince={since}") == []
        fan.platform.decide(email=EMAIL, **said)  # type: ignore[arg-type]
        (changed,) = fan.get(f"/v2/profiles/?updateSince={since}")
        assert changed["email"] == EMAIL


def test_pages_by_change_shift_while_things_change(account: OmetriaAccount) -> None:
    """docs.ometria.com/docs/ometria-data-api-introduction: offset and limit over what changed, by internal id"""
    for n in range(1, 7):
        account.settled(contact(n, marketing_optin=IN))
    account.wait(600)
    since = account.clock.now().strftime("%Y-%m-%dT%H:%M:%S")
    for n in (3, 4, 5, 6):
        account.platform.decide(email=f"a{n}@example.com")

    def page(offset: int) -> list[str]:
        path = f"/v2/profiles/?updateSince={since}&limit=2&offset={offset}"
        return [one["email"] for one in account.get(path)]

    assert page(0) == ["a3@example.com", "a4@example.com"]
    account.platform.decide(email="a1@example.com")  # in front of what was read: a line comes twice
    assert page(2) == ["a4@example.com", "a5@example.com"]
    account.platform.merge_by_hand(
        {"type": "email_address", "value": "a6@example.com"}, [{"type": "email_address", "value": "a1@example.com"}]
    )  # and taken away again: one is never seen
    assert page(4) == []


def test_staff_merge_without_the_apis_limit_and_the_merged_ones_listings_are_gone(account: OmetriaAccount) -> None:
    """docs.ometria.com/docs/merge-profiles"""
    account.settled(contact(1, marketing_optin=IN), contact(2, marketing_optin=OUT), contact(3, marketing_optin=IN))
    account.settled(order(1, customer={"id": "uk:2", "email": "a2@example.com"}))
    account.platform.decide(email="a3@example.com", way="form")
    keep = {"type": "customer_id", "value": "uk:1"}
    account.platform.merge_by_hand(keep, [{"type": "customer_id", "value": "uk:2"}])
    account.platform.merge_by_hand(keep, [{"type": "email_address", "value": "a3@example.com"}])
    assert [one["id"] for one in account.get("/v2/contacts/shopify")] == ["uk:1"]
    assert account.get("/v2/contacts/forms") == []
    survivor = account.profile("a3@example.com")
    assert (survivor["customer_id"], survivor["stats"]["orders"]) == ("uk:1", 1)
    assert survivor["marketing_optin"] == IN  # with the listings went the opt-outs
    with pytest.raises(ValueError, match="resolved"):
        account.platform.merge_by_hand(keep, [{"type": "customer_id", "value": "uk:2000"}])


def test_what_people_say_is_kept_apart_from_what_programs_write(fan: OmetriaAccount) -> None:
    """ours: the record a checker holds everything else against"""
    fan.platform.decide(email=EMAIL, type="link_unsubscribe")
    fan.wait(10)
    fan.platform.decide(email=EMAIL, channel="sms")
    fan.wait(10)
    fan.platform.decide(email=EMAIL, way="form", action="subscribe")
    stated = "2026-11-23T08:00:00Z"
    fan.settled(contact(1, marketing_optin=OUT, timestamp_unsubscribed=stated))
    fan.settled(contact(1, marketing_optin=OUT, timestamp_unsubscribed=stated))
    said = fan.platform.statements
    started = AT + timedelta(minutes=1)
    assert [(one.way, one.state, one.at - started) for one in said.of(EMAIL)] == [
        ("link_unsubscribe", "UNSUBSCRIBED", timedelta(0)),
        ("form", "SUBSCRIBED", timedelta(seconds=20)),
    ]
    assert [(one.way, one.state) for one in said.of(PHONE, "sms")] == [("stopword_unsubscribe_TF", "UNSUBSCRIBED")]
    ours = [one for one in said.of(EMAIL, is_people_only=False) if one.is_own_write]
    assert [(one.way, one.state, one.at) for one in ours] == [
        ("api", "SUBSCRIBED", datetime(2026, 11, 1, tzinfo=UTC)),
        ("api", "UNSUBSCRIBED", datetime(2026, 11, 23, 8, tzinfo=UTC)),
    ]
    last = said.last(EMAIL)
    assert last is not None
    assert (last.way, last.side, last.channel, last.account) == ("form", "ometria", "email", "acme")


def test_of_two_statements_of_one_moment_the_opt_out_is_the_last(fan: OmetriaAccount) -> None:
    """ours: SEMANTICS 5, ties go to opt-out"""
    fan.platform.decide(email=EMAIL)
    fan.platform.decide(email=EMAIL, action="subscribe")
    last = fan.platform.statements.last(EMAIL)
    assert last is not None
    assert last.state == "UNSUBSCRIBED"


def test_people_think_again_on_both_sides_of_a_living_town() -> None:
    """ours: the knobs of live traffic"""
    town = Neighbourhood(SimClock(AT, rate=0), 3, Sizes(customers=20, orders=10, products=4))
    town.ometria.turn({"native_importer": True, "phone_rule": "possible"})
    town.import_natively()
    chances = ("ometria.p_unsubscribe", "ometria.p_unlisted", "ometria.p_resubscribe", "shopify.p_change_of_mind")
    town.faults.set(dict.fromkeys(chances, 0.5))
    for _ in range(60):
        town.clock.advance(1)
        town.live(1)
    people = [one for address in town.statements.addresses() for one in town.statements.of(address) if one.at > AT]
    ways = {(one.side, one.way, one.state) for one in people}
    assert ways >= {
        ("ometria", "link_unsubscribe", "UNSUBSCRIBED"),
        ("ometria", "preferences_centre", "SUBSCRIBED"),
        ("ometria", "form", "UNSUBSCRIBED"),
        ("shopify", "storefront", "SUBSCRIBED"),
        ("shopify", "storefront", "UNSUBSCRIBED"),
    }
    assert set(town.faults.injected) == set(chances)
