"""Clients of the external APIs that a connection's file names, with its secrets resolved."""

from isthmus.connections.config import ConnectionConfig
from isthmus.connections.secrets import resolve_secret
from isthmus.kit.clock import Clock
from isthmus.ometria.client import OmetriaClient
from isthmus.shopify.client import Credentials, Shopify


def shopify_client(config: ConnectionConfig, n: int, clock: Clock, *, patience: float, reserve: float = 0.0) -> Shopify:
    """A client of the n-th store, which leaves `reserve` of the shop's points to others.

    Raises BlockedError `integration.secret_missing`, here as below.
    """
    store = config.stores[n]
    token = store.access_token
    credentials = Credentials(
        client_id=store.client_id or "",
        client_secret=resolve_secret(store.client_secret, f"stores[{n}].client_secret").reveal(),
        access_token=None if token is None else resolve_secret(token, f"stores[{n}].access_token").reveal(),
    )
    return Shopify(store.admin_url, store.api_version, credentials, clock, patience=patience, reserve=reserve)


def ometria_client(config: ConnectionConfig) -> OmetriaClient:
    """A client of Ometria."""
    return OmetriaClient(config.ometria.base_url, resolve_secret(config.ometria.api_key, "ometria.api_key").reveal())
