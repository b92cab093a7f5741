"""Whoever opts out while the shop changes their address or number is opted out; an emptied number says nothing."""

from collections.abc import Callable

import pytest
from test_retiring import OTHER, PHONE, loses_number, said, sent, sms, texted

from isthmus.db.pool import Database
from isthmus.flows import identifiers
from sims.shopify.deeds import people, privacy
from sims.shopify.state import Customer, SmsConsent
from talking import IN, OUT, Both, subscriber


@pytest.fixture
def play(database: Database) -> Both:
    return Both(database)


def around(play: Both, first: str, gap: float, click: Callable[[], None], move: Callable[[], None]) -> None:
    play.pass_time(120)
    (click if first == "click" else move)()
    if gap:
        play.pass_time(gap)
        play.work()
    (move if first == "click" else click)()
    play.rest()
    play.pass_time(120)
    play.rest()


ROUND = pytest.mark.parametrize(("first", "gap"), [("click", 0), ("move", 0), ("move", 20)])


@ROUND
def test_who_unsubscribes_in_ometria_while_their_address_changes_is_opted_out(
    play: Both, first: str, gap: float
) -> None:
    who = subscriber(play)

    def move() -> None:
        play.do(people.change_address(play.world, play.uk, who, "new@example.com", None, play.now))

    around(play, first, gap, lambda: play.leaves("ada@example.com"), move)
    assert who.email_consent.state == "UNSUBSCRIBED"
    assert play.contact(who)["marketing_optin"] == OUT
    assert play.rows("SELECT code FROM cases WHERE state = 'open'") == []


@ROUND
def test_who_stops_texts_while_their_number_changes_is_opted_out(play: Both, first: str, gap: float) -> None:
    who = texted(play)
    around(
        play, first, gap, lambda: play.leaves("ada@example.com", "stopword_unsubscribe_TF"),
        lambda: loses_number(play, who, OTHER),
    )  # fmt: skip
    assert who.sms_consent.state == "UNSUBSCRIBED"
    assert sms(play) is False


def subscribes(play: Both, who: Customer) -> None:
    consent = SmsConsent("SUBSCRIBED", "SINGLE_OPT_IN", play.now)
    play.do(people.sms_consent(play.world, play.uk, who, consent, play.now))


def test_an_emptied_number_is_no_statement_also_when_it_comes_back_after_another(play: Both) -> None:
    who = texted(play)
    loses_number(play, who)
    play.rest()
    loses_number(play, who, OTHER)
    play.rest()
    assert said(play) == set()
    loses_number(play, who, PHONE)
    play.rest()
    play.pass_time(120)
    play.rest()
    assert said(play) == set()
    assert who.sms_consent.state == "SUBSCRIBED"
    assert sms(play) is True


@pytest.mark.parametrize("how", ["deleted", "redacted"])
@pytest.mark.parametrize("gap", [0, 120])
def test_a_number_emptied_before_its_customer_goes_is_opted_out_by_text_message(
    play: Both, how: str, gap: float
) -> None:
    who = texted(play)
    loses_number(play, who)
    if gap:
        play.rest()
        play.pass_time(gap)
    play.do(people.leave(play.uk, who) if how == "deleted" else privacy.redact(play.uk, who))
    play.rest()
    last = sent(play, who)[-1]
    assert (last["phone_number"], last.get("channels")) == (PHONE, {"sms": {"allow_marketing": False}})
    assert sms(play) is False


def test_a_number_that_is_none_any_more_is_as_good_as_emptied(play: Both) -> None:
    who = texted(play)
    loses_number(play, who, "12")
    play.rest()
    assert sms(play) is False


@pytest.mark.parametrize(
    ("state", "to"), [("NOT_SUBSCRIBED", None), ("SUBSCRIBED", None), ("SUBSCRIBED", "new@example.com")]
)
def test_who_leaves_an_address_in_one_shop_keeps_it_and_its_opt_in_in_the_other(
    play: Both, state: str, to: str | None
) -> None:
    """Nobody loses the address meanwhile, nor is anybody welcomed for the second time."""
    who = play.person("ada@example.com", state, phone=PHONE)
    abroad = play.person("ada@example.com", "SUBSCRIBED", store=play.sims.store("int"))
    play.rest()
    assert play.mailable("ada@example.com") == IN
    mark = play.mark()
    play.pass_time(600)
    play.do(people.change_address(play.world, play.uk, who, to, who.phone, play.now))
    for _ in range(3):
        play.rest()
        play.pass_time(61)
        identifiers.remap_resolved_conflicts(play.db, play.context)
        assert play.mailable("ada@example.com") == IN
    told = [one for one in play.pushed("contact", mark) if one["id"] == f"int:{abroad.id}"]
    assert {(one["email"], one["marketing_optin"]) for one in told} <= {("ada@example.com", IN)}
    assert len({one["id"] for one in play.context.platform.profiles(email="ada@example.com")}) == 1
    assert play.cases("identity.conflict") == []
    assert sent(play, who)[-1]["email"] == to


def test_who_opts_in_nowhere_else_is_not_written_to_because_of_whom_they_were_one_with(play: Both) -> None:
    """What one contact of a profile says counts for all of them: they are set apart, and one of them loses it."""
    who = play.person("ada@example.com", "NOT_SUBSCRIBED", phone=PHONE)
    play.person("ada@example.com", "SUBSCRIBED", store=play.sims.store("int"))
    play.rest()
    play.pass_time(600)
    play.do(people.change_address(play.world, play.uk, who, "new@example.com", who.phone, play.now))
    for _ in range(3):
        play.rest()
        play.pass_time(61)
        identifiers.remap_resolved_conflicts(play.db, play.context)
    play.rest()
    assert play.mailable("ada@example.com") == IN
    assert play.mailable("new@example.com") != IN
    assert play.cases("identity.conflict") == []
