"""Govern a stored connection: its stores, its secrets and its limits, with settings resolved."""

import contextlib
from collections.abc import Sequence
from hashlib import blake2b

from isthmus.app.context import App
from isthmus.app.expected_stores import expected_store
from isthmus.config_changes.result import CheckResult
from isthmus.config_changes.rules import SecretAge
from isthmus.connections.config import ConnectionConfig
from isthmus.connections.secrets import resolve_secret
from isthmus.flows import config_changes as governing
from isthmus.flows.config_changes import WatchedStore
from isthmus.model.failure import Failure

PATIENCE = 10.0
"""Seconds that each reading may wait for points: nobody waits for the answer."""


def check_config_changes(app: App, name: str) -> list[CheckResult]:
    """Look whether the ground under a connection has moved; a store whose secret is missing is not looked at."""
    connected = app.connected(name)
    config = connected.config
    public = app.settings.web.public_url
    held = secret_states(config, app.hash_key)
    with contextlib.ExitStack() as open_clients:
        stores = {}
        for n, store in enumerate(config.stores):
            try:
                shop = open_clients.enter_context(app.shopify(connected, n, patience=PATIENCE))
            except Failure:
                continue  # the missing secret is a verdict of its own
            stores[store.name] = WatchedStore(
                shop, expected_store(config, store, public, app.clock.now()), store.access_token is not None
            )
        return governing.check_config_changes(
            app.db, name, app.clock.now(), stores, held, float(config.ometria.push_per_second)
        )


def secret_states(config: ConnectionConfig, hash_key: bytes) -> Sequence[SecretAge]:
    """Every secret that a connection names: whether it can be had, and a print that tells two apart, no more."""
    found = []
    for key, reference in config.secrets():
        try:
            secret = resolve_secret(reference, key).reveal().encode()
        except Failure as failure:
            found.append(SecretAge(key, failure.detail))
        else:
            digest = blake2b(secret, digest_size=4, key=hash_key[:64]).hexdigest()
            found.append(SecretAge(key, "", digest))
    return found
