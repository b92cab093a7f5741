"""The simulated store's life: it never breaks its own rules, however long it goes on."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import msgspec
import pytest

from sims.clock import SimClock
from sims.shopify import life, money, rest, world
from sims.shopify.state import Customer, World

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def living(seed: int) -> World:
    return world.build(seed, 120, 300, 40, SimClock(NOW, 0.0))


@pytest.mark.parametrize("seed", [1, 2])
def test_money_stays_right_through_a_long_life(seed: int) -> None:
    made, rng = living(seed), random.Random(seed)
    for _ in range(1500):
        assert life.step(made, rng)
    for store in made.stores.values():
        for order in store.orders.values():
            sums = money.totals(order)
            done = [one for one in order.transactions if one.status == "SUCCESS"]
            came = sum(one.amount.shop for one in done if one.kind in ("SALE", "CAPTURE"))
            went = sum(one.amount.shop for one in done if one.kind == "REFUND")
            assert sums.net_payment.shop == came - went >= 0, order.name
            named = money.total(money.suggested(one, order.taxes_included) for one in order.refunds)
            if not any(line.removed_quantity for line in order.lines):
                assert sums.current_total == sums.total - named + sums.refund_discrepancy, order.name
            for line in order.lines:
                gone = line.removed_quantity + line.refunded_quantity
                assert line.current_quantity == line.quantity - gone >= 0, order.name
                assert 0 <= line.fulfillable_quantity <= line.current_quantity, order.name
            assert order.financial_status == money.financial_status(order), order.name
        for customer in store.customers.values():
            mine = [order for order in store.orders_by(customer.id) if not order.test]
            if mine and customer.last_order_id == mine[-1].id:
                assert customer.number_of_orders == len(mine)


def test_every_event_of_a_step_can_be_rendered_and_encoded() -> None:
    made, rng, topics = living(3), random.Random(3), set()
    for _ in range(1500):
        for event in life.step(made, rng):
            topics.add(event.topic)
            assert msgspec.json.encode(rest.body(made, made.stores[event.shop], event))
    wanted = {"orders/create", "orders/paid", "orders/edited", "refunds/create", "customers/update", "products/update"}
    assert wanted | {"checkouts/update", "fulfillments/create", "returns/request", "orders/cancelled"} <= topics


def test_updated_at_only_rises_even_while_the_clock_stands_still() -> None:
    made, rng = living(4), random.Random(4)
    seen: dict[tuple[str, int], datetime] = {}
    for _ in range(800):
        for event in life.step(made, rng):
            store = made.stores[event.shop]
            if event.topic in ("orders/updated", "orders/create") and event.id in store.orders:
                at = store.orders[event.id].updated_at
                assert at >= seen.get((event.shop, event.id), at)
                seen[event.shop, event.id] = at
    changed = [at for at in seen.values() if at > NOW]
    assert changed
    assert all(at.microsecond == 0 for at in seen.values())


def test_two_changes_in_one_second_can_be_allowed() -> None:
    made = living(5)
    store = made.store("uk")
    customer = next(iter(store.customers.values()))
    made.touch(store, customer, NOW)
    made.touch(store, customer, NOW)
    assert customer.updated_at > NOW
    made.same_second = True
    made.touch(store, customer, customer.updated_at)
    made.touch(store, customer, customer.updated_at)
    assert (customer.updated_at - NOW).total_seconds() == 1


def test_what_is_rare_in_life_happens_by_chance() -> None:
    """An address or a number taken away, an erasure, an emptied cart, lists that are null."""
    made, rng, seen = living(8), random.Random(8), set[str]()
    for _ in range(1500):
        before = {id(one): (one.email, one.sms_consent.updated_at) for one in _everybody(made)}
        for event in life.step(made, rng):
            body = rest.body(made, made.stores[event.shop], event)
            empty = [name for name in ("shipping_lines", "line_items") if body.get(name, 0) in (None, [])]
            seen |= {event.topic, *(f"{event.topic} without {name}" for name in empty)}
        for one in _everybody(made):
            email, sms_at = before.get(id(one), (None, None))
            seen |= {"no address"} if email and one.email is None else set()
            seen |= {"no number"} if sms_at and one.sms_consent.updated_at is None else set()
    assert {"no address", "no number", "customers/redact"} <= seen
    assert {"checkouts/update without line_items", "orders/create without shipping_lines"} <= seen


def _everybody(made: World) -> list[Customer]:
    return [one for store in made.stores.values() for one in store.customers.values()]


def test_the_same_seed_lives_the_same_life() -> None:
    lives = []
    for _ in range(2):
        made, rng = living(6), random.Random(6)
        lives.append([[(event.topic, event.id, event.parent) for event in life.step(made, rng)] for _ in range(300)])
    assert lives[0] == lives[1]


def test_stores_share_people_but_never_ids() -> None:
    made = living(7)
    uk, other = made.stores.values()
    shared = set(uk.by_email) & set(other.by_email)
    assert shared
    ids = [number for store in (uk, other) for number in (*store.customers, *store.products, *store.orders)]
    assert len(ids) == len(set(ids))
    spelt = {customer.email for customer in other.customers.values() if customer.email}
    assert any(email != email.strip().lower() for email in spelt)
