"""Consent that counts in its own store alone: each store's contact goes with what its own customer said."""

import msgspec
import pytest

from isthmus.consent.policy import Policy
from isthmus.db.pool import Database
from talking import IN, OUT, Both


@pytest.fixture
def play(database: Database) -> Both:
    play = Both(database)
    play.context = msgspec.structs.replace(play.context, policy=Policy(scope="store"))
    return play


@pytest.mark.parametrize("first", ["uk", "int"])
def test_each_contact_goes_with_the_consent_of_its_own_store(play: Both, first: str) -> None:
    """The opt-outs of all stores are counted where a contact of one store knows of its own alone."""
    said = {"uk": "SUBSCRIBED", "int": "UNSUBSCRIBED"}
    who = {}
    for store in (first, "int" if first == "uk" else "uk"):
        who[store] = play.person("ada@example.com", said[store], store=play.sims.store(store))
        play.rest()
    assert play.contact(who["uk"])["marketing_optin"] == IN
    assert play.contact(who["int"], "int:")["marketing_optin"] == OUT
    left = play.rows("SELECT id FROM outbox WHERE state IN ('due', 'leased', 'accepted')")
    assert left == []
    # One profile: the no of one store silences it, and a case says so.
    assert play.mailable("ada@example.com") == OUT
    assert {case["store"] for case in play.cases("consent.blocked_by_listing")} >= {"uk"}
    assert who["uk"].email_consent.state == "SUBSCRIBED"
