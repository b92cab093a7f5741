"""What happened to one person or one order, told without telling anything about them."""

from typing import Any

import pytest

from isthmus.cases.sql import cases
from isthmus.db.pool import Database
from isthmus.ops.trace import About, Trace, trace_history
from scenes import HASH_KEY, Town


@pytest.fixture(scope="module")
def town(module_database: Database) -> Town:
    """A town with a past: history loaded, some life told by webhooks, and a case."""
    town = Town(module_database)
    town.load()
    town.come_to_rest()
    for _ in range(10):
        town.sims.live(5)
        town.pass_time(3)
        town.work()
    town.come_to_rest()
    return town


def follow(town: Town, **about: Any) -> Trace:
    return trace_history(town.db, "acme", About(**about), HASH_KEY)


def a_buyer(town: Town) -> dict[str, Any]:
    """Somebody who ordered after the load, with the order."""
    with town.db.transaction() as tx:
        found = tx.fetch_one(
            """SELECT r.store, r.id AS order, r.customer_id, r.email FROM record r
               JOIN event e ON e.subject = 'order:' || r.id AND e.topic LIKE 'orders/%'
               WHERE r.kind = 'order' AND r.email IS NOT NULL AND r.customer_id IS NOT NULL ORDER BY r.id LIMIT 1"""
        )
    assert found is not None
    return found


def test_an_order_is_followed_from_webhook_to_settlement(town: Town) -> None:
    buyer = a_buyer(town)
    found = follow(town, order=int(buyer["order"]))
    kinds = {entry.what for entry in found.entries}
    assert {"event", "record", "write", "push"} <= kinds
    assert [e.at for e in found.entries] == sorted(e.at for e in found.entries)
    assert any(e.what == "write" and e.id.startswith("order:") and e.said.startswith("there") for e in found.entries)
    assert any(e.what == "event" and e.said.startswith("orders/") and e.lane == "realtime" for e in found.entries)


def test_a_person_brings_their_orders_and_their_consent_along(town: Town) -> None:
    buyer = a_buyer(town)
    found = follow(town, email=buyer["email"].upper())
    assert f"order:{buyer['order']}" in found.subjects
    assert f"customer:{buyer['customer_id']}" in found.subjects
    assert {"consent", "event", "write"} <= {entry.what for entry in found.entries}


def test_a_customer_and_their_address_lead_to_the_same(town: Town) -> None:
    buyer = a_buyer(town)
    assert follow(town, customer=buyer["customer_id"]) == follow(town, email=buyer["email"])


def test_nothing_personal_is_repeated(town: Town) -> None:
    buyer = a_buyer(town)
    told = repr(follow(town, customer=buyer["customer_id"]))
    local, _, host = buyer["email"].partition("@")
    assert buyer["email"] not in told
    assert host not in told
    assert local not in told


def test_cases_are_part_of_the_story(town: Town) -> None:
    buyer = a_buyer(town)
    now = town.clock.now()
    with town.db.transaction() as tx:
        (number,) = cases.open_or_count(
            tx, "acme", [cases.Touch("internal.bug", f"order:{buyer['order']}", buyer["store"])], now
        )
        cases.close_case(tx, number, now, "ada")
    said = [e.said for e in follow(town, order=int(buyer["order"])).entries if e.what == "case"]
    assert said == ["internal.bug: opened, integration operator acts", "internal.bug: resolved by ada"]


def test_somebody_unknown_has_no_story(town: Town) -> None:
    assert follow(town, email="nobody@example.org").is_nothing
    assert follow(town, order=1).is_nothing
