"""One person's ledger has every channel that the person was ever spoken for on."""

import pytest

from isthmus.consent.policy import Policy
from isthmus.db.pool import Database
from isthmus.ops import consent_history
from scenes import HASH_KEY
from sims.shopify.deeds import people
from sims.shopify.state import SmsConsent
from talking import Both

PHONE = "+447911123456"


@pytest.fixture
def play(database: Database) -> Both:
    return Both(database)


def test_a_persons_ledger_has_email_and_text_messages(play: Both) -> None:
    sms = SmsConsent("SUBSCRIBED", "SINGLE_OPT_IN", play.now)
    who = play.person("ada@example.com", "UNSUBSCRIBED", phone=PHONE, sms_consent=sms)
    play.person("ben@example.com", "SUBSCRIBED")
    play.rest()
    found = consent_history.consent_ledger(play.db, "acme", "ada@example.com", HASH_KEY, Policy(), ["int", "uk"])
    assert {(one.channel, one.state, one.customer_id) for one in found.claims} == {
        ("email", "UNSUBSCRIBED", who.id), ("sms", "SUBSCRIBED", who.id),
    }  # fmt: skip
    assert {(one.channel, one.stance) for one in found.stands} == {("email", "opted out"), ("sms", "opted in")}
    (contact,) = found.platform
    assert (contact.stance, contact.sms) == ("explicitly optedout", "opted in")
    play.do(people.sms_consent(
        play.world, play.uk, who, SmsConsent("UNSUBSCRIBED", "SINGLE_OPT_IN", play.now), play.now
    ))  # fmt: skip
    play.rest()
    found = consent_history.consent_ledger(play.db, "acme", "ada@example.com", HASH_KEY, Policy(), ["uk"])
    assert [(one.channel, one.stance) for one in found.stands] == [("email", "opted out"), ("sms", "opted out")]


@pytest.mark.parametrize("how", ["emptied", "deleted"])
def test_what_was_stated_of_a_number_is_shown_when_the_number_or_its_customer_is_gone(play: Both, how: str) -> None:
    sms = SmsConsent("SUBSCRIBED", "SINGLE_OPT_IN", play.now)
    who = play.person("ada@example.com", "SUBSCRIBED", phone=PHONE, sms_consent=sms)
    play.person("ben@example.com", "SUBSCRIBED", phone="+447911123457", sms_consent=sms)
    play.rest()
    if how == "deleted":
        play.do(people.leave(play.uk, who))
    else:
        play.do(people.change_address(play.world, play.uk, who, who.email, None, play.now))
    play.rest()
    found = consent_history.consent_ledger(play.db, "acme", "ada@example.com", HASH_KEY, Policy(), ["uk"])
    assert {one.customer_id for one in found.claims} == {who.id}
    assert ("sms", "SUBSCRIBED") in {(one.channel, one.state) for one in found.claims}
