"""A merge that an app asks for through the Admin API, carried out or failed, as the whole pipeline hears of it."""

import json
from typing import Any

import pytest

from plays import Play
from sims.shopify.state import Customer, gid
from sims.wire import Request

MERGE = """mutation Merge($one: ID!, $two: ID!) {
  customerMerge(customerOneId: $one, customerTwoId: $two) { resultingCustomerId job { id } userErrors { message } }
}"""


@pytest.fixture
def play(database: Any) -> Play:
    made = Play(database)
    made.sims.faults.set({"shopify.extra_scopes": "write_customer_merge"})
    return made


def somebody(play: Play, name: str, state: str) -> Customer:
    """Without an account: an enabled one would decide who is kept."""
    made = play.person(f"{name}@example.com", state)
    made.state = "DISABLED"
    return made


def merge(play: Play, one: Customer, two: Customer) -> str:
    """Ask for it as another app of the merchant's would, and wait until it is over."""
    named = {"one": gid("Customer", one.id), "two": gid("Customer", two.id)}
    body = json.dumps({"query": MERGE, "variables": named}).encode()
    headers = {"x-shopify-access-token": play.sims.shopify.static_token("uk")}
    answer = play.sims.shopify.handle(Request("POST", "/admin/api/2026-10/graphql.json", {}, headers, body))
    kept: str = answer.json()["data"]["customerMerge"]["resultingCustomerId"]
    play.pass_time(3)
    play.sims.tick()
    return kept


def test_f67_a_merge_by_api_moves_orders_and_keeps_the_survivors_consent(play: Play) -> None:
    kept, lost = somebody(play, "kept", "UNSUBSCRIBED"), somebody(play, "lost", "UNSUBSCRIBED")
    placed = play.orders(lost)
    play.come_to_rest()
    assert merge(play, lost, kept) == gid("Customer", kept.id)
    play.come_to_rest()
    assert play.desired("order", f"uk:{placed.id}")["customer"]["id"] == f"uk:{kept.id}"
    assert play.contact(kept)["marketing_optin"] == "EXPLICITLY_OPTEDOUT"
    assert play.contact(lost)["marketing_optin"] == "EXPLICITLY_OPTEDOUT"
    assert play.compare().differences == ()


def test_f67_a_merge_that_failed_changes_nobody(play: Play) -> None:
    """The delivery names a customer as deleted who is still there: only a reading that answers null is evidence."""
    kept, lost = somebody(play, "kept", "SUBSCRIBED"), somebody(play, "lost", "SUBSCRIBED")
    placed = play.orders(lost)
    play.come_to_rest()
    play.sims.faults.set({"shopify.p_merge_fails": 1.0})
    merge(play, lost, kept)
    play.come_to_rest()
    assert play.desired("order", f"uk:{placed.id}")["customer"]["id"] == f"uk:{lost.id}"
    assert [play.contact(one)["marketing_optin"] for one in (kept, lost)] == ["EXPLICITLY_OPTEDIN"] * 2
    (heard,) = play.rows("SELECT state FROM event WHERE topic = 'customers/merge'")
    assert heard["state"] == "skipped"
    assert play.cases("storefront.merge_failed")
    assert play.compare().differences == ()
