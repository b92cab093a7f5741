"""Consent both ways: what is said in Ometria reaches the shops, and of two sides that differ the evidence decides."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from isthmus.consent.policy import Policy
from isthmus.db.pool import Database
from isthmus.flows.consent import native_importer
from isthmus.flows.reconcile.run import reconcile
from isthmus.flows.reconcile.run_context import ReconcileRequest
from isthmus.model import basis
from isthmus.ops import status
from sims.ometria import unsubscribes as centre
from sims.ometria.account import Unsubscribe
from sims.shopify.deeds import people
from sims.shopify.rest.order import order as order_body
from talking import IN, OUT, Both, subscriber


@pytest.fixture
def play(database: Database) -> Both:
    return Both(database)


def ledger(play: Both) -> list[dict[str, Any]]:
    return play.rows("SELECT * FROM consent_claim ORDER BY id")


def test_f19_an_unsubscription_in_ometria_silences_everywhere(play: Both) -> None:
    who = subscriber(play)
    play.leaves("ada@example.com")
    play.rest()
    assert who.email_consent.state == "UNSUBSCRIBED"
    assert play.contact(who)["marketing_optin"] == OUT
    assert play.rows("SELECT * FROM consent_write") == []
    assert next(row["source"] for row in ledger(play) if row["state"] == "UNSUBSCRIBED") == "ometria.unsubscribes"


def test_f41_the_echo_of_our_own_write_pushes_nothing(play: Both) -> None:
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


def test_a_reconciliation_does_not_call_agreed_who_left_in_ometria_and_was_not_heard(play: Both) -> None:
    who = subscriber(play)
    play.pass_time(600)
    settled = play.reconcile()
    assert basis.verdict_outcome(settled.basis).is_green
    play.leaves("ada@example.com")  # the store's record, ours and Ometria's listing of it all still say opted in
    for done in (play.reconcile(repair=False), play.reconcile()):
        assert done.n_findings == 0
        assert basis.NotJudged(basis.NotJudgedReason.CONSENT, 1, "uk customers") in done.basis.not_judged
        assert done.basis.n_compared == settled.basis.n_compared - 1
        assert not basis.verdict_outcome(status.read_status(play.db, play.now).connections[0].basis).is_green
    play.rest()
    assert who.email_consent.state == "UNSUBSCRIBED"
    play.pass_time(600)
    assert basis.verdict_outcome(play.reconcile().basis).is_green


def test_a_run_that_meets_an_opt_out_on_its_way_to_the_shop_waits_for_it(play: Both) -> None:
    who = subscriber(play)
    play.leaves("ada@example.com")
    read: list[str] = []

    def works() -> bool:
        """What the workers do while the run waits for the grace period, once it has read both sides."""
        if "platform people" in read:
            play.work()
        return True

    done = reconcile(play.db, play.context, ReconcileRequest(), tell=lambda step: read.append(step.name), goes_on=works)
    assert who.email_consent.state == "UNSUBSCRIBED"
    assert done is not None
    assert (done.n_findings, basis.verdict_outcome(done.basis).is_green) == (0, True), done.basis


def test_an_opt_out_that_the_shop_does_not_take_is_never_called_agreed(play: Both) -> None:
    who = subscriber(play)
    play.sims.faults.set({"shopify.p_consent_refused": 1.0})
    play.leaves("ada@example.com")
    for _ in range(12):
        play.work()
        play.pass_time(30)
    assert (who.email_consent.state, play.mailable("ada@example.com")) == ("SUBSCRIBED", OUT)
    assert basis.NotJudged(basis.NotJudgedReason.CONSENT, 1, "uk customers") in play.reconcile().basis.not_judged


def test_who_subscribes_again_in_ometria_without_proof_is_not_called_agreed(play: Both) -> None:
    who = subscriber(play)
    play.says(who, "UNSUBSCRIBED")
    play.rest()
    play.returns("ada@example.com")
    play.rest()
    assert play.cases("consent.unproven_resubscribe")
    play.pass_time(600)
    for _ in range(2):
        done = play.reconcile()
        assert basis.NotJudged(basis.NotJudgedReason.CONSENT, 1, "uk customers") in done.basis.not_judged
        assert not basis.verdict_outcome(status.read_status(play.db, play.now).connections[0].basis).is_green
        play.says(who, "NOT_SUBSCRIBED")  # an event that waits hides nothing
        play.hear()
        play.pass_time(600)


def test_f06_a_later_opt_in_at_the_checkout_does_not_overrule_the_preference_centre_and_says_why(play: Both) -> None:
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


def test_f08_an_old_contact_of_an_upload_that_keeps_somebody_out_is_named(play: Both) -> None:
    """F08: they really subscribed again; nothing is silently without effect."""
    who = subscriber(play)
    account = play.sims.ometria.account
    person = centre.find(account, email="ada@example.com")
    centre.say_elsewhere(account, person, play.sim_clock.now(), "csv", is_in=False)
    play.rest()
    assert who.email_consent.state == "UNSUBSCRIBED"
    play.pass_time(60)
    play.says(who, "SUBSCRIBED")
    play.rest()
    assert play.mailable("ada@example.com") == OUT
    (case,) = play.cases("consent.blocked_by_listing")
    assert case["detail"].startswith("by the contact csv_upload/")
    assert case["owner"] == "platform team"


@pytest.mark.parametrize(("whose", "subject"), [("prof_gone", "profile:prof_gone"), ("", "profile:unnamed")])
def test_an_unsubscription_that_names_nobody_is_a_case_and_stops_nothing(play: Both, whose: str, subject: str) -> None:
    """Whatever the list holds, the opt-outs beside it are heard."""
    who = subscriber(play)
    account, now = play.sims.ometria.account, play.sim_clock.now()
    account.unsubscribes.append(Unsubscribe(None, whose, now, "preferences_centre", now))
    play.leaves("ada@example.com")
    play.rest()
    assert who.email_consent.state == "UNSUBSCRIBED"
    (case,) = play.cases("consent.unnamed_opt_out")
    assert case["subject"] == subject


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


def test_a_ticked_box_is_written_down_once_and_opts_nobody_in(play: Both) -> None:
    """A box is evidence: neither a guest's nor that of somebody who left says what they are."""
    who = subscriber(play)
    play.leaves("ada@example.com")
    play.rest()
    play.pass_time(60)
    hers = play.orders(who, buyer_accepts_marketing=True)
    ticked = play.orders(email="guest@example.com", buyer_accepts_marketing=True)
    play.rest()
    play.tell("orders/create", order_body(play.world, play.uk, ticked), webhook_id="again")
    play.rest()
    kept = [row for row in ledger(play) if row["source"] == "shopify.box"]
    assert [(row["state"], row["rule"], row["is_word"]) for row in kept] == [("SUBSCRIBED", "evidence_only", False)] * 2
    assert {row["claimed_at"] for row in kept} == {one.created_at.replace(microsecond=0) for one in (hers, ticked)}
    assert play.mailable("ada@example.com") == OUT
    assert who.email_consent.state == "UNSUBSCRIBED"
    assert play.mailable("guest@example.com") is None


def test_f05_a_guest_of_whom_no_shop_knows_is_remembered(play: Both) -> None:
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


def test_f67_of_two_customers_made_one_the_stricter_consent_is_left(play: Both) -> None:
    """F67: the lost one had said no; the shop keeps the survivor's yes, and is told otherwise."""
    kept, lost = subscriber(play, "kept@example.com"), play.person("lost@example.com", "UNSUBSCRIBED")
    play.rest()
    play.do(people.merge(play.world, play.uk, kept, lost, play.now))
    play.rest()
    assert kept.email_consent.state == "UNSUBSCRIBED"
    assert play.mailable("kept@example.com") == OUT
    assert "shopify.merge" in {row["source"] for row in ledger(play)}


def test_a_merge_leaves_what_the_survivor_says_where_the_policy_wants_that(play: Both) -> None:
    play.context = msgspec.structs.replace(play.context, policy=Policy(merge="newest"))
    kept, lost = subscriber(play, "kept@example.com"), play.person("lost@example.com", "UNSUBSCRIBED")
    play.rest()
    play.do(people.merge(play.world, play.uk, kept, lost, play.now))
    play.rest()
    assert kept.email_consent.state == "SUBSCRIBED"
    assert play.contact(kept)["marketing_optin"] == IN


def test_f67_a_survivor_who_said_no_stays_out_whatever_the_lost_one_said(play: Both) -> None:
    lost = subscriber(play, "lost@example.com")
    kept = play.person("kept@example.com", "UNSUBSCRIBED")
    play.rest()
    play.do(people.merge(play.world, play.uk, kept, lost, play.now))
    play.rest()
    assert kept.email_consent.state == "UNSUBSCRIBED"
    assert play.contact(kept)["marketing_optin"] == OUT


def test_f09_a_write_that_does_not_stay_is_written_again_and_then_a_case(play: Both) -> None:
    """F09: answered as done, and subscribed again three seconds later."""
    who = subscriber(play)
    play.sims.faults.set({"shopify.consent_reverts": [who.id]})
    play.leaves("ada@example.com")
    for _ in range(6):
        play.work()
        play.pass_time(20)
    (case,) = play.cases("storefront.consent_refused")
    assert (case["subject"], case["store"]) == (f"customer:{who.id}", "uk")
    assert "ada@" not in case["detail"]
    assert play.mailable("ada@example.com") == OUT
    play.sims.faults.clear()
    play.pass_time(6 * 3600)
    play.rest()
    assert who.email_consent.state == "UNSUBSCRIBED"
    assert play.cases("storefront.consent_refused") == []


def test_f01_a_full_resync_after_a_lost_write_back_opts_nobody_in(play: Both) -> None:
    """F01: they left in Ometria, the shop never took it, and everything is loaded again."""
    people_ = [subscriber(play, f"{n}@example.com") for n in range(5)]
    play.sims.faults.set({"shopify.consent_refused": [who.id for who in people_]})
    for n in range(5):
        play.leaves(f"{n}@example.com")
    for _ in range(6):
        play.work()
        play.pass_time(20)
    assert {who.email_consent.state for who in people_} == {"SUBSCRIBED"}
    mark = play.mark()
    play.load_history()
    for _ in range(4):
        play.work()
        play.pass_time(20)
    assert {play.mailable(f"{n}@example.com") for n in range(5)} == {OUT}
    assert {c["marketing_optin"] for c in play.pushed("contact", mark)} <= {OUT}
    assert len(play.cases("storefront.consent_refused")) == 5
    play.sims.faults.clear()
    play.pass_time(6 * 3600)
    play.rest()
    assert {who.email_consent.state for who in people_} == {"UNSUBSCRIBED"}


def test_f16_an_opt_out_in_one_shop_holds_in_the_other_by_default(play: Both) -> None:
    """F16: one person, one consent; it is written back where the other shop would still write."""
    here = subscriber(play)
    there = play.person("ada@example.com", "SUBSCRIBED", store=play.sims.store("int"))
    play.rest()
    play.says(here, "UNSUBSCRIBED")
    play.rest()
    assert there.email_consent.state == "UNSUBSCRIBED"
    assert play.contact(there, "int:")["marketing_optin"] == OUT
    assert play.mailable("ada@example.com") == OUT


def test_f16_with_the_scope_of_a_store_an_opt_out_is_written_to_no_other_shop(play: Both) -> None:
    """F16: the shops stay apart; that Ometria cannot tell them apart is a case."""
    play.context = msgspec.structs.replace(play.context, policy=Policy(scope="store"))
    here = subscriber(play)
    there = play.person("ada@example.com", "SUBSCRIBED", store=play.sims.store("int"))
    play.rest()
    play.says(here, "UNSUBSCRIBED")
    play.rest()
    assert there.email_consent.state == "SUBSCRIBED"
    assert play.contact(there, "int:")["marketing_optin"] == IN
    assert play.mailable("ada@example.com") == OUT
    assert play.cases("consent.blocked_by_listing")


def test_an_opt_out_that_another_writer_overrules_is_forced_and_written_down(play: Both) -> None:
    """SEMANTICS 5: forced only when a look shows it refused."""
    who = subscriber(play)
    play.returns("ada@example.com")  # a forced opt-in of the preference centre, before the shop's opt-out
    play.rest()
    play.says(who, "UNSUBSCRIBED")
    play.rest()
    assert play.mailable("ada@example.com") == OUT
    assert play.contact(who)["@force_optin"] is True
    assert "FORCED_OUT" in {row["state"] for row in ledger(play)}


def test_our_own_forced_opt_out_is_lifted_by_a_later_proven_opt_in(play: Both) -> None:
    who = subscriber(play)
    play.returns("ada@example.com")
    play.rest()
    play.says(who, "UNSUBSCRIBED")
    play.rest()
    play.pass_time(60)
    play.says(who, "SUBSCRIBED")
    play.rest()
    assert play.mailable("ada@example.com") == IN
    assert play.contact(who)["marketing_optin"] == IN
    assert "FORCED_IN" in {row["state"] for row in ledger(play)}


def test_beside_the_accounts_own_importer_an_opt_out_is_forced_from_the_start(play: Both) -> None:
    """Facts 7.7: an importer that knows no better would take it back."""
    who = subscriber(play)
    play.sims.ometria.turn({"native_importer": True})
    play.sims.import_natively()
    assert native_importer.check_native_importer(play.db, play.context) is True
    mark = play.mark()
    play.says(who, "UNSUBSCRIBED")
    play.rest()
    outs = [c for c in play.pushed("contact", mark) if c["id"] == f"uk:{who.id}" and c["marketing_optin"] == OUT]
    assert outs
    assert all(c["@force_optin"] is True for c in outs)
    assert play.mailable("ada@example.com") == OUT


def test_without_an_importer_nothing_is_forced(play: Both) -> None:
    who = subscriber(play)
    assert native_importer.check_native_importer(play.db, play.context) is False
    play.says(who, "UNSUBSCRIBED")
    play.rest()
    assert "@force_optin" not in play.contact(who)
