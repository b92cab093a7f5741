"""How many readings of the shop an order costs when all of it arrives by webhook and nothing of it is in question."""

from random import Random

import pytest

from isthmus.db.pool import Database
from scenes import Town
from sims.neighbourhood import Sizes
from sims.shopify import chance, world
from sims.shopify.deeds import paying, placing

ORDERS = 40


def calls(town: Town) -> int:
    return sum(shop.get("calls", 0) for shop in town.sims.report()["points"].values())


@pytest.mark.parametrize(
    ("is_paid", "calls_per_1000"),
    [(False, 1000), (True, 3000)],
    ids=["placed", "placed and paid"],
)
def test_orders_cost_no_more_readings_than_they_ever_did(
    database: Database, is_paid: bool, calls_per_1000: float
) -> None:
    """The figures are those of commit 8b27ecd, in the worst case: each delivery comes alone, so no call is shared."""
    town = Town(database, seed=5, sizes=Sizes(customers=30, orders=20, products=10))
    town.load()
    town.poll()
    town.come_to_rest()
    made, dice = town.sims.world, Random(7)
    store = next(iter(made.stores.values()))
    buyers = [one for one in store.customers.values() if one.email]
    before = calls(town)
    for n in range(ORDERS):
        buyer = buyers[n % len(buyers)]
        basket = chance.basket(store, dice, made.now(), buyer, world.shelf(store))
        order, events = placing.place(made, store, basket)
        if is_paid:
            events += paying.pay(made, store, order, made.now())
        with made.lock:
            town.sims.deliveries.take(events)
        town.pass_time(1)
        town.work()
    town.come_to_rest()
    assert (calls(town) - before) * 1000 / ORDERS <= calls_per_1000
    assert town.compare().differences == ()
