"""Read one store whole: three bulk operations at once, then the heaviest records one by one."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any

from msgspec import Struct

from isthmus.cases.catalogue import row_of as catalogue
from isthmus.checks.runner import CheckRunner, Observer
from isthmus.flows.audit.progress import ProgressCounter
from isthmus.flows.audit.samples import OrderNumbers, Sample
from isthmus.flows.context import Reader
from isthmus.kit.clock import Clock
from isthmus.mapping.rules import Rules
from isthmus.model.audit_rows import CustomerRow, Mapped, OrderRow, ProductRow, ReadDenied, ShopFacts, Source
from isthmus.model.failure import BlockedError, Failure, TransientError
from isthmus.shopify import audit_reads
from isthmus.shopify.access import Expected
from isthmus.shopify.bulk import BROKEN, Bulk, BulkStatus, Operation
from isthmus.shopify.client import Shopify

PATIENCE = timedelta(minutes=30)
"""How long an operation may stand still before we go without it."""

TRIES = 3
"""Operations for one source before it is given up."""

TURN = 1.0
"""Seconds between two looks at the operations of a store."""

_NO_NEIGHBOUR = frozenset({"storefront.access_denied", "storefront.protected_data_missing"})
"""Codes of a shop that is there and answers, and keeps something from us."""


class AuditedStore(Struct, frozen=True):
    """One store to look at."""

    name: str
    shop: Shopify
    bulk: Bulk
    reader: Reader
    rules: Rules
    expected: Expected


class Unread:
    """Sources that were not read whole, each with the reasons; and external APIs that were not there."""

    def __init__(self) -> None:
        self.why: dict[Source, str] = {}
        self.away: list[str] = []

    def note(self, source: Source, who: str, failure: Failure) -> None:
        title = catalogue(failure.code).title
        reason = f"{who}: {title[:1].lower()}{title[1:]} ({failure.code})"
        self.add(source, reason)
        if isinstance(failure, TransientError | BlockedError) and failure.code not in _NO_NEIGHBOUR:
            self.away.append(who)

    def add(self, source: Source, reason: str) -> None:
        before = self.why.get(source)
        if before is None or reason not in before:
            self.why[source] = reason if before is None else f"{before}, {reason}"


def read_store(
    store: AuditedStore, facts: ShopFacts, round_: CheckRunner, seen: ProgressCounter, unread: Unread, clock: Clock
) -> OrderNumbers:
    """Products, customers, orders and a sample of one store; all three operations are under way at once.

    Returns which order carries which number.
    """
    sample = Sample()
    begun: dict[Source, Operation] = {}
    try:
        for source in audit_reads.QUERIES:
            try:
                begun[source] = _begin(store.bulk, source, clock)
            except Failure as failure:
                _missed(store, source, failure, round_, unread)
        for source, operation in begun.items():
            try:
                _read_rows(store, source, operation, facts, round_, sample, seen, clock)
            except Failure as failure:
                _missed(store, source, failure, round_, unread)
    except BaseException:
        for operation in begun.values():
            with contextlib.suppress(Failure):
                store.bulk.cancel(operation.gid)
        raise
    try:
        show = round_.eyes(Mapped)
        for row in seen.of(Source.SAMPLE, sample.mapped(store.reader, store.rules), store=store.name):
            show(row)
    except Failure as failure:
        _missed(store, Source.SAMPLE, failure, round_, unread)
    return sample.numbers


def _missed(store: AuditedStore, source: Source, failure: Failure, round_: CheckRunner, unread: Unread) -> None:
    unread.note(source, f"store {store.name}", failure)
    round_.eyes(ReadDenied)(ReadDenied(store.name, source, failure.code))


def _begin(bulk: Bulk, source: Source, clock: Clock) -> Operation:
    """An operation under way. Where others keep it waiting, we wait as well."""
    ends = clock.now() + PATIENCE
    while True:
        try:
            return bulk.start(audit_reads.QUERIES[source].text, group_objects=source is Source.PRODUCTS)
        except TransientError as failure:
            if clock.now() >= ends:
                raise
            clock.wait(failure.retry_after.total_seconds() if failure.retry_after else TURN)


def _read_rows(
    store: AuditedStore,
    source: Source,
    operation: Operation,
    facts: ShopFacts,
    round_: CheckRunner,
    sample: Sample,
    seen: ProgressCounter,
    clock: Clock,
) -> None:
    """Show every row of one source. An operation that fails is begun again, TRIES times in all."""
    total = facts.counts.get(source.removesuffix("s"))
    for left in reversed(range(TRIES)):
        done = _finished(store.bulk, operation, clock, lambda n: seen.gathering(source, store.name, n, total))
        if done.status is BulkStatus.COMPLETED and (done.url or not done.n_objects):
            break
        if not left:
            why = done.error_code or ("no file" if done.status is BulkStatus.COMPLETED else "no code")
            raise TransientError(BROKEN, f"{done.status.lower()}, {why.lower()}")
        operation = _begin(store.bulk, source, clock)
    rows, weigh, kind = _sorts(sample)[source]
    show = round_.eyes(kind)
    lines = store.bulk.lines(done.url) if done.url else ()
    for row in seen.of(source, rows(lines, store.name), done.n_roots or None, store=store.name):
        if not (isinstance(row, OrderRow) and row.is_test):
            show(row)
            weigh(row)


def _sorts(sample: Sample) -> dict[Source, tuple[Callable[[Iterable[bytes], str], Iterator[Any]], Observer, type]]:
    """How each source's lines are read, weighed and shown."""
    return {
        Source.PRODUCTS: (audit_reads.read_product_rows, sample.thing, ProductRow),
        Source.CUSTOMERS: (audit_reads.read_customer_rows, sample.person, CustomerRow),
        Source.ORDERS: (audit_reads.read_order_rows, sample.sale, OrderRow),
    }


def _finished(bulk: Bulk, operation: Operation, clock: Clock, tell: Callable[[int], None]) -> Operation:
    """The operation once it has ended, well or not; TransientError `storefront.bulk_failed` if it stands still."""
    at, n = clock.now(), -1
    while True:
        now = bulk.look(operation.gid)
        if now is None:
            raise TransientError(BROKEN, "it is not known any more")
        if not now.status.is_under_way:
            return now
        if now.n_objects != n:
            at, n = clock.now(), now.n_objects
            tell(now.n_roots)
        elif clock.now() - at > PATIENCE:
            raise TransientError(BROKEN, "it stands still")
        clock.wait(TURN)
