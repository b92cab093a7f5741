"""What one request sees of the world: one store at one moment, and the searches it made."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sims.faults import Faults
from sims.shopify import search
from sims.shopify.events import Event
from sims.shopify.filters import SORTS, words
from sims.shopify.pages import Page, Place, window
from sims.shopify.run import Run, unwind
from sims.shopify.search import Field, Search
from sims.shopify.sorting import STEADY, Sorting, in_order
from sims.shopify.state import Order, Store, World
from sims.shopify.versions import OLDEST

if TYPE_CHECKING:
    from sims.shopify.bulk.operations import Bulk

RECENT = timedelta(days=60)
"""How far back an app sees orders unless it was granted all of them."""


@dataclass(slots=True)
class Sight:
    """One request's view of one store at one moment.

    `lag` is how far search trails behind, `emit` carries events away.

    `bulk` keeps the operations of every store; `base` is the address the request was sent to; `faults` are
    the knobs that writes meet.
    """

    world: World
    store: Store
    now: datetime
    run: Run
    scopes: frozenset[str]
    lag: timedelta = timedelta(0)
    app_id: int = 0
    insecure_callbacks: bool = False
    tells_searches: bool = False
    emit: Callable[[list[Event]], None] = lambda _: None
    sortings: dict[tuple[str, str, str], Sorting] = field(default_factory=dict)
    searches: list[tuple[list[str | int], Search]] = field(default_factory=list)
    version: str = OLDEST
    bulk: Bulk | None = None
    base: str = ""
    faults: Faults | None = None

    def find(
        self,
        kind: str,
        records: Mapping[int, Any],
        view: Callable[[Any], Any],
        known: Mapping[str, Field],
        query: str | None,
        sort_key: str,
        is_whole: bool = True,
        **asked: Any,
    ) -> Page:
        """Return a page of the `kind` of records, sorted, and searched when there is a query.

        The sorting of a store's `is_whole` kind is kept; a few records of one owner are sorted again.
        """
        places, matches = self.narrow(kind, records, known, query, sort_key, is_whole)
        test: Callable[[Place], bool] | None = None
        if matches is not None:
            chosen = matches

            def test(place: Place) -> bool:
                return chosen(records[place[1]])

        return window(places, lambda place: view(records[place[1]]), matches=test, **asked)

    def narrow(
        self,
        kind: str,
        records: Mapping[int, Any],
        known: Mapping[str, Field],
        query: str | None,
        sort_key: str,
        is_whole: bool,
    ) -> tuple[Sequence[Place], Callable[[Any], bool] | None]:
        """Return the places that may match, sorted, and the test of a record where there is a query."""
        key = SORTS[kind][sort_key]
        places = self._kept(kind, records, sort_key, key) if is_whole else in_order(records, key)
        if not query or not query.strip():
            return places, None
        matches = self.matcher(query, known)
        low, high = self.searches[-1][1].bounds.get(sort_key.lower(), (None, None))
        start = bisect_left(places, (low, 0)) if low is not None else 0
        stop = bisect_left(places, (high, 0)) if high is not None else len(places)
        return places[start:stop], matches

    @property
    def orders(self) -> Mapping[int, Order]:
        """The orders the app may see: without `read_all_orders` only those of the last 60 days."""
        if "read_all_orders" in self.scopes:
            return self.store.orders
        since = self.now - RECENT
        return {number: order for number, order in self.store.orders.items() if order.created_at >= since}

    def count(self, records: Iterable[Any], query: str | None, known: Mapping[str, Field]) -> int:
        """Count what a query matches."""
        if not query or not query.strip():
            return sum(1 for _ in records)
        matches = self.matcher(query, known)
        return sum(1 for record in records if matches(record))

    def matcher(self, query: str, known: Mapping[str, Field]) -> Callable[[Any], bool]:
        """Return a query as a test of records; search does not see yet what is younger than the lag.

        ASSUMED: a change younger than the lag hides its record from searches by `updated_at` only.
        """
        found = search.parse(query, known, words)
        self.searches.append((list(unwind(self.run.at)), found))
        if not self.lag:
            return found.matches
        horizon, by_change = self.now - self.lag, "updated_at" in found.fields
        return lambda record: (
            record.created_at <= horizon and (not by_change or record.updated_at <= horizon) and found.matches(record)
        )

    def _kept(self, kind: str, records: Mapping[int, Any], name: str, key: Callable[[Any], Any]) -> Sequence[Place]:
        slot = (self.store.shop.domain, kind, name)
        known = self.sortings.get(slot)
        if known is None:
            known = self.sortings[slot] = Sorting(key, is_steady=name in STEADY)
        return known.places(self.store, records)
