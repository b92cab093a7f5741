"""What happens to the goods: prices, stock, arrivals, departures."""

from __future__ import annotations

import random
from datetime import datetime

from sims.shopify import chance
from sims.shopify.deeds import catalogue
from sims.shopify.events import Event
from sims.shopify.life.draw import recent
from sims.shopify.state import Store, World


def a_price_changes(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Raise a price or put it on sale."""
    product = recent(store.products, rng)
    if product is None:
        return []
    variant = rng.choice(product.variants)
    if variant.compare_at_price:
        return catalogue.price(made, store, variant, variant.compare_at_price, None, at)
    return catalogue.price(made, store, variant, max(variant.price - 3, variant.price / 2), variant.price, at)


def stock_changes(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Count the shelf again."""
    product = recent(store.products, rng)
    if product is None:
        return []
    return catalogue.stock(made, store, rng.choice(product.variants), rng.choice((0, 0, 5, 25, 90)), at)


def a_product_appears(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Add a product."""
    return catalogue.appear(store, chance.product(made, rng, at, len(store.products) + 1))


def a_product_is_shown_or_hidden(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Archive a product or bring it back."""
    product = recent(store.products, rng)
    if product is None:
        return []
    return catalogue.status(made, store, product, "ARCHIVED" if product.status == "ACTIVE" else "ACTIVE", at)


def a_product_goes(_made: World, store: Store, rng: random.Random, _at: datetime) -> list[Event]:
    """Delete a product; the last few stay."""
    product = recent(store.products, rng)
    return catalogue.leave(store, product) if product and len(store.products) > 5 else []


HAPPENINGS = (
    (a_price_changes, 4.0),
    (stock_changes, 5.0),
    (a_product_appears, 1.0),
    (a_product_is_shown_or_hidden, 0.5),
    (a_product_goes, 0.4),
)
