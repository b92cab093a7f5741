"""Govern a stored connection: its stores, its secrets and its limits, with settings resolved."""

import contextlib
from collections.abc import Sequence
from hashlib import blake2b

from isthmus.connections.config import ConnectionConfig
from isthmus.connections.secrets import resolve
from isthmus.flows import govern as governing
from isthmus.flows.govern import Watched
from isthmus.governance.rules import Held
from isthmus.governance.verdict import Verdict
from isthmus.model.failure import Failure
from isthmus.runtime.app import App
from isthmus.runtime.expected import expected

PATIENCE = 10.0
"""Seconds that each reading may wait for points: nobody waits for the answer."""


def govern(app: App, name: str) -> list[Verdict]:
    """Look whether the ground under a connection has moved; a store whose secret is missing is not looked at."""
    connected = app.connected(name)
    config = connected.config
    public = app.settings.web.public_url
    held = secrets(config, app.hash_key)
    with contextlib.ExitStack() as open_clients:
        stores = {}
        for n, store in enumerate(config.stores):
            try:
                shop = open_clients.enter_context(app.shopify(connected, n, patience=PATIENCE))
            except Failure:
                continue  # the missing secret is a verdict of its own
            stores[store.name] = Watched(
                shop, expected(config, store, public, app.clock.now()), store.access_token is not None
            )
        return governing.govern(app.db, name, app.clock.now(), stores, held, float(config.ometria.push_per_second))


def secrets(config: ConnectionConfig, hash_key: bytes) -> Sequence[Held]:
    """Every secret that a connection names: whether it can be had, and a print that tells two apart, no more."""
    found = []
    for key, reference in config.secrets():
        try:
            secret = resolve(reference, key).reveal().encode()
        except Failure as failure:
            found.append(Held(key, failure.detail))
        else:
            digest = blake2b(secret, digest_size=4, key=hash_key[:64]).hexdigest()
            found.append(Held(key, "", digest))
    return found
