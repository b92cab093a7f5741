"""What happens to the app itself: deployed, its secret rotated, uninstalled."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sims.shopify.events import Event
from sims.shopify.state import Shop, Store, Subscription, World

ROTATION = timedelta(hours=1)
"""Until Shopify signs with a new secret
(https://shopify.dev/docs/apps/build/webhooks/verify-deliveries)."""


def deploy(
    world: World,
    store: Store,
    uri: str,
    topics: Sequence[str],
    at: datetime,
    *,
    include_fields: Sequence[str] = (),
    name: str | None = None,
) -> list[Subscription]:
    """Subscribe as a deployed shopify.app.toml does: the app's own subscriptions are replaced by these."""
    for number in [one.id for one in store.subscriptions.values() if one.owner == "app"]:
        del store.subscriptions[number]
    return [
        subscribe(world, store, topic, uri, "app", at, include_fields=include_fields, name=name) for topic in topics
    ]


def subscribe(
    world: World,
    store: Store,
    topic: str,
    uri: str,
    owner: str,
    at: datetime,
    *,
    include_fields: Sequence[str] = (),
    name: str | None = None,
) -> Subscription:
    """Add one subscription; `topic` in its slash form."""
    one = Subscription(world.next_id(), topic, uri, owner, at, at, include_fields=tuple(include_fields), name=name)
    store.subscriptions[one.id] = one
    return one


def rotate_secret(store: Store, secret: str, at: datetime) -> None:
    """Give the app a new client secret; deliveries are signed with the old one for another hour."""
    shop = store.shop
    shop.old_client_secret, shop.client_secret, shop.signs_new_at = shop.client_secret, secret, at + ROTATION


def signing_secret(shop: Shop, at: datetime) -> str:
    """Give the secret that deliveries are signed with at a time."""
    if shop.old_client_secret and shop.signs_new_at and at < shop.signs_new_at:
        return shop.old_client_secret
    return shop.client_secret


def uninstall(store: Store) -> list[Event]:
    """Take the app off the shop: no token opens it any more, and after this last delivery only the compliance topics
    are told.
    """
    store.shop.is_installed = False
    return [Event(store.shop.domain, "app/uninstalled")]


def install(store: Store) -> list[Event]:
    """Put the app back on the shop. What it had subscribed to by API is gone; its own configuration holds again."""
    store.shop.is_installed = True
    for number in [one.id for one in store.subscriptions.values() if one.owner != "app"]:
        del store.subscriptions[number]
    return []


def change_scopes(store: Store, previous: Sequence[str], current: Sequence[str], number: int) -> list[Event]:
    """Tell that the app's scopes changed."""
    detail = {"previous": tuple(previous), "current": tuple(current)}
    return [Event(store.shop.domain, "app/scopes_update", number, detail=detail)]
