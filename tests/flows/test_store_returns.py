"""A store that was out of the connection file for a while: nothing of it is sent before its people are decided."""

import msgspec
import pytest

from isthmus.db.pool import Database
from isthmus.flows.consent import recurring_differences
from isthmus.flows.context import ConnectionContext
from sims.ometria import unsubscribes as centre
from sims.shopify.deeds import people
from sims.shopify.state import Customer, EmailConsent
from talking import IN, OUT, Both


@pytest.fixture
def play(database: Database) -> Both:
    return Both(database)


def subscriber(play: Both, email: str) -> Customer:
    play.pass_time(60)
    who = play.person(email, "SUBSCRIBED", store=play.sims.store("int"))
    play.rest()
    assert play.mailable(email) == IN
    return who


def leaves(play: Both) -> ConnectionContext:
    """Store int is taken out of the file; the pipeline as it was."""
    before = play.context
    play.context = msgspec.structs.replace(before, shops={"uk": before.shops["uk"]})
    return before


def comes_back(play: Both, context: ConnectionContext) -> None:
    play.context = context
    with play.db.transaction() as tx:
        assert recurring_differences.note_returning_store(tx, "acme", "int", play.now)


def until_taken_back(play: Both) -> None:
    for _ in range(20):
        play.poll()
        play.work()
        if not recurring_differences.run_step(play.db, play.context):
            return
        play.pass_time(5)
    raise AssertionError("the store is still coming back")


@pytest.mark.parametrize("way", ["preferences_centre", "csv"])
def test_an_opt_out_made_in_ometria_meanwhile_is_sent_and_written_back(play: Both, way: str) -> None:
    who = subscriber(play, "ada@example.com")
    context = leaves(play)
    if way == "csv":
        account = play.sims.ometria.account
        centre.say_elsewhere(account, centre.find(account, email="ada@example.com"), play.now, way, is_in=False)
    else:
        play.leaves("ada@example.com", way)
    play.rest()
    play.pass_time(600)
    play.rest()
    mark = play.mark()
    comes_back(play, context)
    until_taken_back(play)
    play.rest()
    assert {one["marketing_optin"] for one in play.pushed("contact", mark) if one["id"] == f"int:{who.id}"} == {OUT}
    assert who.email_consent.state == "UNSUBSCRIBED"


def test_nothing_of_the_store_goes_out_before_its_people_are_decided(play: Both) -> None:
    who = subscriber(play, "ada@example.com")
    other = subscriber(play, "ben@example.com")
    context = leaves(play)
    play.leaves("ada@example.com")
    events = people.email_consent(
        play.world, play.sims.store("int"), other, EmailConsent("UNSUBSCRIBED", "SINGLE_OPT_IN", play.now), play.now
    )
    assert events  # nobody is told: the store is not ours meanwhile
    play.pass_time(900)
    comes_back(play, context)
    mark = play.mark()
    # Something changes at once, and would be sent from what was known before.
    play.do(people.rename(play.world, play.sims.store("int"), who, "Ada", "King", play.now))
    for _ in range(5):
        play.work()
        play.pass_time(5)
    assert [one["id"] for one in play.pushed("contact", mark) if one["id"].startswith("int:")] == []
    until_taken_back(play)
    play.rest()
    sent = {one["id"]: one["marketing_optin"] for one in play.pushed("contact", mark)}
    assert sent[f"int:{who.id}"] == sent[f"int:{other.id}"] == OUT
    assert IN not in sent.values()


def test_a_store_that_was_never_there_does_not_come_back(play: Both) -> None:
    with play.db.transaction() as tx:
        assert not recurring_differences.note_returning_store(tx, "acme", "fr", play.now)
