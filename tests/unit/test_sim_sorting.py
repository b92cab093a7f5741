"""A listing that follows what happens in a shop is the one that sorting again would give."""

from admin_api import AT, Admin
from sims.neighbourhood import Neighbourhood, Sizes
from sims.shopify.baskets import Checkout
from sims.shopify.deeds import browsing
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


def test_checkouts_that_can_be_written_to_are_listed_as_they_are_now() -> None:
    """One is forgotten and an older one is given an address: as many as before, and others."""
    admin = Admin.open()
    admin.store.checkouts.clear()
    for n in (1, 2, 3):
        browsing.start(admin.store, checkout(n, None if n == 1 else f"p{n}@example.com"))
    assert listed(admin) == [2, 3]
    older, middle = (admin.store.checkouts[f"token{n}"] for n in (1, 2))
    browsing.forget(admin.store, middle)
    older.email = "p1@example.com"
    browsing.update(admin.shopify.world, admin.store, older, AT)
    assert listed(admin) == [1, 3]


def checkout(n: int, email: str | None) -> Checkout:
    return Checkout(n, f"token{n}", None, AT, AT, "GBP", "GBP", [], email)


def listed(admin: Admin) -> list[int]:
    found = admin.data("{abandonedCheckouts(first: 9) {nodes {id}}}")["abandonedCheckouts"]["nodes"]
    return [int(node["id"].rpartition("/")[2]) for node in found]
