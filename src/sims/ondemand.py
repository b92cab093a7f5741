"""What is rare in a shop's life and wanted on demand: privacy requests, a new client secret, the end of the app."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sims.shopify.deeds import app, privacy
from sims.shopify.events import Event
from sims.shopify.state import Customer, Store, World

Wish = Mapping[str, Any]
Deed = Callable[[World, Store, Wish], list[Event]]


def _rotate_secret(world: World, store: Store, wish: Wish) -> list[Event]:
    app.rotate_secret(store, str(wish["secret"]), world.now())
    return []


def _customer(store: Store, wish: Wish) -> Customer:
    number = int(wish["customer"])
    known = store.customers.get(number) or store.gone_customers.get(number)
    if known is None:
        raise ValueError(f"no customer {number} in {store.shop.domain}")
    return known


DEEDS: dict[str, Deed] = {
    "rotate_secret": _rotate_secret,
    "uninstall": lambda _, store, __: app.uninstall(store),
    "request_data": lambda world, store, wish: privacy.request_data(world, store, _customer(store, wish)),
    "redact": lambda _, store, wish: privacy.redact(store, _customer(store, wish)),
    "anonymise": lambda world, store, wish: privacy.anonymise(world, store, _customer(store, wish), world.now()),
    "redact_shop": lambda _, store, __: privacy.redact_shop(store),
}
"""By name; those about a person want `customer`, the new secret is `secret`."""


def happen(world: World, store: Store, wish: Wish) -> list[Event]:
    """Do `wish["deed"]` in a store and return the events it fires; raises `ValueError` for a deed not in `DEEDS`."""
    deed = DEEDS.get(wish["deed"])
    if deed is None:
        raise ValueError(f"unknown deed {wish['deed']!r}; known: {', '.join(DEEDS)}")
    return deed(world, store, wish)
