"""Customers who are gone, who have no address any more, or whose erasure is asked for: nobody is written to because of
them, and nobody is silenced because of them."""

from typing import Any

import pytest

from isthmus.db.pool import Database
from isthmus.flows import identifiers
from sims.shopify.deeds import people, privacy
from sims.shopify.state import Customer, EmailConsent, SmsConsent
from talking import IN, OUT, Both, subscriber

PHONE = "+447911123456"
SILENT = "NOT_SPECIFIED"


@pytest.fixture
def play(database: Database) -> Both:
    return Both(database)


def empties(play: Both, who: Customer, *, phone: str | None = None, is_told: bool = True) -> None:
    """Somebody's email is emptied in the shop."""
    play.do(people.change_address(play.world, play.uk, who, None, phone, play.now), is_told=is_told)


def sent(play: Both, who: Customer, since: int = 0) -> list[dict[str, Any]]:
    return [one for one in play.pushed("contact", since) if one["id"] == f"uk:{who.id}"]


def said(play: Both) -> set[tuple[str, str]]:
    """What the ledger holds of opt-outs."""
    rows = play.rows("SELECT state, source FROM consent_claim WHERE state IN ('UNSUBSCRIBED', 'REDACTED')")
    return {(row["state"], row["source"]) for row in rows}


def test_an_emptied_address_is_opted_out_with_the_address_it_was_sent_with(play: Both) -> None:
    who = subscriber(play)
    mark = play.mark()
    empties(play, who)
    play.rest()
    first = sent(play, who, mark)[0]
    assert (first["email"], first["marketing_optin"]) == ("ada@example.com", OUT)
    assert "timestamp_unsubscribed" not in first  # nobody stated anything
    assert play.mailable("ada@example.com") == OUT


def test_an_emptied_address_that_only_a_reading_finds_is_opted_out_in_the_urgent_lane(play: Both) -> None:
    who = subscriber(play)
    empties(play, who, is_told=False)
    play.pass_time(600)
    play.poll()
    play.hear()
    (row,) = play.rows("SELECT lane, state FROM outbox WHERE id = %s", f"uk:{who.id}")
    assert (row["lane"], row["state"]) == (0, "due")
    play.rest()
    assert play.mailable("ada@example.com") == OUT


def test_an_address_that_is_no_address_any_more_is_as_good_as_emptied(play: Both) -> None:
    who = subscriber(play)
    play.do(people.change_address(play.world, play.uk, who, "ada at example.com", None, play.now))
    play.rest()
    assert play.mailable("ada@example.com") == OUT


def test_a_retired_contact_stays_as_it_is_whatever_maps_it_again(play: Both) -> None:
    who = subscriber(play)
    empties(play, who)
    play.rest()
    mark = play.mark()
    play.do(people.rename(play.world, play.uk, who, "Ada", "King", play.now))
    play.load_history()
    play.rest()
    assert {(one["email"], one["marketing_optin"]) for one in sent(play, who, mark)} <= {("ada@example.com", OUT)}
    assert play.mailable("ada@example.com") == OUT


def test_retiring_is_no_statement_and_no_shop_hears_of_it(play: Both) -> None:
    who = subscriber(play)
    empties(play, who)
    play.rest()
    play.pass_time(120)
    play.rest()
    assert said(play) == set()
    assert play.rows("SELECT * FROM consent_write") == []


def test_nobody_is_silenced_by_the_contact_of_somebody_who_left_the_same_address(play: Both) -> None:
    who = subscriber(play)
    other = play.person("ada@example.com", "SUBSCRIBED", store=play.sims.store("int"))
    play.rest()
    empties(play, who)
    play.rest()
    assert sent(play, who)[-1]["marketing_optin"] == SILENT
    assert play.mailable("ada@example.com") == IN
    assert other.email_consent.state == "SUBSCRIBED"


@pytest.mark.parametrize("how", ["emptied", "deleted"])
def test_a_retired_opt_out_is_withdrawn_before_the_next_opt_in_of_its_address(play: Both, how: str) -> None:
    who = subscriber(play)
    if how == "emptied":
        empties(play, who)
    else:
        play.do(people.leave(play.uk, who))
    play.rest()
    assert play.mailable("ada@example.com") == OUT
    mark = play.mark()
    play.pass_time(60)
    other = play.person("ada@example.com", "SUBSCRIBED")
    play.rest()
    play.rest()
    order = [(one["id"], one["marketing_optin"]) for one in play.pushed("contact", mark)]
    withdrawn = order.index((f"uk:{who.id}", SILENT))
    assert withdrawn < order.index((f"uk:{other.id}", IN))
    assert play.mailable("ada@example.com") == IN
    assert said(play) == set()
    assert play.rows("SELECT code FROM cases WHERE state = 'open'") == []


def test_an_address_that_comes_back_says_what_the_shop_says(play: Both) -> None:
    who = subscriber(play)
    empties(play, who)
    play.rest()
    play.pass_time(60)
    play.do(people.change_address(play.world, play.uk, who, "ada@example.com", None, play.now))
    play.says(who, "UNSUBSCRIBED")
    play.says(who, "SUBSCRIBED")
    play.rest()
    assert play.mailable("ada@example.com") == IN
    assert play.rows("SELECT * FROM outbox WHERE is_retired") == []


def test_somebody_who_was_never_sent_is_not_sent_in_order_to_be_retired(play: Both) -> None:
    who = play.person("ada@example.com", "SUBSCRIBED")
    play.hear()
    empties(play, who)
    play.rest()
    assert sent(play, who) == []


def test_a_deleted_customer_is_retired_at_once_in_the_urgent_lane(play: Both) -> None:
    """What only a reading infers is judged first (flows/safety); what the shop states is not."""
    who = subscriber(play)
    play.do(people.leave(play.uk, who))
    play.hear()
    (row,) = play.rows("SELECT lane, state, is_retired FROM outbox WHERE id = %s", f"uk:{who.id}")
    assert (row["lane"], row["state"], row["is_retired"]) == (0, "due", True)


def test_an_erasure_that_is_asked_for_opts_out_at_once_and_before_any_reading(play: Both) -> None:
    who = subscriber(play)
    play.do(privacy.redact(play.uk, who))
    play.hear()
    play.pass_time(2)
    play.push()
    play.pass_time(5)
    assert play.mailable("ada@example.com") == OUT
    play.rest()
    assert play.mailable("ada@example.com") == OUT
    assert [one["subject"] for one in play.cases("privacy.redact_customer")] == [f"customer:{who.id}"]
    assert said(play) == set()


def test_an_erasure_of_somebody_whom_the_shop_reads_as_gone_opts_out(play: Both) -> None:
    who = subscriber(play)
    play.do(people.leave(play.uk, who), is_told=False)
    play.do(privacy.redact(play.uk, who))
    play.hear()
    play.pass_time(2)
    play.push()
    play.pass_time(5)
    assert play.mailable("ada@example.com") == OUT
    play.rest()
    assert play.mailable("ada@example.com") == OUT


def test_nothing_that_is_heard_late_makes_somebody_mailable_whose_erasure_was_asked_for(play: Both) -> None:
    who = subscriber(play)
    bodies: list[bytes] = []
    play.do(people.update(play.world, play.uk, who, play.now))
    play.sims.deliver(lambda _, __, body: bodies.append(body) or 200)  # type: ignore[func-returns-value]
    play.rest()
    play.do(privacy.redact(play.uk, who))
    play.rest()
    play.tell("customers/update", bodies[-1], webhook_id="late")
    play.rest()
    assert play.mailable("ada@example.com") == OUT
    play.load_history()
    play.do(people.rename(play.world, play.uk, who, "Ada", "King", play.now))
    play.orders(who)
    play.rest()
    assert play.mailable("ada@example.com") == OUT
    play.pass_time(600)
    play.reconcile()
    play.rest()
    assert play.mailable("ada@example.com") == OUT


def test_somebody_who_subscribes_after_an_erasure_was_asked_for_is_taken_at_their_word(play: Both) -> None:
    who = subscriber(play)
    play.do(privacy.redact(play.uk, who))
    play.rest()
    play.says(who, "UNSUBSCRIBED")
    play.rest()
    assert play.mailable("ada@example.com") == OUT
    play.says(who, "SUBSCRIBED")
    play.rest()
    assert play.mailable("ada@example.com") == IN


def texted(play: Both, email: str = "ada@example.com") -> Customer:
    """Somebody who is opted in by text message on both sides."""
    consent = SmsConsent("SUBSCRIBED", "SINGLE_OPT_IN", play.now)
    who = play.person(email, phone=PHONE, sms_consent=consent, email_consent=EmailConsent())
    play.rest()
    assert sms(play) is True
    return who


def sms(play: Both, email: str = "ada@example.com") -> Any:
    (profile,) = play.context.platform.profiles(email=email)
    return profile.get("channels", {}).get("sms", {}).get("allow_marketing", profile)


@pytest.mark.parametrize("phone", [PHONE, "+447911123457"])
def test_who_was_opted_in_by_text_message_and_is_no_more_is_opted_out(play: Both, phone: str) -> None:
    who = texted(play)
    play.pass_time(60)
    if phone != who.phone:
        play.do(people.change_address(play.world, play.uk, who, who.email, phone, play.now))
    who.sms_consent = SmsConsent("NOT_SUBSCRIBED", None, None)
    play.do(people.update(play.world, play.uk, who, play.now))
    play.pass_time(600)
    play.poll()
    play.rest()
    last = sent(play, who)[-1]
    assert last["phone_number"] == phone
    assert last["channels"]["sms"]["allow_marketing"] is False


OTHER = "+447911123457"


def loses_number(play: Both, who: Customer, phone: str | None = None, *, is_told: bool = True) -> None:
    """Somebody's number is emptied, or changed, in the shop; the email stays."""
    play.pass_time(60)
    play.do(people.change_address(play.world, play.uk, who, who.email, phone, play.now), is_told=is_told)


def out_by_text(record: dict[str, Any]) -> tuple[str, bool]:
    return record["phone_number"], record["channels"]["sms"]["allow_marketing"]


@pytest.mark.parametrize("is_told", [True, False])
def test_a_number_that_is_emptied_is_opted_out_by_text_message_at_once_and_stays_so(play: Both, is_told: bool) -> None:
    who = texted(play)
    mark = play.mark()
    loses_number(play, who, is_told=is_told)
    if not is_told:
        play.pass_time(600)
        play.poll()
    play.hear()
    (row,) = play.rows("SELECT lane, state FROM outbox WHERE kind = 'contact' AND id = %s", f"uk:{who.id}")
    assert (row["lane"], row["state"]) == (0, "due")
    play.rest()
    first = sent(play, who, mark)[0]
    assert out_by_text(first) == (PHONE, False)
    assert "dt_updated_marketing" not in first["channels"]["sms"]  # nobody stated anything
    assert first["email"] == "ada@example.com"
    assert sms(play) is False
    assert said(play) == set()
    assert play.rows("SELECT * FROM consent_write") == []
    play.do(people.rename(play.world, play.uk, who, "Ada", "King", play.now))
    play.load_history()
    play.rest()
    assert {out_by_text(one) for one in sent(play, who, mark)} == {(PHONE, False)}
    assert play.reconcile(repair=False).n_findings == 0
    # A number of theirs again, and their word for it.
    loses_number(play, who, OTHER)
    play.do(people.sms_consent(play.world, play.uk, who, SmsConsent("SUBSCRIBED", "SINGLE_OPT_IN", play.now), play.now))
    play.rest()
    assert out_by_text(sent(play, who)[-1]) == (OTHER, True)
    assert sms(play) is True


def test_a_number_that_is_changed_takes_the_persons_word_along_and_leaves_none_behind(play: Both) -> None:
    who = texted(play)
    loses_number(play, who, OTHER)
    play.rest()
    assert out_by_text(sent(play, who)[-1]) == (OTHER, True)
    assert {row.record.get("phone_number") for row in play.sims.ometria.account.contacts()} == {OTHER}
    loses_number(play, who, None)
    play.rest()
    assert out_by_text(sent(play, who)[-1]) == (OTHER, False)
    assert sms(play) is False


def test_a_shop_that_reads_never_subscribed_is_sent_as_opted_out_by_text_message_at_once(play: Both) -> None:
    who = texted(play)
    play.pass_time(60)
    who.sms_consent = SmsConsent("NOT_SUBSCRIBED", None, None)  # read as NEVER_SUBSCRIBED
    play.do(people.update(play.world, play.uk, who, play.now), is_told=False)
    play.pass_time(600)
    play.poll()
    play.hear()
    (row,) = play.rows("SELECT lane, state FROM outbox WHERE kind = 'contact' AND id = %s", f"uk:{who.id}")
    assert (row["lane"], row["state"]) == (0, "due")
    play.rest()
    assert out_by_text(sent(play, who)[-1]) == (PHONE, False)
    assert sms(play) is False


def test_nobody_is_silenced_by_a_number_that_somebody_else_has_now(play: Both) -> None:
    who = texted(play)
    loses_number(play, who)
    play.rest()
    assert sms(play) is False
    play.pass_time(60)
    consent = SmsConsent("SUBSCRIBED", "SINGLE_OPT_IN", play.now)
    other = play.person("ben@example.com", phone=PHONE, sms_consent=consent, email_consent=EmailConsent())
    play.rest()
    play.pass_time(120)
    identifiers.remap_resolved_conflicts(play.db, play.context)
    play.rest()
    assert sent(play, who)[-1]["phone_number"] is None
    assert "channels" not in sent(play, who)[-1]
    assert out_by_text(sent(play, other)[-1]) == (PHONE, True)
    assert sms(play, "ben@example.com") is True
    assert play.rows("SELECT code FROM cases WHERE state = 'open'") == []


def test_an_emptied_number_of_somebody_who_was_never_opted_in_by_text_message_is_only_cleared(play: Both) -> None:
    who = play.person("ada@example.com", phone=PHONE, email_consent=EmailConsent())
    play.rest()
    loses_number(play, who)
    play.rest()
    assert sent(play, who)[-1]["phone_number"] is None
    assert "channels" not in sent(play, who)[-1]


@pytest.mark.parametrize("how", ["deleted", "emptied"])
def test_a_number_that_nobody_has_is_opted_out_though_somebody_has_the_email(play: Both, how: str) -> None:
    who = texted(play)
    play.person("ada@example.com", "SUBSCRIBED", store=play.sims.store("int"))  # without a number
    play.rest()
    if how == "deleted":
        play.do(people.leave(play.uk, who))
    else:
        play.do(people.change_address(play.world, play.uk, who, None, None, play.now))
    play.rest()
    last = [one for one in play.pushed("contact") if one["id"] == f"uk:{who.id}"][-1]
    assert last.get("channels") == {"sms": {"allow_marketing": False}}, last
