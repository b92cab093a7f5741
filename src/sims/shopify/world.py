"""One seeded merchant with a history: two stores, their people, products and orders, the same for the same seed."""

from __future__ import annotations

import gc
import random
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal

from sims.shopify import chance, story
from sims.shopify.deeds import browsing, catalogue, people, placing
from sims.shopify.state import Clock, Collection, Customer, Location, Shop, Store, Variant, World
from sims.statements import Statements

HISTORY = timedelta(days=400)
UK_SHARE = 0.6  # of customers, products and orders
SHARED_EMAILS = 0.08  # of the international store's customers also shop in the UK store
GUESTS = 0.08  # of orders
DELETED_PRODUCTS = 0.02
MERGES = 0.004  # of customers were once two


def build(
    seed: int, customers: int, orders: int, products: int, clock: Clock, statements: Statements | None = None
) -> World:
    """Lay down a merchant's history up to the clock's present: so many records in all, spread over both stores."""
    with _uncollected():
        return _build(seed, customers, orders, products, clock, Statements() if statements is None else statements)


def _build(seed: int, customers: int, orders: int, products: int, clock: Clock, statements: Statements) -> World:
    rng = random.Random(seed)
    world = World(stores={}, rng=rng, clock=clock, seed=seed, building=True)
    start = world.now() - HISTORY
    for store in (_uk(world, rng, start), _int(world, rng, start)):
        world.stores[store.shop.domain] = store
        store.statements = statements
    uk, other = world.stores.values()
    for store, part in ((uk, UK_SHARE), (other, 1 - UK_SHARE)):
        _products(world, store, rng, start, _part(products, part))
    known = {
        uk.shop.domain: _people(world, uk, rng, start, _part(customers, UK_SHARE), []),
        other.shop.domain: _people(
            world,
            other,
            rng,
            start,
            _part(customers, 1 - UK_SHARE),
            [one for one in uk.customers.values() if one.email],
        ),
    }
    _orders(world, rng, start, orders, known)
    for store in world.stores.values():
        _afterwards(world, store, rng)
    world.building = False
    return world


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the collector from walking millions of young records that all live: half the time of a large world."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _uk(world: World, rng: random.Random, at: datetime) -> Store:
    shop = _shop(
        world, rng, at, "uk", "GBP", ("GBP", "EUR"), "Europe/London", ("United Kingdom", "GB"), Decimal("0.20")
    )
    return Store(shop, [Location(world.next_id(), "Warehouse", "GB"), Location(world.next_id(), "Shop", "GB")])


def _int(world: World, rng: random.Random, at: datetime) -> Store:
    shop = _shop(
        world, rng, at, "int", "EUR", ("EUR", "USD", "SEK"), "Europe/Berlin", ("Germany", "DE"), Decimal("0.19")
    )
    shop.locales = ("en", "de", "fr")
    return Store(shop, [Location(world.next_id(), "Lager", "DE")])


def _shop(
    world: World,
    rng: random.Random,
    at: datetime,
    name: str,
    currency: str,
    presentment: tuple[str, ...],
    zone: str,
    country: tuple[str, str],
    tax: Decimal,
) -> Shop:
    return Shop(
        id=world.next_id(),
        name=name,
        domain=f"acme-{name}.myshopify.com",
        title=f"Acme {name.upper()}",
        email=f"shop-{name}@example.com",
        currency=currency,
        presentment_currencies=presentment,
        iana_timezone=zone,
        country=country[0],
        country_code=country[1],
        tax_rate=tax,
        namespace=f"{name}:",
        client_id=f"{rng.getrandbits(128):032x}",
        client_secret=f"shpss_{rng.getrandbits(128):032x}",
        plan="Advanced",
        created_at=at,
        updated_at=at,
    )


def _products(world: World, store: Store, rng: random.Random, start: datetime, count: int) -> None:
    for number in range(1, count + 1):
        catalogue.appear(store, chance.product(world, rng, chance.later(rng, start, 24), number))
    if store.products:
        voucher = chance.product(world, rng, start, count + 1)
        voucher.title, voucher.product_type, voucher.is_gift_card = "Gift card", "Gift cards", True
        voucher.status, voucher.published_at = "ACTIVE", start
        for variant in voucher.variants:
            variant.requires_shipping, variant.taxable = False, False
        catalogue.appear(store, voucher)
        shown = list(store.products)[:: max(1, len(store.products) // 10)]
        for title in ("New in", "Sale"):
            one = Collection(
                world.next_id(), title, title.lower().replace(" ", "-"), f"<p>{title}</p>", start, start, shown
            )
            store.collections[one.id] = one


def _people(
    world: World, store: Store, rng: random.Random, start: datetime, count: int, elsewhere: list[Customer]
) -> list[Customer]:
    """Enter people, oldest first; some bring an email that they also use in another store, spelt their own way."""
    made: list[Customer] = []
    span = (world.now() - start).total_seconds()
    moments = sorted(start + timedelta(seconds=int(rng.random() ** 1.3 * span)) for _ in range(count))
    known = {one.email: one for one in elsewhere if one.email}
    borrowed = set(rng.sample(list(known), min(len(known), round(count * SHARED_EMAILS))))
    spare = sorted(borrowed)
    for at in moments:
        email = human = None
        if spare and rng.random() < 1.5 * SHARED_EMAILS:
            email = spare.pop()
            human = known[email]
            email = (email, email.title(), email, f"{email} ")[len(spare) % 4]
        one = chance.customer(world, store, rng, at, email)
        if human is not None:
            chance.be(one, human)
        people.appear(store, one)
        made.append(one)
    return made


def _orders(world: World, rng: random.Random, start: datetime, count: int, known: dict[str, list[Customer]]) -> None:
    stores = list(world.stores.values())
    shelves = {store.shop.domain: shelf(store) for store in stores}
    born = {domain: [one.created_at for one in found] for domain, found in known.items()}
    span = (world.now() - start).total_seconds()
    for at in sorted(start + timedelta(seconds=int(rng.random() * span)) for _ in range(count)):
        store = stores[0] if rng.random() < UK_SHARE else stores[1]
        domain = store.shop.domain
        if not shelves[domain]:
            continue
        here = bisect_right(born[domain], at)
        buyer = None
        if here and rng.random() >= GUESTS:
            buyer = known[domain][int(rng.random() ** 1.5 * here)]  # some buy often
        basket = chance.basket(store, rng, at, buyer, shelves[domain])
        order, _ = placing.place(world, store, basket)
        story.tell(world, store, order, rng, shelves[domain])
        if basket.checkout_token and rng.random() < 0.05:
            _checkout(world, store, rng, basket, order_id=order.id)
        elif rng.random() < 0.03:
            lost = chance.basket(store, rng, at, buyer, shelves[domain])
            _checkout(world, store, rng, lost, order_id=None)


def _checkout(world: World, store: Store, rng: random.Random, basket: placing.Basket, order_id: int | None) -> None:
    one = chance.checkout(world, store, rng, basket)
    chance.identify(one, basket)
    browsing.start(store, one)
    if order_id is not None:
        browsing.complete(world, store, one, store.orders[order_id], basket.at)


def _afterwards(world: World, store: Store, rng: random.Random) -> None:
    """Delete a few products that old orders still name, fold a few customers together, and sum up everybody."""
    now = world.now()
    for product in rng.sample(list(store.products.values()), int(len(store.products) * DELETED_PRODUCTS)):
        if not product.is_gift_card:
            catalogue.leave(store, product)
    found = list(store.customers.values())
    for one, two in zip(*[iter(rng.sample(found, 2 * int(len(found) * MERGES)))] * 2, strict=True):
        kept, lost = people.winner(one, two)
        people.merge(world, store, kept, lost, min(chance.later(rng, max(one.updated_at, two.updated_at), 24), now))
    for customer in store.customers.values():
        mine = [order.updated_at for order in store.orders_by(customer.id)]
        if mine:
            people.summarise(world, store, customer, max(mine))


def shelf(store: Store) -> list[Variant]:
    """Give the variants that can be bought."""
    return [
        variant
        for product in store.products.values()
        if product.status in ("ACTIVE", "UNLISTED")
        for variant in product.variants
    ]


def _part(count: int, share: float) -> int:
    return round(count * share)
