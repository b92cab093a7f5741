"""What is wanted on demand in a shop's life: consent, a merge, privacy requests, a new client secret, the app's end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sims.shopify.deeds import app, people, privacy
from sims.shopify.events import Event
from sims.shopify.state import Customer, EmailConsent, SmsConsent, Store, World

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


def _consent(world: World, store: Store, wish: Wish) -> list[Event]:
    one, state, at = _customer(store, wish), str(wish["state"]), world.now()
    if wish.get("channel", "email") == "email":
        return people.email_consent(world, store, one, EmailConsent(state, "SINGLE_OPT_IN", at), at)
    return people.sms_consent(world, store, one, SmsConsent(state, "SINGLE_OPT_IN", at, "SHOPIFY"), at)


def _merge(world: World, store: Store, wish: Wish) -> list[Event]:
    one, two = _customer(store, wish), _customer(store, {"customer": wish["other"]})
    if one is two or not {one.id, two.id} <= store.customers.keys():
        raise ValueError("a merge takes two customers who are there")
    return people.merge(world, store, *people.winner(one, two), world.now())


DEEDS: dict[str, Deed] = {
    "rotate_secret": _rotate_secret,
    "uninstall": lambda _, store, __: app.uninstall(store),
    "install": lambda _, store, __: app.install(store),
    "request_data": lambda world, store, wish: privacy.request_data(world, store, _customer(store, wish)),
    "redact": lambda _, store, wish: privacy.redact(store, _customer(store, wish)),
    "anonymise": lambda world, store, wish: privacy.anonymise(world, store, _customer(store, wish), world.now()),
    "consent": _consent,
    "merge": _merge,
    "redact_shop": lambda _, store, __: privacy.redact_shop(store),
}
"""By name; those about a person want `customer`, the new secret is `secret`, a merge is with the `other`, consent is a
`state` of a `channel` ("email", "sms")."""


def happen(world: World, store: Store, wish: Wish) -> list[Event]:
    """Do `wish["deed"]` in a store and return the events it fires; raises `ValueError` for a deed not in `DEEDS`."""
    deed = DEEDS.get(wish["deed"])
    if deed is None:
        raise ValueError(f"unknown deed {wish['deed']!r}; known: {', '.join(DEEDS)}")
    return deed(world, store, wish)
