"""Audit a folder of exports, or a connection, with settings resolved."""

import contextlib
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx2

from isthmus.checks.every import Setting
from isthmus.connections.config import ConnectionConfig
from isthmus.connections.custom import key_of
from isthmus.connections.secrets import resolve
from isthmus.connections.sql import Connected
from isthmus.flows.audit import export, live
from isthmus.flows.audit.others import UNKEYED
from isthmus.flows.audit.shops import Store
from isthmus.flows.audit.telling import Say, Tell
from isthmus.kit.clock import SystemClock
from isthmus.model.finding import Audit
from isthmus.ometria.limits import PUSHES_PER_SECOND
from isthmus.runtime import neighbours
from isthmus.runtime.expected import expected
from isthmus.runtime.rules import rules
from isthmus.runtime.settings import Settings
from isthmus.shopify import exports
from isthmus.shopify.bulk import Bulk
from isthmus.shopify.reads import Reads

PATIENCE = 60.0
"""Seconds that a call may wait for points: nobody waits for an audit."""


def of_exports(folder: Path, tell: Tell) -> Audit:
    """Shopify's CSV exports alone: neither database nor neighbour is needed. ConfigError for other files."""
    now = SystemClock().now()
    setting = Setting(today=now.date(), pushes_per_second=Decimal(PUSHES_PER_SECOND))
    return export.from_exports(exports.find(folder), setting, now, tell)


def of_connection(
    config: ConnectionConfig,
    settings: Settings,
    tell: Tell,
    say: Say,
    *,
    budget: timedelta | None,
    share: float = 1.0,
) -> Audit:
    """A connection, stored or not; writes nothing, neither there nor here, and needs no database.

    `share` of the account's readings is taken.

    Raises BlockedError `integration.secret_missing`.
    """
    for key, reference in config.secrets():
        resolve(reference, key)
    clock = _clock(settings)
    now = clock.now()
    public, mode = settings.web.public_url, config.connection
    passing = Connected(config, now, None, None, None, None, frozenset())
    setting = Setting(
        today=now.date(),
        pushes_per_second=Decimal(str(config.ometria.push_per_second)),
        reporting=config.ometria.reporting_currency,
        rated=frozenset(config.ometria.rates),
        is_decided=mode.takeover is not None,
        mapped=frozenset((one.owner, key_of(one), one.type) for one in config.mapping.metafields),
    )
    with contextlib.ExitStack() as stack:
        stores = []
        for n, store in enumerate(config.stores):
            shop = stack.enter_context(neighbours.shopify(config, n, clock, patience=PATIENCE))
            own, told = rules(passing, store, UNKEYED), expected(config, store, public, clock.now())
            stores.append(Store(store.name, shop, Bulk(shop), Reads(shop, own.keys), own, told))
        platform = stack.enter_context(neighbours.ometria(config))
        per_second = float(config.ometria.read_per_second) * share
        what = live.Connected(config.name, stores, platform, per_second, config.ometria.collection, budget)
        return live.of_connection(what, setting, clock, tell, say)


def _clock(settings: Settings) -> SystemClock:
    """Our own clock, or a simulator's where the settings follow one."""
    clock = SystemClock()
    if settings.clock.follow is not None:
        told = httpx2.get(f"{settings.clock.follow}/_sim/clock", timeout=2.0).json()
        clock.agree(datetime.fromisoformat(told["now"]))
    return clock
