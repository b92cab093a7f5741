"""Consent both ways: what is said in Ometria reaches the shops, and of two sides that differ the evidence decides."""

from datetime import timedelta
from typing import Any

import pytest

from isthmus.db.pool import Database
from isthmus.flows.consent import profiles, unsubscribes
from isthmus.flows.consent.write_back import write_back
from plays import Play
from sims.ometria import unsubscribes as centre
from sims.shopify.state import Customer

OUT, IN = "EXPLICITLY_OPTEDOUT", "EXPLICITLY_OPTEDIN"


class Both(Play):
    """A play in which both sides are listened to."""

    def work(self) -> None:
        unsubscribes.hear(self.db, self.road)
        profiles.hear(self.db, self.road)
        profiles.look_again(self.db, self.road)
        super().work()
        write_back(self.db, self.road)

    def rest(self) -> None:
        """Until nothing moves on either side, and what was written has been looked at."""
        for _ in range(3):
            self.come_to_rest()
            self.pass_time(15)

    def leaves(self, email: str, way: str = "preferences_centre") -> None:
        """Somebody unsubscribes in Ometria."""
        account = self.sims.ometria.account
        centre.opt_out(account, centre.find(account, email=email), self.sim_clock.now(), way)

    def returns(self, email: str) -> None:
        """Somebody subscribes again in Ometria's preference centre."""
        account = self.sims.ometria.account
        centre.opt_in(account, centre.find(account, email=email), self.sim_clock.now())


@pytest.fixture
def play(database: Database) -> Both:
    return Both(database)


def subscriber(play: Both, email: str = "ada@example.com") -> Customer:
    play.pass_time(60)
    who = play.person(email, "SUBSCRIBED")
    play.rest()
    assert play.mailable(email) == IN
    return who


def ledger(play: Both) -> list[dict[str, Any]]:
    return play.rows("SELECT * FROM consent_claim ORDER BY id")


def test_an_unsubscription_in_ometria_reaches_the_shop(play: Both) -> None:
    who = subscriber(play)
    play.leaves("ada@example.com")
    play.rest()
    assert who.email_consent.state == "UNSUBSCRIBED"
    assert play.contact(who)["marketing_optin"] == OUT
    assert play.rows("SELECT * FROM consent_write") == []
    assert next(row["source"] for row in ledger(play) if row["state"] == "UNSUBSCRIBED") == "ometria.unsubscribes"


def test_the_echo_of_our_own_write_pushes_nothing(play: Both) -> None:
    """F41: the shop tells us what we told it."""
    who = subscriber(play)
    play.leaves("ada@example.com")
    play.rest()
    mark = play.mark()
    writes = sum(e["n"] > mark for e in play.sims.tape.read(limit=200_000))
    play.pass_time(60)
    play.rest()
    assert [c for c in play.pushed("contact", mark) if c["id"] == f"uk:{who.id}"] == []
    assert writes == 0


def test_an_opt_out_by_a_way_that_is_listed_nowhere_is_seen_as_a_changed_profile(play: Both) -> None:
    who = subscriber(play)
    record = {
        "@type": "contact", "@collection": "newsletter", "id": "form-1", "email": "ada@example.com",
        "marketing_optin": OUT,
    }  # fmt: skip
    from sims.ometria import apply
    from sims.ometria.validate import rules_for

    account = play.sims.ometria.account
    assert apply.one(account, record, rules_for(account.switches), play.sim_clock.now(), "form") is None
    play.rest()
    assert who.email_consent.state == "UNSUBSCRIBED"
    assert play.mailable("ada@example.com") == OUT


def test_a_resubscription_seen_only_as_a_changed_profile_changes_neither_side(play: Both) -> None:
    who = subscriber(play)
    play.leaves("ada@example.com")
    play.rest()
    play.returns("ada@example.com")
    play.rest()
    assert who.email_consent.state == "UNSUBSCRIBED"
    assert play.mailable("ada@example.com") == IN
    (case,) = play.cases("consent.unproven_resubscribe")
    assert (case["subject"], case["store"]) == (f"customer:{who.id}", "uk")


def test_a_later_opt_in_at_the_checkout_does_not_overrule_the_preference_centre_and_says_why(play: Both) -> None:
    """F06, F08: the opt-in stands, is not forced, and the contact that blocks it is named."""
    who = subscriber(play)
    play.leaves("ada@example.com")
    play.rest()
    play.pass_time(60)
    play.says(who, "SUBSCRIBED")
    play.rest()
    assert who.email_consent.state == "SUBSCRIBED"
    assert play.contact(who)["marketing_optin"] == IN
    assert "@force_optin" not in play.contact(who)
    assert play.mailable("ada@example.com") == OUT
    (case,) = play.cases("consent.blocked_by_listing")
    assert "preference_centre/" in case["detail"]


def test_a_checkout_box_older_than_the_opt_out_is_refused_and_written_back(play: Both) -> None:
    """F06: without a later time the opt-in does not count."""
    who = subscriber(play)
    play.leaves("ada@example.com")
    earlier = play.now - timedelta(hours=1)
    play.rest()
    play.says(who, "SUBSCRIBED", at=earlier)
    play.rest()
    assert who.email_consent.state == "UNSUBSCRIBED"
    assert play.mailable("ada@example.com") == OUT


def test_a_guest_of_whom_no_shop_knows_is_remembered(play: Both) -> None:
    """F05: a local suppression that blocks the next checkout's opt-in until that is later and proven."""
    play.orders(email="guest@example.com")
    play.rest()
    play.leaves("guest@example.com")
    said_at = play.now
    play.rest()
    assert len(play.cases("consent.guest_opted_out")) == 1
    who = play.person("guest@example.com", "SUBSCRIBED")
    who.email_consent.updated_at = said_at - timedelta(minutes=5)
    play.rest()
    assert who.email_consent.state == "UNSUBSCRIBED"
    assert play.mailable("guest@example.com") == OUT
