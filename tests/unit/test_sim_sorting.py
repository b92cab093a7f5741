"""A listing that follows what happens in a shop is the one that sorting anew would give."""

from admin_api import Admin
from sims.neighbourhood import Neighbourhood, Sizes
from sims.shopify.filters import SORTS
from sims.shopify.sorting import STEADY, Sorting, in_order


def test_every_sorting_stays_right_over_a_shops_life() -> None:
    town = Neighbourhood(Admin.open().clock, 5, Sizes(60, 120, 10))
    store = town.store("uk")
    kept = {
        (kind, name): Sorting(key, is_steady=name in STEADY)
        for kind in ("customers", "orders", "products")
        for name, key in SORTS[kind].items()
    }
    for step in range(60):
        town.clock.advance(30)
        town.live(step % 7)
        if step % 11 == 0:
            town.tamper("shopify", "orders", next(iter(store.orders)), delete=True, shop="uk")
        if step % 5 == 0:
            town.tamper("shopify", "customers", next(reversed(store.customers)), {"note": "x"}, shop="uk")
        for (kind, name), sorting in kept.items():
            records = getattr(store, kind)
            assert sorting.places(store, records) == in_order(records, SORTS[kind][name])
