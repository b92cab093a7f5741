"""What one request sees of the world: one store at one moment, and the searches it made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sims.shopify import search
from sims.shopify.events import Event
from sims.shopify.filters import SORTS, words
from sims.shopify.pages import Page, Place, window
from sims.shopify.run import Run, unwind
from sims.shopify.search import Field, Search
from sims.shopify.state import Store, World


@dataclass(slots=True)
class Sorting:
    """A sorted list of places, right as long as the store's version stands still."""

    version: int
    places: Sequence[Place]


@dataclass(slots=True)
class Sight:
    """One request's view of one store; `lag` is how far search trails behind, `emit` carries events away."""

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

    def find(
        self,
        kind: str,
        records: Mapping[int, Any],
        view: Callable[[Any], Any],
        known: Mapping[str, Field],
        query: str | None,
        sort_key: str,
        slot: str = "",
        **asked: Any,
    ) -> Page:
        """Return a page of the `kind` of records, sorted, and searched when there is a query.

        `slot` tells records of one kind apart that are not all the store's, so that their sorting can be kept.
        """
        places = self._sorted(slot or kind, records, sort_key, SORTS[kind][sort_key])
        if query and query.strip():
            matches = self.matcher(query, known)
            places = [place for place in places if matches(records[place[1]])]
        return window(places, lambda place: view(records[place[1]]), **asked)

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

    def _sorted(self, kind: str, records: Mapping[Any, Any], name: str, key: Callable[[Any], Any]) -> Sequence[Place]:
        slot = (self.store.shop.domain, kind, name)
        known = self.sortings.get(slot)
        if known is None or known.version != self.store.version:
            places = sorted((key(each), each.id) for each in records.values())
            known = self.sortings[slot] = Sorting(self.store.version, places)
        return known.places
