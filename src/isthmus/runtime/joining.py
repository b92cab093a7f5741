"""Connect a connection, with settings resolved."""

from isthmus.connections import sql as connections
from isthmus.connections.config import ConnectionConfig
from isthmus.connections.secrets import resolve
from isthmus.connections.sql import Connected
from isthmus.flows import connect as checking
from isthmus.flows import remap
from isthmus.flows.connect import Checked
from isthmus.runs import sql as runs
from isthmus.runtime.app import App
from isthmus.runtime.rules import rules
from isthmus.shopify.access import Expected
from isthmus.web.server import SHOPIFY_HOOK


def connect(app: App, config: ConnectionConfig, *, dry_run: bool) -> tuple[Checked, int, bool]:
    """Check, and unless something blocks or it is a dry run, store and subscribe; changed rules map everything again.

    Returns what was found, how many subscriptions changed, and whether the connection is new.
    """
    for key, reference in config.secrets():
        resolve(reference, key)  # every missing secret is told before anything else is tried
    public = app.settings.web.public_url
    passing = Connected(config, app.clock.now(), None, None, None, None, frozenset())
    stores = {
        store.name: (
            app.shopify(passing, n, patience=10.0),
            Expected(
                domain=store.domain,
                currency=store.currency,
                uri=f"{public.rstrip('/')}{SHOPIFY_HOOK}" if public else None,
                is_subscribed_by_app=store.subscriptions == "app",
            ),
        )
        for n, store in enumerate(config.stores)
    }
    checked = checking.check(stores, app.ometria(config))
    if dry_run or not checked.is_good:
        return checked, 0, False
    hash_key, now = app.hash_key, app.clock.now()
    with app.db.transaction() as tx:
        before = connections.load(tx, config.name)
        is_new = connections.save(tx, config, now)
        after = connections.load(tx, config.name)
        for name in _mapped_otherwise(before, after, hash_key):
            remap.ask(tx, config.name, name, now)
        # From now on nothing that changes is missed, whether or not its webhook comes.
        for store in config.stores:
            names = [f"poll:{kind}" for kind in ("product", "customer", "order", "checkout")]
            runs.begin(tx, config.name, store.name, names, now)
    app.forget()
    return checked, checking.subscribe(stores, checked), is_new


def _mapped_otherwise(before: Connected | None, after: Connected | None, hash_key: bytes) -> list[str]:
    """The stores that were connected already and whose records the new settings say otherwise."""
    if before is None or after is None:
        return []
    was = {store.name: rules(before, store, hash_key) for store in before.config.stores}
    now = {store.name: rules(after, store, hash_key) for store in after.config.stores}
    return [name for name in now if name in was and remap.differs(was[name], now[name])]
