"""The two-sided audit: everybody whom one side may write to and the other may not, each with times, rule and case."""

import csv
import io
from typing import Any

import msgspec
import pytest

from isthmus.cases.sql import cases
from isthmus.cli import consent
from isthmus.db.pool import Database
from isthmus.flows.consent import audit as flow
from isthmus.flows.reconcile.run_context import RunProgress
from isthmus.model.basis import NotJudgedReason, verdict_outcome
from isthmus.model.consent_comparison import ConsentComparisonResult, DifferenceKind
from isthmus.ops import consent_report
from sims.ometria import unsubscribes as centre
from sims.shopify.deeds import people
from sims.shopify.state import Customer, EmailConsent, SmsConsent
from talking import IN, OUT, Both, subscriber


@pytest.fixture
def play(database: Database) -> Both:
    return Both(database)


def books(play: Both) -> list[object]:
    """The ledger, what is to be sent, and what is to be written."""
    tables = ("consent_claim", "outbox", "consent_write")
    return [play.rows(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4") for table in tables]  # noqa: S608


def audit(play: Both, **asked: Any) -> ConsentComparisonResult:
    return flow.run_consent_audit(play.db, play.context, **asked)


def test_where_both_sides_agree_nothing_is_listed(play: Both) -> None:
    subscriber(play, "in@example.com")
    play.person("out@example.com", "UNSUBSCRIBED")
    play.person("quiet@example.com")
    play.rest()
    done = audit(play)
    assert (done.n_people, done.n_both, done.n_neither, done.differs) == (3, 1, 2, ())
    assert consent_report.consent_verdict(done) == "Of 3 people compared, all agree."


def test_an_audit_of_nobody_proves_nothing(play: Both) -> None:
    done = audit(play)
    assert done.basis is not None
    assert (done.n_people, verdict_outcome(done.basis).exit_code, verdict_outcome(done.basis).why) == (
        0,
        1,
        "nobody was compared",
    )


def test_each_difference_has_both_times_the_rule_and_its_case(play: Both) -> None:
    blocked = subscriber(play, "blocked@example.com")
    play.leaves("blocked@example.com")
    play.rest()
    play.pass_time(60)
    play.says(blocked, "SUBSCRIBED")
    unproven = play.person("unproven@example.com")
    play.rest()
    play.returns("unproven@example.com")
    play.rest()
    done = audit(play)
    found = {one.customer_id: one for one in done.differs}
    assert {(one.sort, one.case) for one in done.differs} == {
        (DifferenceKind.SILENCED, "consent.blocked_by_listing"),
        (DifferenceKind.UNPROVEN, "consent.unproven_resubscribe"),
    }
    one = found[blocked.id]
    assert (one.shop, one.platform, one.rule) == ("SUBSCRIBED", "opted out", "later_opt_in")
    assert one.shop_at == blocked.email_consent.updated_at.replace(microsecond=0)  # type: ignore[union-attr]
    assert one.platform_seen_at is not None
    assert found[unproven.id].platform == "opted in"
    assert done.unexplained == ()


def test_an_audit_that_repairs_nothing_changes_nothing(play: Both) -> None:
    who = subscriber(play)
    account = play.sims.ometria.account
    centre.say_elsewhere(
        account, centre.find(account, email="ada@example.com"), play.sim_clock.now(), "csv", is_in=False
    )
    before = books(play)
    done = audit(play, repair=False)
    assert [one.sort for one in done.differs] == [DifferenceKind.SILENCED]
    assert books(play) == before
    audit(play)
    play.rest()
    assert who.email_consent.state == "UNSUBSCRIBED"  # towards the opt-out, as always
    assert audit(play).differs == ()


def test_the_report_is_dated_signed_and_names_nobody(play: Both) -> None:
    subscriber(play, "ada@example.com")
    play.leaves("ada@example.com")
    done = flow.run_consent_audit(play.db, play.context, repair=False, signed_by="A. Officer")
    page = consent_report.consent_report_html(done)
    assert "Signed off: <b>A. Officer</b>" in page
    assert done.digest in page
    assert "ada@" not in page + consent_report.consent_report_csv(done) + str(consent_report.consent_report_json(done))
    kept = flow.last_audit(play.db, "acme")
    assert kept == done
    assert flow.findings_digest(kept) == done.digest


def test_the_sheet_has_a_row_for_each_difference(play: Both) -> None:
    who = subscriber(play)
    play.leaves("ada@example.com")
    done = audit(play, repair=False)
    rows = list(csv.DictReader(io.StringIO(consent_report.consent_report_csv(done))))
    assert [(row["customer_id"], row["sort"]) for row in rows] == [(str(who.id), "silenced")]


def away(play: Both, n: int = 3) -> list[Customer]:
    """Subscribers who unsubscribe in the shop, of which no webhook tells."""
    found = [subscriber(play, f"gone{i}@example.com") for i in range(n)]
    for who in found:
        play.says(who, "UNSUBSCRIBED", is_told=False)
    return found


def test_the_shop_is_read_and_not_remembered(play: Both) -> None:
    """Webhooks are lost and nobody polls: the audit finds it all the same."""
    subscriber(play, "stays@example.com")
    gone = away(play)
    play.pass_time(300)
    done = audit(play, repair=False)
    assert {one.customer_id for one in done.found} == {who.id for who in gone}
    assert {(one.sort, one.shop, one.platform, one.is_missed) for one in done.found} == {
        (DifferenceKind.AGAINST, "UNSUBSCRIBED", "opted in", True)
    }
    assert verdict_outcome(done.basis).exit_code == 1  # type: ignore[arg-type]
    assert consent_report.consent_verdict(done) == "Of 4 people compared, 3 differ; 3 of those who differ have no case."


def test_what_the_shop_never_told_is_mended_and_still_found(play: Both) -> None:
    gone = away(play)
    play.pass_time(300)
    assert len(audit(play).found) == len(gone)
    play.rest()
    assert {play.mailable(who.email or "") for who in gone} == {OUT}
    assert audit(play).found == ()


def test_what_is_younger_than_the_grace_is_looked_at_again_before_the_end(play: Both) -> None:
    """A webhook that is only late is no difference; one that never comes is."""
    late = subscriber(play, "late@example.com")
    lost = subscriber(play, "lost@example.com")
    events = people.email_consent(
        play.world, play.uk, late, EmailConsent("UNSUBSCRIBED", "SINGLE_OPT_IN", play.now), play.now
    )
    play.says(lost, "UNSUBSCRIBED", is_told=False)
    waited = []

    def meanwhile(step: RunProgress) -> None:
        if step.name != "looking again":
            return
        if not waited:
            waited.append(step.total)
            with play.world.lock:
                play.sims.deliveries.take(events)  # here it comes
            play.sims.deliver(play.post)
        play.work()

    began = play.now
    done = audit(play, tell=meanwhile)
    assert waited == [2]
    assert {one.customer_id for one in done.found} == {lost.id}
    assert done.at - began > play.context.pace.drift_grace


def test_a_shop_that_cannot_be_read_is_not_judged(play: Both) -> None:
    subscriber(play)
    play.sims.faults.set({"shopify.error": 1.0})
    done = audit(play, repair=False)
    assert done.unread
    assert (done.n_people, done.n_both) == (0, 0)
    end = verdict_outcome(done.basis)  # type: ignore[arg-type]
    assert (end.is_green, end.exit_code) == (False, 1)
    assert "could not look" in consent_report.consent_verdict(done)


def test_a_customer_whom_the_platform_lacks_and_the_shop_may_write_to_is_found(play: Both) -> None:
    """No webhook told of them, so they never went out."""
    who = play.person("new@example.com", "SUBSCRIBED", is_told=False)
    play.pass_time(600)
    done = audit(play)
    assert [(one.sort, one.customer_id, one.platform) for one in done.found] == [
        (DifferenceKind.SILENCED, who.id, "not there")
    ]
    play.rest()
    assert audit(play).found == ()


def test_the_people_of_a_store_that_left_are_not_judged(play: Both) -> None:
    other = play.person("ada@example.com", "SUBSCRIBED", store=play.sims.store("int"))
    play.rest()
    play.context = msgspec.structs.replace(play.context, shops={"uk": play.context.shops["uk"]})
    done = audit(play)
    assert other.id not in {one.customer_id for one in done.differs}
    (left,) = [one for one in done.basis.not_judged if "int" in one.what]  # type: ignore[union-attr]
    assert (left.reason, left.n or 0) >= (NotJudgedReason.NOT_COMPARED, 1)
    assert not verdict_outcome(done.basis).is_green  # type: ignore[arg-type]


def test_nobody_is_called_agreed_whose_word_in_a_store_that_left_is_not_heard(play: Both) -> None:
    """One person, one consent: what they say in the other shop counts, and nobody tells us of it."""
    who = subscriber(play)
    other = play.person("ada@example.com", "SUBSCRIBED", store=play.sims.store("int"))
    ben = subscriber(play, "ben@example.com")
    play.rest()
    play.context = msgspec.structs.replace(play.context, shops={"uk": play.context.shops["uk"]})
    done = audit(play, repair=False)
    assert (done.n_both, done.n_people, done.differs) == (1, 1, ())
    assert {one.customer_id for one in done.unjudged} == {who.id, other.id} - {ben.id}


def test_what_is_heard_too_long_ago_and_not_sent_is_waiting(play: Both) -> None:
    who = subscriber(play)
    play.says(who, "UNSUBSCRIBED")
    play.hear()
    play.pass_time(300)  # nobody pushes
    done = audit(play, repair=False)
    assert [one.sort for one in done.differs] == [DifferenceKind.WAITING]
    assert [(one.reason, one.n) for one in done.basis.not_judged] == [(NotJudgedReason.WAITING, 1)]  # type: ignore[union-attr]
    assert verdict_outcome(done.basis).exit_code == 1  # type: ignore[arg-type]


def test_a_case_of_a_change_that_no_webhook_told_explains_a_difference(play: Both) -> None:
    who = subscriber(play)
    play.pass_time(600)
    no = EmailConsent("UNSUBSCRIBED", who.email_consent.opt_in_level, play.now)
    play.do(people.email_consent(play.world, play.uk, who, no, play.now), is_told=False)
    with play.db.transaction() as tx:
        cases.open_or_count(
            tx, "acme", [cases.Touch("integration.missed_change", f"customer:{who.id}", "uk")], play.now
        )
    play.pass_time(600)
    done = audit(play, repair=False)
    assert [(one.customer_id, one.case) for one in done.found] == [(who.id, "integration.missed_change")]
    assert done.unexplained == ()


def test_a_customer_who_is_gone_and_of_whom_nobody_told_is_found(play: Both) -> None:
    who = subscriber(play)
    events = people.leave(play.uk, who)
    play.pass_time(600)
    done = audit(play)
    assert [(one.sort, one.customer_id, one.shop, one.is_missed) for one in done.found] == [
        (DifferenceKind.UNPROVEN, who.id, "gone", True)
    ]
    play.do(events)  # the webhook at last
    play.rest()
    assert play.mailable("ada@example.com") == OUT
    assert audit(play).found == ()


NUMBER = "+447911123456"


def texted(play: Both, email: str | None = None, *, is_told: bool = True) -> Customer:
    """Somebody who may be written to by text message alone."""
    consent = SmsConsent("SUBSCRIBED", "SINGLE_OPT_IN", play.now)
    who = play.person(email, phone=NUMBER, sms_consent=consent, email_consent=EmailConsent(), is_told=is_told)
    if is_told:
        play.rest()
    return who


def uploads_an_opt_out(play: Both) -> None:
    """Somebody uploads a list that opts the only person out of text messages over there."""
    account = play.sims.ometria.account
    ((own,),) = ((row["id"],) for row in play.rows("SELECT id FROM profile"))
    centre.say_elsewhere(
        account, centre.find(account, profile_id=own), play.sim_clock.now(), "csv", is_in=False, channel="sms"
    )


@pytest.mark.parametrize("email", ["ada@example.com", None])
def test_who_may_be_written_to_by_text_message_alone_is_compared(play: Both, email: str | None) -> None:
    who = texted(play, email)
    done = audit(play)
    assert (done.n_people, done.n_both, done.n_unseen, done.differs) == (1, 1, 0, ())
    uploads_an_opt_out(play)
    done = audit(play, repair=False)
    assert [(one.customer_id, one.channel, one.sort) for one in done.differs] == [
        (who.id, "sms", DifferenceKind.SILENCED)
    ]


@pytest.mark.parametrize("email", ["ada@example.com", None])
def test_who_may_be_written_to_by_text_message_and_is_not_there_is_found(play: Both, email: str | None) -> None:
    who = texted(play, email, is_told=False)
    play.pass_time(600)
    done = audit(play)
    assert done.n_unseen == 0
    assert [(one.customer_id, one.channel, one.platform) for one in done.differs] == [(who.id, "sms", "not there")]
    assert done.basis is not None
    assert verdict_outcome(done.basis).exit_code == 1


def test_a_number_that_the_shop_emptied_untold_and_may_still_be_written_to_is_found(play: Both) -> None:
    who = texted(play, "ada@example.com")
    play.pass_time(600)
    play.do(people.change_address(play.world, play.uk, who, who.email, None, play.now), is_told=False)
    play.pass_time(600)
    done = audit(play)
    found = [(one.customer_id, one.channel, one.sort, one.is_missed) for one in done.found]
    assert found == [(who.id, "sms", DifferenceKind.UNPROVEN, True)]
    play.rest()
    play.pass_time(600)
    settled = audit(play)
    assert (settled.found, settled.unjudged) == ((), ())


def test_a_number_of_another_shops_customer_is_nobodys_difference(play: Both) -> None:
    """One profile of two customers: the one without a number is written to by the other's."""
    texted(play, "ada@example.com")
    play.person("ada@example.com", "SUBSCRIBED", store=play.sims.store("int"))
    play.rest()
    play.pass_time(600)
    done = audit(play)
    assert (done.differs, done.unjudged) == ((), ())


def test_who_was_not_judged_is_named_by_their_ids(play: Both, capsys: pytest.CaptureFixture[str]) -> None:
    who = subscriber(play)
    play.sims.faults.set({"shopify.error": 1.0})
    done = audit(play, repair=False)
    play.sims.faults.set({"shopify.error": 0.0})
    (left,) = done.unjudged
    assert (left.store, left.customer_id, left.reason) == ("uk", who.id, "could not look")
    named = {"store": "uk", "customer_id": who.id, "reason": "could not look"}
    assert list(consent_report.consent_report_json(done)["unjudged"]) == [named]
    assert flow.last_audit(play.db, "acme") == done
    consent._show(done, None)
    assert str(who.id) not in capsys.readouterr().out
    consent._show(done, None, is_long=True)
    said = capsys.readouterr().out
    assert f"uk {who.id}" in said
    assert "ada@" not in said


def test_a_run_judges_nobody_whose_word_by_text_message_is_not_settled(play: Both) -> None:
    texted(play, "ada@example.com")
    play.pass_time(600)
    before = play.reconcile(repair=False).basis
    assert before is not None
    assert verdict_outcome(before).is_green
    uploads_an_opt_out(play)
    play.pass_time(1)
    done = play.reconcile(repair=False).basis
    assert done is not None
    assert [(one.reason, one.n) for one in done.not_judged] == [(NotJudgedReason.CONSENT, 1)]
    assert verdict_outcome(done).exit_code == 1


@pytest.mark.parametrize("email", [None, "moved@example.com"])
def test_an_address_that_was_left_untold_and_nobody_has_is_found(play: Both, email: str | None) -> None:
    who = subscriber(play, "old@example.com")
    play.pass_time(600)
    play.do(people.change_address(play.world, play.uk, who, email, None, play.now), is_told=False)
    play.pass_time(600)
    done = audit(play, repair=False)
    assert play.mailable("old@example.com") == IN
    assert [(one.customer_id, one.is_missed) for one in done.found] == [(who.id, True)]
    assert done.basis is not None
    assert (done.basis.n_compared, done.basis.n_not_judged) == (1, 0)


def test_an_address_that_was_emptied_or_moved_untold_is_not_called_agreed_whoever_has_it_now(play: Both) -> None:
    """Ometria goes on writing to it because of the contact that it was sent with."""
    for n, email in enumerate((None, "moved@example.com")):
        old = f"old{n}@example.com"
        who = subscriber(play, old)
        other = play.person(old, "NOT_SUBSCRIBED", store=play.sims.store("int"))
        play.rest()
        play.pass_time(600)
        play.do(people.change_address(play.world, play.uk, who, email, None, play.now), is_told=False)
        play.pass_time(600)
        done = audit(play, repair=False)
        assert play.mailable(old) == IN
        # The other shop's customer has the address, and said nothing themselves.
        assert [(one.sort, one.customer_id) for one in done.found] == [(DifferenceKind.UNPROVEN, other.id)]
        # Without repair nobody is read who may be in Ometria since; that leaves the address that they have now.
        assert done.n_both == 0
        assert [one.customer_id for one in done.unjudged] == ([] if email is None else [who.id])
        audit(play)
        play.rest()
        play.pass_time(600)
        assert all(one["marketing_optin"] != IN for one in play.context.platform.profiles(email=old))
        assert audit(play).basis.n_not_judged == 0


@pytest.mark.parametrize("how", ["deleted", "unsubscribed"])
def test_what_was_not_heard_of_one_customer_counts_for_everybody_of_their_address(play: Both, how: str) -> None:
    """Another shop's customer seems mailable on both sides only by what was heard of the first one."""
    who = subscriber(play)
    other = play.person("ada@example.com", "NOT_SUBSCRIBED", store=play.sims.store("int"))
    play.rest()
    play.pass_time(600)
    agreed = audit(play, repair=False)
    assert (agreed.n_both, agreed.basis.n_not_judged) == (2, 0)
    if how == "deleted":
        play.do(people.leave(play.uk, who), is_told=False)
    else:
        play.says(who, "UNSUBSCRIBED", is_told=False)
    play.pass_time(600)
    done = audit(play, repair=False)
    assert (done.n_both, done.n_neither) == (0, 0)
    sort = {"deleted": DifferenceKind.UNPROVEN, "unsubscribed": DifferenceKind.AGAINST}[how]
    expected = [(sort, other.id)] + ([(sort, who.id)] if how == "unsubscribed" else [])
    assert sorted((one.sort, one.customer_id) for one in done.found) == sorted(expected)
    assert done.unjudged == ()
    audit(play)
    play.rest()
    play.pass_time(600)
    play.rest()  # who seems gone is judged once the grace period is over
    assert play.mailable("ada@example.com") != IN
    settled = audit(play)
    assert (settled.basis.n_not_judged, settled.basis.n_differ) == (0, 0)
