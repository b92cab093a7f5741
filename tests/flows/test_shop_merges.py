"""What follows when the shop merges two customers, or tries to: links, orders, and the book of merges."""

from typing import Any

import pytest

from isthmus.db.pool import Database
from plays import Play
from sims.shopify.deeds import people
from sims.shopify.state import Customer, gid


@pytest.fixture
def play(database: Database) -> Play:
    return Play(database)


def tell_of_merge(play: Play, kept: Customer, lost: Customer, status: str = "completed", **more: Any) -> None:
    body = {
        "admin_graphql_api_customer_kept_id": gid("Customer", kept.id),
        "admin_graphql_api_customer_deleted_id": gid("Customer", lost.id),
        "admin_graphql_api_job_id": None, "status": status, "errors": [], **more,
    }  # fmt: skip
    play.tell("customers/merge", body, webhook_id=f"merge-{status}-{lost.id}")


def test_f67_a_merge_that_failed_changes_nothing_and_is_noted(play: Play) -> None:
    """F67: Shopify sends the same webhook when its job has failed."""
    one, two = play.person("one@example.com", "SUBSCRIBED"), play.person("two@example.com", "SUBSCRIBED")
    placed = play.orders(two)
    play.come_to_rest()
    before, mark = play.rows("SELECT * FROM outbox ORDER BY kind, id"), play.mark()
    errors = [{"customer_ids": [two.id], "field": ["gift_cards"], "message": "two@example.com has gift cards"}]
    tell_of_merge(play, one, two, "failed", errors=errors)
    play.come_to_rest()
    assert play.rows("SELECT * FROM outbox ORDER BY kind, id") == before
    assert play.pushed("contact", mark) == []
    assert play.desired("order", f"uk:{placed.id}")["customer"]["id"] == f"uk:{two.id}"
    (case,) = play.cases("storefront.merge_failed")
    assert (case["subject"], case["detail"]) == (f"customer:{one.id}", "Shopify stumbled over gift_cards")
    (event,) = play.rows("SELECT state, reason FROM event WHERE topic = 'customers/merge'")
    assert event == {"state": "skipped", "reason": "the shop could not merge them"}


def test_the_case_of_a_failed_merge_closes_when_a_later_one_goes_through(play: Play) -> None:
    one, two = play.person("one@example.com"), play.person("two@example.com")
    tell_of_merge(play, one, two, "failed")
    play.come_to_rest()
    assert play.cases("storefront.merge_failed")
    play.do(people.merge(play.world, play.uk, one, two, play.now))
    play.come_to_rest()
    assert not play.cases("storefront.merge_failed")


def test_an_order_that_still_names_the_lost_customer_is_the_kept_ones(play: Play) -> None:
    """The older account is lost: the person goes by the one that lives."""
    lost, kept = play.person("lost@example.com"), play.person("kept@example.com")
    placed = play.orders(lost)
    play.come_to_rest()
    number = placed.customer_id
    play.do(people.merge(play.world, play.uk, kept, lost, play.now))
    placed.customer_id = number  # the shop is slow to say so
    play.come_to_rest()
    assert play.desired("order", f"uk:{placed.id}")["customer"]["id"] == f"uk:{kept.id}"
    (said,) = play.rows("SELECT survivor, loser, what, by FROM merge_said")
    assert said == {"survivor": f"uk:{kept.id}", "loser": f"uk:{lost.id}", "what": "told", "by": "the shop"}


def test_a_merge_under_way_is_left_to_a_reading_of_both(play: Play) -> None:
    one, two = play.person("one@example.com"), play.person("two@example.com")
    play.come_to_rest()
    tell_of_merge(play, one, two, "in_progress")
    play.come_to_rest()
    assert play.rows("SELECT FROM link WHERE joined_id IS NOT NULL") == []
    assert play.rows("SELECT FROM merge_said") == []


def test_whoever_was_merged_again_and_again_is_one_person(play: Play) -> None:
    accounts = [play.person(f"ada{n}@example.com") for n in range(4)]
    orders = [play.orders(one) for one in accounts]
    play.come_to_rest()
    for kept, lost in ((1, 0), (2, 1), (3, 2)):
        play.do(people.merge(play.world, play.uk, accounts[kept], accounts[lost], play.now))
        play.come_to_rest()
    assert {play.desired("order", f"uk:{one.id}")["customer"]["id"] for one in orders} == {f"uk:{accounts[3].id}"}
    assert play.compare().differences == ()
