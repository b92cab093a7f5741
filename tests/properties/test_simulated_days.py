"""Days of a shop that reconciles every night, with an app that sees all orders and with one that sees sixty days.

No order may change at Ometria because it left the app's sight.
"""

from datetime import timedelta
from random import Random

import msgspec
import pytest

from isthmus.db.pool import Database
from lengths import LONG
from plays import Play
from sims.neighbourhood import Sizes
from sims.shopify.deeds import placing, refunding
from sims.shopify.state import Order

DAYS = 400 if LONG else 61
AT_NIGHT = timedelta(hours=24)


def orders_there(play: Play) -> dict[str, bytes]:
    """Every order of the platform as it is sent back, by id."""
    return {row.id: msgspec.json.encode(row.record, order="sorted") for row in play.sims.ometria.account.orders}


def a_day(play: Play, dice: Random) -> set[str]:
    """What happens in the shop on one day, told by webhooks but for some; the ids of the orders it is about."""
    buyers = [one for one in play.uk.customers.values() if one.email]
    placed = play.orders(dice.choice(buyers), is_told=dice.random() < 0.8)
    touched = {placed.id}
    recent = [one for one in play.uk.orders.values() if one.created_at > play.now - timedelta(days=50)]
    other: Order = dice.choice(recent)
    if dice.random() < 0.3:
        giving = refunding.Giving({other.lines[0].id: 1})
        if other is not placed and not other.refunds and other.cancelled_at is None:
            play.do(refunding.refund(play.world, play.uk, other, giving, play.now), is_told=dice.random() < 0.5)
            touched.add(other.id)
    elif dice.random() < 0.1 and other is not placed:
        with play.world.lock:
            placing.erase(play.uk, other)  # its webhook is lost: only the night can notice
        touched.add(other.id)
    return {f"uk:{one}" for one in touched}


@pytest.mark.parametrize("sees_all", [True, False], ids=["with read_all_orders", "without read_all_orders"])
def test_no_order_changes_because_it_left_sight(database: Database, sees_all: bool) -> None:
    dice = Random(61)
    play = Play(database, seed=61, sizes=Sizes(customers=4, orders=8, products=2))
    if not sees_all:
        play.sims.faults.set({"shopify.dropped_scopes": "read_all_orders"})
    n_left = 0
    for _ in range(DAYS):
        began, before = play.now, orders_there(play)
        touched: set[str] = set()
        if dice.random() < 0.4:
            touched = a_day(play, dice)
            play.come_to_rest()
        play.pass_time((began + AT_NIGHT - play.now).total_seconds())
        done = play.reconcile()
        play.come_to_rest()
        after = orders_there(play)
        changed = {name for name in before if after.get(name) != before[name]}
        assert changed <= touched, "changed without anything having happened to it"
        n_left = max(n_left, sum(one.n for one in done.out_of_sight))
    assert (n_left > 0) is not sees_all
    if not sees_all:
        old = [one for one in play.uk.orders.values() if one.created_at < play.now - timedelta(days=60)]
        assert old
        assert all(f"uk:{one.id}" in orders_there(play) for one in old)
