"""Accounts that take opt-ins by text message only with double opt-in: who is asked, who counts, who is left alone."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from isthmus.db.pool import Database
from isthmus.flows.consent import audit
from isthmus.flows.replay import Selection
from isthmus.flows.replay_dry_run import dry_run_replay
from isthmus.model.event import EventState
from isthmus.ops.status import read_status
from sims.shopify.deeds import people
from sims.shopify.state import Customer, SmsConsent
from talking import Both

PHONE = "+447911123456"


@pytest.fixture
def play(database: Database) -> Both:
    made = Both(database)
    made.sims.ometria.turn({"sms_double_optin": True})
    shops = {
        name: replace(shop, rules=replace(shop.rules, sms_double_optin=True))
        for name, shop in made.context.shops.items()
    }
    made.context = replace(made.context, shops=shops)
    made.pass_time(120)
    return made


def somebody(play: Both, **consent: Any) -> Customer:
    who = play.person("ada@example.com", phone=PHONE, **consent)
    play.rest()
    return who


def says(play: Both, who: Customer, state: str, level: str = "CONFIRMED_OPT_IN", *, is_told: bool = True) -> None:
    play.pass_time(60)
    consent = SmsConsent(state, level, play.now)
    play.do(people.sms_consent(play.world, play.uk, who, consent, play.now), is_told=is_told)
    play.rest()


def may_text(play: Both) -> bool | None:
    """What Ometria's profile says."""
    (item,) = play.context.platform.profiles(email="ada@example.com")
    allowed: bool | None = ((item.get("channels") or {}).get("sms") or {}).get("allow_marketing")
    return allowed


def texts(play: Both) -> int:
    return len([one for one in play.sims.ometria.account.automations if one["kind"] == "double_optin_text"])


def rows(play: Both) -> list[dict[str, Any]]:
    return play.rows("SELECT id, state, excluded, opts_in FROM outbox WHERE kind = 'sms' ORDER BY id")


def test_a_confirmed_opt_in_counts_and_ends_with_the_opt_out(play: Both) -> None:
    who = somebody(play)
    assert rows(play) == []
    says(play, who, "SUBSCRIBED")
    assert may_text(play) is True
    assert rows(play) == [{"id": f"uk:sms-{who.id}", "state": "applied", "excluded": None, "opts_in": True}]
    assert texts(play) == 0
    says(play, who, "UNSUBSCRIBED")
    assert may_text(play) is False
    assert rows(play)[0]["opts_in"] is False
    says(play, who, "SUBSCRIBED")
    assert may_text(play) is True
    assert play.rows("SELECT code FROM cases WHERE state = 'open'") == []


def test_who_did_not_confirm_is_asked_once_and_counts_when_they_answer(play: Both) -> None:
    who = somebody(play)
    says(play, who, "SUBSCRIBED", "SINGLE_OPT_IN")
    assert (texts(play), may_text(play)) == (1, None)
    assert rows(play)[0]["state"] == "applied"
    play.world.touch(play.uk, who, play.now)
    play.do(people.tag(play.world, play.uk, who, ["vip"], play.now))
    play.rest()
    assert texts(play) == 1
    says(play, who, "UNSUBSCRIBED")
    assert may_text(play) is False
    says(play, who, "SUBSCRIBED", "SINGLE_OPT_IN")
    # Asked again, and until they answer Ometria holds to the opt-out: nobody's trouble.
    assert (texts(play), may_text(play)) == (2, False)
    assert play.rows("SELECT code FROM cases WHERE state = 'open'") == []
    told = audit.run_consent_audit(play.db, play.context, repair=False).differs
    assert [(one.channel, one.sort.value) for one in told] == [("sms", "under way")]


def test_a_comparison_of_all_three_sides_finds_nothing_about_it(play: Both) -> None:
    who = somebody(play)
    says(play, who, "SUBSCRIBED")
    play.pass_time(600)
    run = play.reconcile()
    assert play.findings(run.run) == []
    assert may_text(play) is True
    told = read_status(play.db, play.now, "acme").connections[0].accounting["customers"]
    assert (told.known, told.applied) == (2, 2)


def test_a_replay_names_the_texts_that_it_would_send(play: Both) -> None:
    who = somebody(play)
    says(play, who, "SUBSCRIBED", "SINGLE_OPT_IN")
    with play.db.transaction() as tx:
        tx.execute("DELETE FROM outbox WHERE kind = 'sms'")
        tx.execute("DELETE FROM record WHERE kind = 'customer'")
        told = tx.fetch_all("SELECT id FROM event WHERE subject LIKE 'customer:%' AND state = 'applied' ORDER BY id")
    chosen = Selection(events=tuple(row["id"] for row in told), states=(EventState.APPLIED,))
    assert {one.name for one in dry_run_replay(play.db, play.context, chosen).triggers} == {"confirmation text"}


def test_nobody_is_asked_because_of_history_and_who_confirmed_is_taken_along(play: Both) -> None:
    before = play.live_since - timedelta(days=90)
    asked = play.person(
        "bob@example.com", phone="+447911123457", sms_consent=SmsConsent("SUBSCRIBED", "SINGLE_OPT_IN", before)
    )
    known = somebody(play, sms_consent=SmsConsent("SUBSCRIBED", "CONFIRMED_OPT_IN", before))
    play.backfill()
    play.rest()
    assert (texts(play), may_text(play)) == (0, True)
    told = {row["id"]: row for row in rows(play)}
    assert told[f"uk:sms-{asked.id}"]["excluded"] == "not confirmed by text message"
    assert told[f"uk:sms-{known.id}"]["state"] == "applied"


def test_a_customer_who_leaves_the_shop_is_texted_no_more(play: Both) -> None:
    who = somebody(play)
    says(play, who, "SUBSCRIBED")
    play.do(people.leave(play.uk, who))
    play.rest()
    assert may_text(play) is False


def test_a_stop_word_reaches_the_shop_and_no_opt_in_goes_over_it(play: Both) -> None:
    who = somebody(play)
    says(play, who, "SUBSCRIBED")
    play.leaves("ada@example.com", "stopword_unsubscribe_TF")
    play.rest()
    assert who.sms_consent.state == "UNSUBSCRIBED"
    assert may_text(play) is False
    assert rows(play)[0]["opts_in"] is False


def test_one_that_vanished_over_there_is_noticed_where_it_should_be_and_sent_again(play: Both) -> None:
    play.context = replace(play.context, pace=replace(play.context.pace, read_back=1.0))
    who = somebody(play)
    play.sims.faults.set({"ometria.p_vanish": 1.0})
    consent = SmsConsent("SUBSCRIBED", "CONFIRMED_OPT_IN", play.now)
    play.do(people.sms_consent(play.world, play.uk, who, consent, play.now))
    play.hear()
    play.pass_time(3)
    play.push()
    assert (rows(play)[0]["state"], may_text(play)) == ("accepted", None)
    play.sims.faults.set({"ometria.p_vanish": 0.0})
    play.rest()
    assert (rows(play)[0]["state"], may_text(play)) == ("applied", True)
    assert play.context.platform.contact("double_optin:sms", f"uk:sms-{who.id}") is not None


def second(play: Both, who: Customer, collection: str) -> Any:
    """The second contact as Ometria holds it."""
    return play.sims.ometria.account.collections[collection].get(f"uk:sms-{who.id}")


def test_a_reconciliation_compares_second_contacts_and_sends_again_what_opts_nobody_in(play: Both) -> None:
    who = somebody(play, sms_consent=SmsConsent("SUBSCRIBED", "CONFIRMED_OPT_IN", play.now))
    play.pass_time(600)
    quiet = play.reconcile()
    assert quiet.n_findings == 0
    assert quiet.basis is not None
    with_it = quiet.basis.n_compared
    assert with_it == len(play.rows("SELECT id FROM outbox WHERE kind <> 'moment' AND state = 'applied'"))
    # Somebody took the permission away there: found, and never put back.
    was = dict(second(play, who, "double_optin:sms").record["channels"])
    second(play, who, "double_optin:sms").record["channels"] = {"sms": {"allow_marketing": False}}
    done = play.reconcile()
    (found,) = play.findings(done.run)
    assert (found.kind, found.id, found.code, found.repair) == ("sms", f"uk:sms-{who.id}", "platform.differs", None)
    (case,) = play.cases("platform.differs")
    assert case["subject"] == f"sms:uk:sms-{who.id}"
    assert "channels.sms.allow_marketing: sent True, Ometria has False" in case["detail"]
    assert "not sent again" in case["detail"]
    second(play, who, "double_optin:sms").record["channels"] = was
    play.pass_time(600)
    assert play.reconcile().n_findings == 0
    assert play.cases("platform.differs") == []  # put right by whoever did it
    # The shop says no, and Ometria holds a yes again: that is put right.
    says(play, who, "UNSUBSCRIBED")
    second(play, who, "double_optin:sms").record["channels"] = {"sms": {"allow_marketing": True}}
    play.pass_time(600)
    done = play.reconcile()
    assert [(one.id, one.repair) for one in play.findings(done.run)] == [(f"uk:sms-{who.id}", "send")]
    play.rest()
    assert second(play, who, "double_optin:sms").record["channels"]["sms"]["allow_marketing"] is False
    assert play.cases("platform.differs") == []
    # One that is gone is looked for by itself.
    play.sims.ometria.account.collections["double_optin:sms"].drop(f"uk:sms-{who.id}")
    play.pass_time(600)
    done = play.reconcile(repair=False)
    assert [(one.kind, one.code) for one in play.findings(done.run)] == [("sms", "platform.not_applied")]
    assert done.basis is not None
    assert (done.basis.n_compared, done.basis.n_differ) == (with_it, 1)
