"""Look at a shop, and at the platform, before anything is joined; changes nothing on either side."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from isthmus.checks.every import Setting, every
from isthmus.checks.load_time import LoadTime
from isthmus.checks.round import Round
from isthmus.model.census import Person, Sale, Source, Thing
from isthmus.model.finding import Audit, Fact
from isthmus.shopify import exports
from isthmus.shopify.exports import Exports, Owners


class Step(Struct, frozen=True):
    """How far a reading got: `n` of `total`, where that is known."""

    what: str
    n: int
    total: int | None = None
    is_done: bool = False


Tell = Callable[[Step], None]

TELL_EVERY = 2_000
"""Rows between two words about progress."""

_NOT_IN_EXPORTS = {
    Source.CONSENT: "the export tells who accepts marketing, neither since when nor how they agreed",
    Source.SHOP: "an export tells nothing of the shop's settings, access and webhooks",
    Source.SAMPLE: "an export does not hold whole records",
    Source.PROFILES: "Ometria was not asked",
    Source.WRITERS: "Ometria was not asked",
}


def from_exports(files: Exports, setting: Setting, now: datetime, tell: Tell) -> Audit:
    """Audit the CSV files that a shop exported; no neighbour is asked.

    Raises ConfigError for a file that is no export of Shopify's, naming it, its line or its column.
    """
    checks = every(setting)
    round_, seen = Round(checks), Seen(tell)
    customers, orders, products = (files.files.get(kind, ()) for kind in ("customers", "orders", "products"))
    unread = dict(_NOT_IN_EXPORTS)
    for source, paths in ((Source.CUSTOMERS, customers), (Source.ORDERS, orders), (Source.PRODUCTS, products)):
        if not paths:
            unread[source] = f"there is no {source}_export.csv"
    if not customers:
        unread[Source.OWNERS] = unread[Source.CUSTOMERS]
    owners = Owners()
    currency = exports.currency(orders[0]) if orders else ""
    show = round_.eyes(Person)
    for row in seen.of(Source.CUSTOMERS, _customers(customers, currency)):
        owners.add(row)
        show(row)
    show = round_.eyes(Sale)
    for sale in seen.of(Source.ORDERS, (row for path in orders for row in exports.orders(path, owners))):
        show(sale)
    show = round_.eyes(Thing)
    for thing in seen.of(Source.PRODUCTS, (row for path in products for row in exports.products(path))):
        show(thing)
    return Audit(
        name="export",
        at=now,
        origin=", ".join(path.name for paths in (customers, orders, products) for path in paths),
        answers=tuple(round_.answers(unread)),
        pictures=tuple(round_.pictures(unread)),
        facts=tuple(load_facts(checks)) if not unread.keys() & LoadTime.needs else (),
        read=dict(seen.counts),
    )


def load_facts(checks: Iterable[Any]) -> Iterator[Fact]:
    """How long the first load will take, as one line."""
    for check in checks:
        if isinstance(check, LoadTime):
            took = f"{check.seconds / 3600:.1f} hours" if check.seconds > 5400 else f"{check.seconds / 60:.0f} minutes"
            yield Fact("First load", f"{check.n:,} records, at least {took} under the account's limit")


class Seen:
    """Counts what goes by, and tells of it now and then."""

    def __init__(self, tell: Tell) -> None:
        self.counts: Counter[str] = Counter()
        self._tell = tell

    def of(self, what: str, rows: Iterable[Any], total: int | None = None) -> Iterator[Any]:
        n = 0
        for row in rows:
            yield row
            n += 1
            if not n % TELL_EVERY:
                self._tell(Step(what, n, total))
        self.counts[what] += n
        self._tell(Step(what, n, total, is_done=True))


def _customers(paths: Iterable[Path], currency: str) -> Iterator[Person]:
    n = 0
    for path in paths:
        for row in exports.customers(path, currency, n + 2):
            n += 1
            yield row
