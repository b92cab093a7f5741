"""Audit the CSV files that a shop exported; no external API is asked."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from isthmus.checks.load_time import LoadTime
from isthmus.checks.registry import Setting, all_checks
from isthmus.checks.runner import CheckRunner
from isthmus.flows.audit.progress import ProgressCounter, ReportProgress, load_time_facts
from isthmus.model.audit_finding import AuditResult
from isthmus.model.audit_rows import CustomerRow, OrderRow, ProductRow, Source
from isthmus.shopify import exports
from isthmus.shopify.exports import Exports, Owners

_NOT_IN_EXPORTS = {
    Source.CONSENT: "the export tells who accepts marketing, neither since when nor how they agreed",
    Source.SHOP: "an export tells nothing of the shop's settings, access and webhooks",
    Source.SAMPLE: "an export does not hold whole records",
    Source.PROFILES: "Ometria was not asked",
    Source.WRITERS: "Ometria was not asked",
}


def audit_exports(files: Exports, setting: Setting, now: datetime, tell: ReportProgress) -> AuditResult:
    """Audit a folder's files.

    Raises ConfigError for a file that is no export of Shopify's, naming it, its line or its column.
    """
    checks = all_checks(setting)
    round_, seen = CheckRunner(checks), ProgressCounter(tell)
    customers, orders, products = (files.files.get(kind, ()) for kind in ("customers", "orders", "products"))
    unread = dict(_NOT_IN_EXPORTS)
    for source, paths in ((Source.CUSTOMERS, customers), (Source.ORDERS, orders), (Source.PRODUCTS, products)):
        if not paths:
            unread[source] = f"there is no {source}_export.csv"
    if not customers:
        unread[Source.OWNERS] = unread[Source.CUSTOMERS]
    owners = Owners()
    currency = exports.export_currency(orders[0]) if orders else ""
    show = round_.eyes(CustomerRow)
    for row in seen.of(Source.CUSTOMERS, _customers(customers, currency)):
        owners.add(row)
        show(row)
    show = round_.eyes(OrderRow)
    for sale in seen.of(Source.ORDERS, (row for path in orders for row in exports.export_orders(path, owners))):
        show(sale)
    show = round_.eyes(ProductRow)
    for thing in seen.of(Source.PRODUCTS, (row for path in products for row in exports.export_products(path))):
        show(thing)
    return AuditResult(
        name="export",
        at=now,
        origin=", ".join(path.name for paths in (customers, orders, products) for path in paths),
        answers=tuple(round_.answers(unread)),
        pictures=tuple(round_.pictures(unread)),
        facts=tuple(load_time_facts(checks)) if not unread.keys() & LoadTime.needs else (),
        read=dict(seen.counts),
    )


def _customers(paths: Iterable[Path], currency: str) -> Iterator[CustomerRow]:
    n = 0
    for path in paths:
        for row in exports.export_customers(path, currency, n + 2):
            n += 1
            yield row
