"""The bulk operations of every store: started, run by the clock, finished, failed on demand.

https://shopify.dev/docs/api/usage/bulk-operations/queries
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from graphql import GraphQLSchema

from sims.faults import Faults
from sims.shopify.bulk import check, output
from sims.shopify.bulk.export import Export
from sims.shopify.bulk.knobs import FAILURES, KNOBS, WITHOUT_PARTIAL, struck
from sims.shopify.bulk.output import Output
from sims.shopify.bulk.record import UNDER_WAY, Operation
from sims.shopify.bulk.wide import wide
from sims.shopify.bulk.writing import write
from sims.shopify.events import Event
from sims.shopify.state import World, gid
from sims.shopify.views.sight import Sight
from sims.wire import Request, Response

AT_ONCE = 5
"""Operations of an app in a shop under way together from API 2026-01 on, before that one of a type (captured;
https://shopify.dev/docs/api/usage/bulk-operations/queries#limitations)."""

LONGEST = timedelta(days=10)
"""After this an operation is stopped and has failed."""

KEPT = 200
"""Results kept; each is an open file."""

ELSEWHERE = "{ products { edges { node { id } } } }"
"""What an operation that keeps us waiting asks for."""


class Bulk:
    """Every store's operations.

    `tick` does what is due by the clock. Where nobody ticks from a thread (`is_served` is false) whoever looks does.
    """

    def __init__(
        self, world: World, faults: Faults, schema: GraphQLSchema, emit: Callable[[list[Event]], None]
    ) -> None:
        faults.declare(KNOBS)
        self._world, self._faults, self._schema, self._emit = world, faults, schema, emit
        self._key = hashlib.sha256(f"outputs {world.seed}".encode()).digest()
        self._running = threading.Lock()
        self._outputs: dict[str, Output] = {}
        self.is_served = False
        self.operations: dict[int, Operation] = {}

    def start(self, sight: Sight, query: str, is_grouped: bool) -> tuple[Operation | None, list[dict[str, Any]]]:
        """Begin an operation; returns it, or the user errors that say why not."""
        document, complaints = check.read(query, self._schema)
        if document is None:
            return None, [{"field": ["query"], "message": each, "code": "INVALID"} for each in complaints]
        shop = sight.store.shop.domain
        busy = sorted(each.id for each in self.of(shop) if each.status in UNDER_WAY)
        if len(busy) >= (AT_ONCE if sight.version >= "2026-01" else 1):
            named = ", ".join(gid("BulkOperation", each) for each in busy)
            told = f"A bulk query operation for this app and shop is already in progress: {named}."
            return None, [{"field": None, "message": told, "code": "OPERATION_IN_PROGRESS"}]
        export = Export.compile(self._schema, document)
        one = Operation(self._world.next_id(), shop, query, is_grouped, self._world.clock.now())
        one.faults = struck(self._faults, export.kinds)
        one.output = Output(hashlib.sha256(f"{one.id} {self._key!r}".encode()).hexdigest()[:28])
        one.writing = write(one, one.output, export, wide(sight), self._faults)
        self.operations[one.id] = one
        return one, []

    def cancel(self, shop: str, number: int) -> tuple[Operation | None, list[dict[str, Any]]]:
        """Ask an operation to stop; it has stopped at the next tick."""
        one = self.find(shop, number)
        if one is None:
            return None, [{"field": ["id"], "message": "Bulk operation does not exist"}]
        if one.status not in UNDER_WAY:
            told = f"A bulk operation cannot be canceled when it is {one.status.lower()}"
            return one, [{"field": None, "message": told}]
        if one.status != "CANCELING":
            one.status, one.canceled_at = "CANCELING", self._world.clock.now()
        return one, []

    def find(self, shop: str, number: int) -> Operation | None:
        """Return a shop's operation as it is by the clock."""
        return next((each for each in self.of(shop) if each.id == number), None)

    def of(self, shop: str) -> list[Operation]:
        """Return a shop's operations as they are by the clock, oldest first."""
        self._crowd(shop)
        if not self.is_served:
            self.tick(shop)
        return [each for each in list(self.operations.values()) if each.shop == shop]

    def throttles_start(self, text: str) -> bool:
        """Say whether a call that starts an operation is to be throttled."""
        left = self._faults.get("shopify.bulk_throttle_start")
        if not left or "bulkOperationRunQuery" not in text:
            return False
        self._faults.set({"shopify.bulk_throttle_start": left - 1})
        self._faults.count("shopify.bulk_throttle_start")
        return True

    def tick(self, shop: str | None = None) -> bool:
        """Do what is due by the clock; say whether lines were written."""
        wrote = False
        if not self._running.acquire(blocking=False):
            return False  # somebody is at it
        try:
            now = self._world.clock.now()
            for one in list(self.operations.values()):
                if shop in (None, one.shop):
                    wrote = self._go_on(one, now) or wrote
        finally:
            self._running.release()
        return wrote

    def url(self, one: Operation, base: str) -> str | None:
        """Return where an operation's result is, if it has one."""
        if one.output is None or one.ends_at is None or not one.output.size or "bulk_without_url" in one.faults:
            return None
        return output.address(base, one.output, one.id, one.ends_at, self._key)

    def fetch(self, request: Request) -> Response:
        """Answer a request for a result file."""
        cut, left = self._faults.get("shopify.bulk_cut"), self._faults.get("shopify.bulk_cuts")
        now, expired = self._world.clock.now(), self._faults.get("shopify.bulk_expired_status")
        answer = output.fetch(request, self._outputs, now, self._key, expired=expired, cut=cut if left else 0)
        if cut and left and answer.stream is not None:
            self._faults.count("shopify.bulk_cut")
            self._faults.set({"shopify.bulk_cuts": left - 1 if left > 0 else left})
        return answer

    def report(self) -> dict[str, int]:
        """Count operations by their state."""
        found = [each.status.lower() for each in list(self.operations.values())]
        return {status: found.count(status) for status in sorted(set(found))}

    def _crowd(self, shop: str) -> None:
        """Keep as many foreign operations under way as the knob says."""
        wanted, now = self._faults.get("shopify.bulk_busy"), self._world.clock.now()
        there = [one for one in list(self.operations.values()) if one.is_foreign and one.shop == shop]
        busy = [one for one in there if one.status in UNDER_WAY]
        for one in busy[wanted:]:
            one.status, one.completed_at = "COMPLETED", now
        for _ in range(wanted - len(busy)):
            one = Operation(self._world.next_id(), shop, ELSEWHERE, False, now, "RUNNING", is_foreign=True)
            self.operations[one.id] = one
            self._faults.count("shopify.bulk_busy")

    def _go_on(self, one: Operation, now: datetime) -> bool:
        if one.status == "CANCELING":
            stops_after = timedelta(seconds=self._faults.get("shopify.bulk_stops_after"))
            if one.canceled_at is None or now - one.canceled_at >= stops_after:
                one.status, one.writing, one.output = "CANCELED", None, None
                self._tell(one)
            return False
        if one.status == "COMPLETED" and one.completed_at is not None and now >= one.completed_at + output.LASTS:
            one.status = "EXPIRED"  # "The bulk operation URL has expired"
            one.output = None
        if one.status in UNDER_WAY and now - one.created_at > LONGEST:
            self._finish(one, now, "FAILED", "TIMEOUT")
        if one.status not in UNDER_WAY or one.writing is None:
            return False
        ran_for = (now - one.created_at).total_seconds() - self._faults.get("shopify.bulk_starts_after")
        if ran_for < 0:
            return False
        one.status = "RUNNING"
        due = ran_for * self._faults.get("shopify.bulk_rows_per_second")
        wrote = False
        while one.writing is not None and one.n_objects <= due:
            wrote = True
            with self._world.lock:
                if next(one.writing, one) is one:
                    self._written(one, now)
            if self.is_served:
                break  # others want the world too
        return wrote

    def _written(self, one: Operation, now: datetime) -> None:
        one.writing = None
        if one.doom is not None:
            if one.doom in WITHOUT_PARTIAL:
                one.output = None
            self._finish(one, now, "FAILED", FAILURES[one.doom])
        elif "bulk_never_finishes" not in one.faults:
            self._finish(one, now, "COMPLETED")

    def _finish(self, one: Operation, now: datetime, status: str, error: str | None = None) -> None:
        one.status, one.error_code, one.completed_at, one.writing = status, error, now, None
        if "bulk_expire" in one.faults and status == "COMPLETED":
            one.status, one.output = "EXPIRED", None
        if one.output is not None and not one.output.size:
            one.output = None
        if one.output is not None:
            one.output.flush()
            self._outputs[one.output.name] = one.output
            one.ends_at = now if "bulk_url_expired" in one.faults else now + output.LASTS
            while len(self._outputs) > KEPT:
                self._outputs.pop(next(iter(self._outputs)))
        self._tell(one)

    def _tell(self, one: Operation) -> None:
        detail = {
            "created_at": one.created_at,
            "completed_at": one.completed_at,
            "error_code": one.error_code.lower() if one.error_code else None,
            "status": one.status.lower(),
        }
        with self._world.lock:
            self._emit([Event(one.shop, "bulk_operations/finish", one.id, detail=detail)])
