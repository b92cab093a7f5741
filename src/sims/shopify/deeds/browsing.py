"""What happens before an order: a checkout is started, filled in, completed, or left alone."""

from __future__ import annotations

from datetime import datetime

from sims.shopify.baskets import Checkout
from sims.shopify.events import Event
from sims.shopify.state import Order, Store, World


def start(store: Store, checkout: Checkout) -> list[Event]:
    """Begin a checkout from a cart."""
    store.checkouts[checkout.token] = checkout
    store.version += 1
    return [_event(store, "carts/create", checkout), _event(store, "checkouts/create", checkout)]


def update(world: World, store: Store, checkout: Checkout, at: datetime) -> list[Event]:
    """Note that somebody typed something into a checkout."""
    world.touch(store, checkout, at)
    return [_event(store, "checkouts/update", checkout)]


def complete(world: World, store: Store, checkout: Checkout, order: Order, at: datetime) -> list[Event]:
    """Note that a checkout became an order."""
    checkout.completed_at, checkout.order_id = at, order.id
    return update(world, store, checkout, at)


def forget(store: Store, checkout: Checkout) -> list[Event]:
    """Delete a checkout."""
    del store.checkouts[checkout.token]
    store.version += 1
    return [_event(store, "checkouts/delete", checkout)]


def _event(store: Store, topic: str, checkout: Checkout) -> Event:
    return Event(store.shop.domain, topic, checkout.id, detail={"checkout": checkout})
