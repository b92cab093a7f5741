"""What is really so in the simulated shop, for checkers: whole records of the world, whatever any API would show."""

from __future__ import annotations

from typing import Any

from sims.shopify.state import Store, World

KINDS = (
    "customers",
    "orders",
    "products",
    "variants",
    "collections",
    "checkouts",
    "subscriptions",
    "gone_customers",
    "gone_orders",
    "gone_products",
)


def items(world: World, shop: str, kind: str) -> list[Any]:
    """Return every record of one of `KINDS` of a store (domain or short name); raises `ValueError` for others."""
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}; known: {', '.join(KINDS)}")
    if shop not in world.stores and all(shop != store.shop.name for store in world.stores.values()):
        raise ValueError(f"unknown shop {shop!r}; known: {', '.join(world.stores)}")
    return list(getattr(world.store(shop), kind).values())


def counts(world: World) -> dict[str, dict[str, int]]:
    """Return how many records of each kind each store has."""
    return {domain: {kind: len(getattr(store, kind)) for kind in KINDS} for domain, store in world.stores.items()}


def credentials(store: Store) -> dict[str, str]:
    """Return what an app needs to connect to a store."""
    names = ("name", "domain", "client_id", "client_secret", "namespace", "currency")
    return {name: getattr(store.shop, name) for name in names}
