"""Days on end with a reconciliation every night: no order changes at Ometria because it has left the app's sight."""

from datetime import timedelta

import pytest

from isthmus.db.pool import Database
from lengths import LONG
from plays import Play
from sims.shopify.state import Order

DAYS = 400 if LONG else 61
OLDER = (50, 20, 0)
"""How many days before the first an order was placed already: each of them leaves sight on another day."""


@pytest.mark.parametrize("sees_all", [True, False])
def test_no_order_changes_because_it_left_sight(database: Database, *, sees_all: bool) -> None:
    play = Play(database)
    who, placed = play.person(), list[Order]()
    for days in OLDER:
        order = play.orders(who)
        with play.world.lock:
            order.created_at = order.processed_at = play.now - timedelta(days=days)
            order.updated_at = play.now
            play.uk.touched.append(order)
            play.uk.version += 1
        placed.append(order)
    play.pass_time(60)
    play.poll()
    play.come_to_rest()
    assert [play.order(one)["timestamp"][:10] for one in placed] == [f"{one.processed_at:%Y-%m-%d}" for one in placed]
    if not sees_all:
        play.sims.faults.set({"shopify.dropped_scopes": "read_all_orders"})
    n_unseen = 0
    for day in range(DAYS):
        play.pass_time(86400)
        if day % 20 == 10:
            placed.append(play.orders(who))
            play.come_to_rest()
            play.pass_time(600)
        before, mark = {one.id: play.order(one) for one in placed}, play.mark()
        done = play.reconcile()
        play.come_to_rest()
        assert play.pushed("order", since=mark) == [], f"night {day}"
        assert {one.id: play.order(one) for one in placed} == before, f"night {day}"
        n_unseen = max(n_unseen, sum(one.n for one in done.out_of_sight))
    assert all(play.order(one)["is_valid"] is True for one in placed)
    assert (n_unseen >= len(OLDER)) is not sees_all
