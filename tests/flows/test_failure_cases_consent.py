"""Failures that others had with consent and privacy, by their numbers in docs/reference/failure-cases.md."""

from datetime import timedelta

import msgspec
import pytest

from isthmus.db.pool import Database
from isthmus.flows.replay import Selection, replay_selection
from isthmus.model.event import EventState
from plays import Play
from sims.shopify.deeds import people, placing, privacy
from sims.shopify.state import EmailConsent


@pytest.fixture
def play(database: Database) -> Play:
    return Play(database)


def load_again(play: Play) -> None:
    play.load_history()
    play.come_to_rest()


def test_f01_a_resync_brings_nobody_back_who_opted_out(play: Play) -> None:
    """F01: one opted out and the shop's flag was never told of; loading everything again opts nobody in."""
    who = play.person("ada@example.com", "SUBSCRIBED")
    play.come_to_rest()
    play.says(who, "UNSUBSCRIBED")
    play.come_to_rest()
    assert play.contact(who)["marketing_optin"] == "EXPLICITLY_OPTEDOUT"
    who.email_consent = EmailConsent("SUBSCRIBED", "SINGLE_OPT_IN", play.now - timedelta(days=3))  # a lost write
    play.world.touch(play.uk, who, play.now)
    mark = play.mark()
    load_again(play)
    assert play.contact(who)["marketing_optin"] == "EXPLICITLY_OPTEDOUT"
    assert {c["marketing_optin"] for c in play.pushed("contact", mark)} <= {"EXPLICITLY_OPTEDOUT"}
    ledger = {row["rule"] for row in play.rows("SELECT rule FROM consent_claim")}
    assert "later_opt_out" in ledger  # both statements are there, with their times


def test_f02_whatever_event_comes_an_opt_out_is_sent_as_one(play: Play) -> None:
    """F02: no topic maps consent to a default."""
    who = play.person("ada@example.com", "UNSUBSCRIBED")
    play.do(people.rename(play.world, play.uk, who, "Ada", "King", play.now))
    play.orders(who, buyer_accepts_marketing=True)
    play.do(people.tag(play.world, play.uk, who, ["vip"], play.now))
    play.come_to_rest()
    said = {c["marketing_optin"] for c in play.pushed("contact")}
    assert said == {"EXPLICITLY_OPTEDOUT"}
    assert all("marketing_optin" not in order.get("customer", {}) for order in play.pushed("order"))


@pytest.mark.parametrize("state", ["NOT_SUBSCRIBED", "PENDING"])
def test_f03_who_never_agreed_is_not_opted_in(play: Play, state: str) -> None:
    """F03: neither is a subscription."""
    who = play.person("ada@example.com", state)
    play.come_to_rest()
    assert {c["marketing_optin"] for c in play.pushed("contact") if c["id"] == f"uk:{who.id}"} == {"NOT_SPECIFIED"}


def test_f03_a_state_nobody_knows_is_a_case_and_sends_nothing(play: Play) -> None:
    """F03: an unknown state is an exception, never an opt-in."""
    who = play.person("ada@example.com", "SUBSCRIBED")
    play.come_to_rest()
    mark = play.mark()
    body = {
        "customer_id": who.id,
        "email_address": "ada@example.com",
        "email_marketing_consent": {"state": "delighted", "consent_updated_at": f"{play.now:%Y-%m-%dT%H:%M:%SZ}"},
    }
    play.pass_time(5)
    body["email_marketing_consent"]["consent_updated_at"] = f"{play.now:%Y-%m-%dT%H:%M:%SZ}"  # type: ignore[index]
    play.tell("customers_email_marketing_consent/update", body, webhook_id="w")
    play.hear()
    (case,) = play.cases("storefront.consent_unknown_state")
    assert (case["subject"], case["detail"]) == (f"customer:{who.id}", "DELIGHTED")
    play.push()
    assert play.pushed("contact", mark) == []


def test_f04_the_level_of_an_opt_in_is_evidence_and_decides_nothing(play: Play) -> None:
    """F04: only the state decides."""
    who = play.person("ada@example.com", email_consent=EmailConsent("PENDING", "CONFIRMED_OPT_IN", play.now))
    play.come_to_rest()
    assert play.contact(who)["marketing_optin"] == "NOT_SPECIFIED"
    assert "CONFIRMED_OPT_IN" in {row["level"] for row in play.rows("SELECT level FROM consent_claim")}


def test_f07_force_is_never_used_for_an_opt_in_of_its_own(play: Play) -> None:
    """F07: by default nothing is forced at all."""
    who = play.person("ada@example.com", "SUBSCRIBED")
    play.says(who, "UNSUBSCRIBED")
    play.come_to_rest()
    play.says(who, "SUBSCRIBED")
    play.come_to_rest()
    assert len(play.pushed("contact")) >= 2
    assert [c for c in play.pushed("contact") if "@force_optin" in c] == []


def test_f11_history_welcomes_nobody_and_opts_nobody_in(play: Play) -> None:
    """F11: who never agreed is not opted in; who did agreed before, and gets no welcome."""
    before = play.now - timedelta(days=400)
    asked = play.person("a@example.com", is_told=False)
    agreed = play.person("b@example.com", email_consent=EmailConsent("SUBSCRIBED", "X", before), is_told=False)
    play.orders(asked, is_told=False, at=before)
    load_again(play)
    assert play.contact(asked)["marketing_optin"] == "NOT_SPECIFIED"
    assert play.contact(agreed)["marketing_optin"] == "EXPLICITLY_OPTEDIN"
    assert [c for c in play.pushed("contact") if c.get("timestamp_subscribed")] == []
    assert play.pushed("custom_event") == []


def test_f12_a_fresh_opt_in_carries_its_time_on_the_same_record(play: Play) -> None:
    """F12: without it there is no welcome."""
    play.pass_time(60)
    who = play.person("ada@example.com", "SUBSCRIBED")
    play.come_to_rest()
    sent = [c for c in play.pushed("contact") if c["marketing_optin"] == "EXPLICITLY_OPTEDIN"]
    assert sent
    assert all(c["id"] == f"uk:{who.id}" and c["timestamp_subscribed"] for c in sent)


@pytest.mark.parametrize("is_order_first", [True, False])
def test_f13_order_and_consent_end_alike_in_either_order(play: Play, *, is_order_first: bool) -> None:
    """F13: a profile that an order made is not left without the preferences that are known."""
    who = play.person("ada@example.com")
    if is_order_first:
        play.orders(who)
        play.come_to_rest()
        play.says(who, "SUBSCRIBED")
    else:
        play.says(who, "SUBSCRIBED")
        play.come_to_rest()
        play.orders(who)
    play.come_to_rest()
    assert play.contact(who)["marketing_optin"] == "EXPLICITLY_OPTEDIN"
    assert play.contact(who)["timestamp_subscribed"]
    assert play.compare().differences == ()


def test_f17_a_redaction_is_a_duty_with_a_date_whatever_happens_to_its_person(play: Play) -> None:
    """F17: acting on it comes later, losing it never."""
    who = play.person("ada@example.com", "SUBSCRIBED")
    play.come_to_rest()
    play.do(privacy.anonymise(play.world, play.uk, who, play.now))
    play.come_to_rest()
    (duty,) = play.cases("privacy.redact_customer")
    assert duty["subject"] == f"customer:{who.id}"
    assert duty["due_on"] is not None
    assert duty["severity"] == "urgent" or duty["owner"]
    assert play.contact(who)["marketing_optin"] == "EXPLICITLY_OPTEDOUT"
    load_again(play)
    assert play.cases("privacy.redact_customer") == [duty]
    assert "ada@example.com" not in str(duty)


def test_f17_nothing_brings_a_deleted_person_back(play: Play) -> None:
    """F17: a late delivery, a replay of everything and a backfill meet the tombstone."""
    who = play.person("ada@example.com", "SUBSCRIBED")
    play.come_to_rest()
    known = play.rows("SELECT id FROM event WHERE topic = 'customers/create'")
    play.do(people.leave(play.uk, who))
    play.come_to_rest()
    assert play.contact(who)["marketing_optin"] == "EXPLICITLY_OPTEDOUT"
    mark = play.mark()
    at = f"{play.now + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    late = {"id": who.id, "email": "ada@example.com", "created_at": at, "updated_at": at}
    play.tell("customers/update", late, webhook_id="late")
    chosen = Selection(events=tuple(row["id"] for row in known), states=(EventState.APPLIED, EventState.STALE))
    assert replay_selection(play.db, play.context, chosen).n_events == len(known)
    load_again(play)
    assert play.pushed("contact", mark) == []
    assert [row["body"] for row in play.rows("SELECT body FROM record WHERE kind = 'customer'")] == [None]


def test_f17_nothing_brings_a_deleted_order_back(play: Play) -> None:
    """F17: the same for what somebody bought."""
    placed = play.orders(play.person())
    play.come_to_rest()
    play.do(placing.erase(play.uk, placed))
    play.come_to_rest()
    assert play.order(placed)["status"] == "cancelled"
    mark = play.mark()
    play.tell("orders/updated", {"id": placed.id}, webhook_id="nonsense")
    old = play.rows("SELECT id FROM event WHERE topic = 'orders/create'")
    replay_selection(
        play.db,
        play.context,
        Selection(events=tuple(row["id"] for row in old), states=(EventState.APPLIED, EventState.STALE)),
    )
    load_again(play)
    assert play.pushed("order", mark) == []


def test_f20_a_changed_address_takes_its_own_consent_along(play: Play) -> None:
    """F20: the new address has A's consent, and nobody is left at the old one."""
    who = play.person("old@example.com", "UNSUBSCRIBED")
    play.orders(email="new@example.com")  # a guest's profile owns the new address already
    play.come_to_rest()
    play.do(people.change_address(play.world, play.uk, who, "new@example.com", None, play.now))
    play.come_to_rest()
    found = play.contact(who)
    assert (found["email"], found["marketing_optin"]) == ("new@example.com", "EXPLICITLY_OPTEDOUT")
    assert "old@example.com" not in msgspec.json.encode(found).decode()
    assert play.compare().differences == ()


def test_f20_an_opt_in_never_moves_onto_an_address_that_is_opted_out(play: Play) -> None:
    """F20: somebody else opted that address out."""
    out = play.person("new@example.com", "UNSUBSCRIBED", store=play.sims.store("int"))
    who = play.person("old@example.com", "SUBSCRIBED")
    play.come_to_rest()
    play.do(people.change_address(play.world, play.uk, who, "new@example.com", None, play.now))
    play.come_to_rest()
    assert play.contact(out, "int:")["marketing_optin"] == "EXPLICITLY_OPTEDOUT"
    assert play.desired("contact", f"uk:{who.id}")["email"] == "new@example.com"
    # Unforced, the opt-in cannot lift the other listing's opt-out: the person stays silent.
    assert "@force_optin" not in play.desired("contact", f"uk:{who.id}")
    assert play.mailable("new@example.com") == "EXPLICITLY_OPTEDOUT"
