"""What happens to products: they appear, change price and stock, and go."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sims.shopify.events import Event
from sims.shopify.state import Product, Store, Variant, World


def appear(store: Store, product: Product) -> list[Event]:
    """Enter a new product."""
    store.add_product(product)
    return [Event(store.shop.domain, "products/create", product.id)]


def update(world: World, store: Store, product: Product, at: datetime) -> list[Event]:
    """Note that a product changed."""
    world.touch(store, product, at)
    return [Event(store.shop.domain, "products/update", product.id)]


def price(
    world: World, store: Store, variant: Variant, amount: Decimal, compare_at: Decimal | None, at: datetime
) -> list[Event]:
    """Change what a variant costs."""
    variant.price, variant.compare_at_price = amount, compare_at
    return _vary(world, store, variant, at)


def stock(world: World, store: Store, variant: Variant, quantity: int, at: datetime) -> list[Event]:
    """Change how many of a variant there are; crossing zero fires its own topics."""
    before, variant.inventory_quantity = variant.inventory_quantity, quantity
    events = _vary(world, store, variant, at)
    detail = {"location_id": store.locations[0].id, "available": quantity, "updated_at": variant.updated_at}
    events.append(Event(store.shop.domain, "inventory_levels/update", variant.inventory_item_id, detail=detail))
    if before > 0 >= quantity:
        events.append(Event(store.shop.domain, "variants/out_of_stock", variant.id))
    elif before <= 0 < quantity:
        events.append(Event(store.shop.domain, "variants/in_stock", variant.id))
    return events


def status(world: World, store: Store, product: Product, value: str, at: datetime) -> list[Event]:
    """Publish, archive or draft a product."""
    product.status = value
    product.published_at = (product.published_at or at) if value == "ACTIVE" else None
    return update(world, store, product, at)


def leave(store: Store, product: Product) -> list[Event]:
    """Delete a product; old orders keep its title."""
    store.drop_product(product)
    return [Event(store.shop.domain, "products/delete", product.id)]


def _vary(world: World, store: Store, variant: Variant, at: datetime) -> list[Event]:
    world.touch(store, variant, at)
    product = store.products.get(variant.product_id)
    return update(world, store, product, at) if product else []
