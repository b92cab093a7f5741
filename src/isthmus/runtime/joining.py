"""Connect a connection and load its history, with settings resolved."""

from collections.abc import Callable, Sequence
from datetime import datetime

from isthmus.connections import sql as connections
from isthmus.connections.config import ConnectionConfig
from isthmus.connections.secrets import resolve
from isthmus.connections.sql import Connected
from isthmus.flows import backfill
from isthmus.flows import connect as checking
from isthmus.flows.backfill import Progress
from isthmus.flows.connect import Checked
from isthmus.ometria.client import Ometria
from isthmus.runs import sql as runs
from isthmus.runtime.app import App
from isthmus.shopify.access import Expected

HOOK = "/hooks/shopify"


def connect(app: App, config: ConnectionConfig, *, dry_run: bool) -> tuple[Checked, int, bool]:
    """Check, and unless something blocks or it is a dry run, store and subscribe.

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
                uri=f"{public.rstrip('/')}{HOOK}" if public else None,
                is_subscribed_by_app=store.subscriptions == "app",
            ),
        )
        for n, store in enumerate(config.stores)
    }
    platform = Ometria(config.ometria.base_url, resolve(config.ometria.api_key, "ometria.api_key").reveal())
    checked = checking.check(stores, platform)
    if dry_run or not checked.is_good:
        return checked, 0, False
    with app.db.transaction() as tx:
        is_new = connections.save(tx, config, app.clock.now())
        # From now on nothing that changes is missed, whether or not its webhook comes.
        for store in config.stores:
            names = [f"poll:{kind}" for kind in ("product", "customer", "order", "checkout")]
            runs.begin(tx, config.name, store.name, names, app.clock.now())
    app.forget()
    return checked, checking.subscribe(stores, checked), is_new


def load(
    app: App,
    name: str,
    stores: Sequence[str],
    kinds: Sequence[str],
    *,
    since: datetime | None,
    again: bool,
    tell: Callable[[Progress], None],
) -> int:
    """Put history on the road, store by store; how many records were listed."""
    road = app.road(name)
    n = 0
    for store in stores:
        if again:
            with app.db.transaction() as tx:
                runs.start_over(tx, name, store, [f"load:{kind}" for kind in kinds])
        n += backfill.backfill(app.db, road, store, kinds, since=since, tell=tell)
    return n
