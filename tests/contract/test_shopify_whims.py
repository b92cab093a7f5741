"""What a shop does to consent that was written to it, and that it tells of the write like of any other.

community.shopify.dev/t/258300: a write was answered UNSUBSCRIBED and read SUBSCRIBED three seconds later.
"""

from datetime import timedelta

import pytest
from shopify_shop import AT, SAID_AT, Shop

from isthmus.model.consent import Channel
from isthmus.shopify.consent import ConsentUpdate, ConsentUpdateOutcome
from isthmus.shopify.parse import consent_webhook
from sims.clock import iso
from sims.shopify.state import EmailConsent

OUT, IN = "UNSUBSCRIBED", "SUBSCRIBED"
EMAIL, SMS = Channel.EMAIL, Channel.SMS


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.mark.parametrize("channel", [EMAIL, SMS])
def test_f41_a_write_of_ours_comes_back_as_news_with_the_very_time_and_state_we_wrote(shop, channel):
    one = shop.fan(channel)
    wish = ConsentUpdate(one.id, channel, OUT, AT - timedelta(minutes=2))
    shop.consents.write([wish])
    told = shop.webhooks()
    topic = "customers_email_marketing_consent/update" if channel is EMAIL else "customers_marketing_consent/update"
    assert sorted(name for name, _ in told) == sorted([topic, "customers/update"])
    claim = consent_webhook.parse_consent_claim(topic, dict(told)[topic])
    assert (claim.customer_id, claim.state, claim.at, claim.channel) == (one.id, OUT, wish.at, channel)
    shop.consents.write([wish])
    assert shop.webhooks() == []  # nothing changed, so nobody is told


@pytest.mark.parametrize("knob", [{"shopify.p_consent_reverts": 1.0}, {"shopify.consent_reverts": "this one"}])
def test_f09_a_write_that_was_answered_and_told_reads_otherwise_seconds_later(shop, knob):
    one = shop.fan()
    shop.town.faults.set({name: [one.id] if value == "this one" else value for name, value in knob.items()})
    wish = ConsentUpdate(one.id, EMAIL, OUT, AT)
    (answer,) = shop.consents.write([wish])
    assert answer.holds(wish)
    assert shop.state(one) == OUT
    assert len(shop.webhooks()) == 2
    shop.wait(3)
    assert shop.state(one) == IN
    assert shop.webhooks() == []
    assert one.email_consent.updated_at == SAID_AT


def test_f09_what_was_said_meanwhile_is_not_taken_back(shop):
    one = shop.fan(SMS)
    shop.town.faults.set({"shopify.consent_reverts": [one.id]})
    shop.consents.write([ConsentUpdate(one.id, SMS, OUT, AT)])
    shop.town.faults.clear()
    shop.wait(1)
    shop.consents.write([ConsentUpdate(one.id, SMS, IN, AT + timedelta(seconds=1))])
    shop.wait(5)
    assert (shop.state(one, SMS), one.sms_consent.updated_at) == (IN, AT + timedelta(seconds=1))


def test_a_write_may_come_late(shop):
    one = shop.fan()
    shop.town.faults.set({"shopify.consent_late": [one.id]})
    wish = ConsentUpdate(one.id, EMAIL, OUT, AT)
    (answer,) = shop.consents.write([wish])
    assert (answer.outcome, answer.state, answer.holds(wish)) == (ConsentUpdateOutcome.WRITTEN, IN, False)
    shop.wait(4)
    assert shop.state(one) == IN
    shop.wait(1)
    assert shop.state(one) == OUT
    assert len(shop.webhooks()) == 2
    assert one.email_consent.updated_at == AT


@pytest.mark.parametrize(("takes_older", "state"), [(False, IN), (True, OUT)])
def test_a_statement_older_than_the_stored_one_counts_by_switch(shop, takes_older, state):
    """assumed either way; community.shopify.dev/t/1683 and the object's description do not agree"""
    one = shop.fan()
    shop.town.faults.set({"shopify.consent_takes_older": takes_older})
    (answer,) = shop.consents.write([ConsentUpdate(one.id, EMAIL, OUT, SAID_AT - timedelta(days=1))])
    assert (answer.outcome, answer.state, shop.state(one)) == (ConsentUpdateOutcome.WRITTEN, state, state)


def test_a_shop_may_refuse_some(shop):
    one, other = shop.fan(), list(shop.store.customers.values())[-1]
    other.email, other.email_consent = "other@example.com", EmailConsent(IN, "SINGLE_OPT_IN", SAID_AT)
    shop.town.faults.set({"shopify.consent_refused": [one.id]})
    answers = shop.consents.write([ConsentUpdate(one.id, EMAIL, OUT, AT), ConsentUpdate(other.id, EMAIL, OUT, AT)])
    assert [answer.outcome for answer in answers] == [ConsentUpdateOutcome.REFUSED, ConsentUpdateOutcome.WRITTEN]
    assert (answers[0].code, answers[0].detail) == ("INVALID", "input.emailMarketingConsent")
    assert shop.town.faults.injected == {"shopify.consent_refused": 1}


def test_statements_of_people_are_told_apart_from_our_writes(shop):
    one = shop.fan()
    shop.consents.write([ConsentUpdate(one.id, EMAIL, OUT, AT)])
    shop.town.faults.set({"shopify.p_change_of_mind": 1.0})
    for _ in range(150):
        shop.wait(1)
        shop.town.live(1)
    said = shop.town.statements
    (ours,) = [each for each in said.of(one.email, is_people_only=False) if each.is_own_write]
    assert (ours.side, ours.way, ours.state, ours.at, ours.who) == ("shopify", "api", OUT, AT, str(one.id))
    people = [each for address in said.addresses() for each in said.of(address)]
    assert {each.way for each in people} == {"signup", "storefront", "checkout"}
    assert {each.state for each in people if each.at > AT} >= {IN, OUT}


def test_the_newest_statement_of_a_customer_is_what_the_shop_says(shop):
    shop.town.faults.set({"shopify.p_change_of_mind": 1.0})
    for _ in range(150):
        shop.wait(1)
        shop.town.live(1)
    told = {}
    for each in shop.town.statements.read(limit=10_000, channel="email"):
        told[each["account"], each["who"]] = (each["state"], each["at"])
    n = 0
    for domain, store in shop.town.world.stores.items():
        for each in store.customers.values():
            consent = each.email_consent
            if each.email and consent.updated_at:
                assert told[domain, str(each.id)] == (consent.state, iso(consent.updated_at))
                n += 1
    assert n > 30
