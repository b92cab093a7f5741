"""Read what a whole shop says now of writing to its customers, by one bulk operation."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from isthmus.flows.context import ShopContext
from isthmus.kit.clock import Clock
from isthmus.model.customer import Here
from isthmus.model.failure import Failure, TransientError
from isthmus.shopify.bulk import BROKEN, Bulk, BulkStatus, Operation, bulk_query
from isthmus.shopify.parse import customer_node

PATIENCE = timedelta(minutes=15)
"""How long an operation may wait to begin, or stand still."""

TRIES = 3
TURN = 1.0
"""Seconds between two looks at an operation."""


class ShopConsentReading:
    """What a shop says of everybody, as of `began`: nothing that was said before is missing, later words may be."""

    def __init__(self, shop: ShopContext, clock: Clock) -> None:
        if shop.bulk is None:
            raise TransientError(BROKEN, "the shop has no bulk operations")
        self._bulk, self._clock = shop.bulk, clock
        self._done = self._operation(shop.bulk)
        self.began: datetime = min(self._done.created_at, clock.now())
        self.ended: datetime = clock.now()

    def __iter__(self) -> Iterator[Here]:
        """Every customer. Raises what the download raises, and RejectedError for a line that cannot be read."""
        n = 0
        for line in self._bulk.lines(self._done.url) if self._done.url else ():
            n += 1
            yield customer_node.parse_consents_json(line)
        if n < self._done.n_roots:
            raise TransientError(BROKEN, f"{self._done.n_roots} customers were counted and {n} came")

    def _operation(self, bulk: Bulk) -> Operation:
        for left in reversed(range(TRIES)):
            done = self._finished(bulk, self._begun(bulk))
            if done.status is BulkStatus.COMPLETED and (done.url or not done.n_roots):
                return done
            if not left:
                break
        why = (done.error_code or ("no file" if done.status is BulkStatus.COMPLETED else "no code")).lower()
        raise TransientError(BROKEN, f"{done.status.lower()}, {why}")

    def _begun(self, bulk: Bulk) -> Operation:
        ends = self._clock.now() + PATIENCE
        while True:
            try:
                return bulk.start(bulk_query("consent"))
            except TransientError as failure:
                if self._clock.now() >= ends:
                    raise
                self._clock.wait(failure.retry_after.total_seconds() if failure.retry_after else TURN)

    def _finished(self, bulk: Bulk, operation: Operation) -> Operation:
        at, n, n_failed = self._clock.now(), -1, 0
        while True:
            try:
                now = bulk.look(operation.gid)
                n_failed = 0
            except TransientError as failure:
                n_failed += 1
                if n_failed >= TRIES * 2:
                    raise
                self._clock.wait(failure.retry_after.total_seconds() if failure.retry_after else n_failed * TURN)
                continue
            if now is None:
                raise TransientError(BROKEN, "the operation is not known any more")
            if not now.status.is_under_way:
                return now
            if now.n_objects != n:
                at, n = self._clock.now(), now.n_objects
            elif self._clock.now() - at > PATIENCE:
                bulk.cancel(operation.gid)
                raise TransientError(BROKEN, "the operation stands still")
            self._clock.wait(TURN)


def describe_failure(failure: Failure) -> str:
    """A failure in a word that names nobody."""
    return failure.code
