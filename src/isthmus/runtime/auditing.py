"""Audit a folder of exports, or a connection, with settings resolved."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from isthmus.checks.every import Setting
from isthmus.connections.config import ConnectionConfig
from isthmus.connections.secrets import resolve
from isthmus.connections.sql import Connected
from isthmus.flows.audit import export, live
from isthmus.flows.audit.telling import Say, Tell
from isthmus.kit.clock import SystemClock
from isthmus.model.finding import Audit
from isthmus.ometria.limits import PUSHES_PER_SECOND
from isthmus.runtime.app import App
from isthmus.runtime.rules import rules
from isthmus.shopify import exports
from isthmus.shopify.access import Expected
from isthmus.shopify.bulk import Bulk
from isthmus.shopify.reads import Reads
from isthmus.web.server import SHOPIFY_HOOK


def of_exports(folder: Path, tell: Tell) -> Audit:
    """Shopify's CSV exports alone: neither database nor neighbour is needed. ConfigError for other files."""
    now = SystemClock().now()
    setting = Setting(today=now.date(), pushes_per_second=Decimal(PUSHES_PER_SECOND))
    return export.from_exports(exports.find(folder), setting, now, tell)


def of_connection(app: App, config: ConnectionConfig, tell: Tell, say: Say, *, budget: timedelta | None) -> Audit:
    """A connection, stored or not; writes nothing, neither there nor here. BlockedError for a missing secret."""
    for key, reference in config.secrets():
        resolve(reference, key)
    now = app.clock.now()
    public = app.settings.web.public_url
    passing = Connected(config, now, None, None, None, None, frozenset())
    stores = []
    for n, store in enumerate(config.stores):
        shop = app.shopify(passing, n, patience=60.0)
        expected = Expected(
            domain=store.domain,
            currency=store.currency,
            uri=f"{public.rstrip('/')}{SHOPIFY_HOOK}" if public else None,
            is_subscribed_by_app=store.subscriptions == "app",
        )
        own = rules(passing, store, app.hash_key)
        stores.append(live.Store(store.name, shop, Bulk(shop), Reads(shop), own, expected))
    setting = Setting(
        today=now.date(),
        pushes_per_second=Decimal(str(config.ometria.push_per_second)),
        reporting=config.ometria.reporting_currency,
        rated=frozenset(config.ometria.rates),
        is_decided=config.connection.takeover is not None,
    )
    what = live.Connected(
        config.name, stores, app.ometria(config), float(config.ometria.read_per_second), budget=budget
    )
    return live.of_connection(what, setting, app.clock, tell, say)
