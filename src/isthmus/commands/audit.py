"""Audit a folder of exports, or a connection, with settings resolved."""

import contextlib
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx2

from isthmus.app import clients
from isthmus.app.expected_stores import expected_store
from isthmus.app.rules import mapping_rules
from isthmus.app.settings import Settings
from isthmus.checks.registry import Setting
from isthmus.connections.config import ConnectionConfig
from isthmus.connections.custom import field_key
from isthmus.connections.secrets import resolve_secret
from isthmus.connections.sql import StoredConnection
from isthmus.flows.audit import export, run
from isthmus.flows.audit.foreign_records import UNKEYED
from isthmus.flows.audit.progress import ReportProgress, ReportText
from isthmus.flows.audit.read_store import AuditedStore
from isthmus.kit.clock import SystemClock
from isthmus.model.audit_finding import AuditResult
from isthmus.ometria.limits import PUSHES_PER_SECOND
from isthmus.shopify import exports
from isthmus.shopify.bulk import Bulk
from isthmus.shopify.reads import Reads

PATIENCE = 60.0
"""Seconds that a call may wait for points: nobody waits for an audit."""


def audit_exports(folder: Path, tell: ReportProgress) -> AuditResult:
    """Shopify's CSV exports alone: neither database nor neighbour is needed. ConfigError for other files."""
    now = SystemClock().now()
    setting = Setting(today=now.date(), pushes_per_second=Decimal(PUSHES_PER_SECOND))
    return export.audit_exports(exports.find_exports(folder), setting, now, tell)


def audit_connection(
    config: ConnectionConfig,
    settings: Settings,
    tell: ReportProgress,
    say: ReportText,
    *,
    budget: timedelta | None,
    share: float = 1.0,
) -> AuditResult:
    """A connection, stored or not; writes nothing, neither there nor here, and needs no database.

    `share` of the account's readings is taken.

    Raises BlockedError `integration.secret_missing`.
    """
    for key, reference in config.secrets():
        resolve_secret(reference, key)
    clock = _clock(settings)
    now = clock.now()
    public, mode = settings.web.public_url, config.connection
    passing = StoredConnection(config, now, None, None, None, None, frozenset())
    setting = Setting(
        today=now.date(),
        pushes_per_second=Decimal(str(config.ometria.push_per_second)),
        reporting=config.ometria.reporting_currency,
        rated=frozenset(config.ometria.rates),
        is_decided=mode.takeover is not None,
        mapped=frozenset((one.owner, field_key(one), one.type) for one in config.mapping.metafields),
    )
    with contextlib.ExitStack() as stack:
        stores = []
        for n, store in enumerate(config.stores):
            shop = stack.enter_context(clients.shopify_client(config, n, clock, patience=PATIENCE))
            own, told = mapping_rules(passing, store, UNKEYED), expected_store(config, store, public, clock.now())
            stores.append(AuditedStore(store.name, shop, Bulk(shop), Reads(shop, own.keys), own, told))
        platform = stack.enter_context(clients.ometria_client(config))
        per_second = float(config.ometria.read_per_second) * share
        what = run.AuditScope(config.name, stores, platform, per_second, config.ometria.collection, budget)
        return run.audit_connection(what, setting, clock, tell, say)


def _clock(settings: Settings) -> SystemClock:
    """Our own clock, or a simulator's where the settings follow one."""
    clock = SystemClock()
    if settings.clock.follow is not None:
        told = httpx2.get(f"{settings.clock.follow}/_sim/clock", timeout=2.0).json()
        clock.agree(datetime.fromisoformat(told["now"]))
    return clock
