"""Calls of an Ometria automation's webhook node: what they may say, and what becomes of what they may not."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from isthmus.db.pool import Database
from isthmus.inbox.sql import events as inbox
from isthmus.model.event import Delivery
from isthmus.model.lane import Lane
from talking import IN, OUT, Both, subscriber


@pytest.fixture
def play(database: Database) -> Both:
    return Both(database)


def call(play: Both, body: Any, n: int = 1) -> None:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    with play.db.transaction() as tx:
        inbox.insert_deliveries(tx, [Delivery("acme", "", "ometria/hook", Lane.REALTIME, f"call-{n}", raw)], play.now)


def test_a_call_that_somebody_left_opts_them_out_on_both_sides(play: Both) -> None:
    who = subscriber(play)
    call(play, {"event": "unsubscribe", "email": "Ada@Example.com", "timestamp": f"{play.now:%Y-%m-%dT%H:%M:%SZ}"})
    play.rest()
    assert who.email_consent.state == "UNSUBSCRIBED"
    assert play.contact(who)["marketing_optin"] == OUT
    assert play.rows("SELECT state FROM event WHERE topic = 'ometria/hook'") == [{"state": "applied"}]


def test_a_call_with_a_time_proves_an_opt_in_and_reaches_the_shop(play: Both) -> None:
    who = play.person("ada@example.com", "UNSUBSCRIBED")
    play.rest()
    play.pass_time(60)
    call(play, {"event": "subscribe", "email": "ada@example.com", "timestamp": f"{play.now:%Y-%m-%dT%H:%M:%SZ}"})
    play.rest()
    assert who.email_consent.state == "SUBSCRIBED"
    assert play.contact(who)["marketing_optin"] == IN
    assert "timestamp_subscribed" not in play.desired("contact", f"uk:{who.id}")  # nobody is welcomed by our echo


def test_a_call_without_a_time_is_no_proof(play: Both) -> None:
    who = play.person("ada@example.com", "UNSUBSCRIBED")
    play.rest()
    call(play, {"event": "subscribe", "email": "ada@example.com"})
    play.rest()
    assert who.email_consent.state == "UNSUBSCRIBED"
    assert play.contact(who)["marketing_optin"] == OUT


def test_a_call_older_than_the_opt_out_changes_nothing(play: Both) -> None:
    who = subscriber(play)
    before = play.now
    play.pass_time(60)
    play.says(who, "UNSUBSCRIBED")
    play.rest()
    call(play, {"event": "subscribe", "email": "ada@example.com", "timestamp": before.isoformat()})
    play.rest()
    assert who.email_consent.state == "UNSUBSCRIBED"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "the body is no JSON"),
        (b"[]", "the body is no object"),
        ({"event": "hello", "email": "a@b.example"}, "event"),
        ({"event": "unsubscribe"}, "email"),
        ({"event": "unsubscribe", "email": "nobody"}, "email"),
        ({"event": "unsubscribe", "channel": "sms", "email": "a@b.example"}, "phone"),
        ({"event": "unsubscribe", "channel": "pigeon", "email": "a@b.example"}, "channel"),
        ({"event": "subscribe", "email": "a@b.example", "timestamp": "yesterday"}, "timestamp"),
        ({"event": "subscribe", "email": "a@b.example", "timestamp": "2999-01-01T00:00:00Z"}, "timestamp"),
    ],
)
def test_a_call_that_cannot_be_understood_is_kept_and_a_case_that_names_the_field(
    play: Both, body: Any, field: str
) -> None:
    call(play, body)
    play.hear()
    (case,) = play.cases("consent.unreadable_call")
    assert field in case["detail"]
    assert "a@b.example" not in case["detail"]
    assert play.rows("SELECT state FROM event WHERE topic = 'ometria/hook'") == [{"state": "buried"}]
    assert play.rows("SELECT * FROM consent_claim") == []


def test_an_opt_in_waits_until_the_opt_out_before_it_has_arrived(play: Both) -> None:
    """While an opt-out of a person is on its way, no opt-in of that person is sent."""
    who = subscriber(play)
    play.says(who, "UNSUBSCRIBED")
    play.hear()
    play.pass_time(2)
    mark = play.mark()
    play.push()
    assert [c["marketing_optin"] for c in play.pushed("contact", mark)] == [OUT]
    play.says(who, "SUBSCRIBED")
    play.hear()
    play.pass_time(2)
    again = play.mark()
    play.push()
    assert [c for c in play.pushed("contact", again) if c["marketing_optin"] == IN] == []
    play.rest()
    assert play.mailable("ada@example.com") == IN
    assert timedelta() < play.now - who.email_consent.updated_at
