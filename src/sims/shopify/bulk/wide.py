"""How a bulk operation sees a store: every listing whole, each record as it is when its turn comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sims.shopify.pages import Place
from sims.shopify.run import Run
from sims.shopify.search import Field
from sims.shopify.views.sight import Sight


class Stream:
    """Every record of a listing, one after another, each as it is when its turn comes; deleted ones are passed over."""

    def __init__(
        self, places: list[Place], records: Mapping[int, Any], view: Callable[[Any], Any], matches: Any
    ) -> None:
        self._places, self._records, self._view, self._matches = places, records, view, matches
        self.at, self.size = 0, len(places)

    def __iter__(self) -> Iterator[Any]:
        for place in self._places:
            self.at += 1
            record = self._records.get(place[1])
            if record is not None and (self._matches is None or self._matches(record)):
                yield self._view(record)


@dataclass(slots=True)
class Wide(Sight):
    """A sight without pages: a listing is a stream over all of it."""

    def find(  # type: ignore[override]
        self,
        kind: str,
        records: Mapping[int, Any],
        view: Callable[[Any], Any],
        known: Mapping[str, Field],
        query: str | None,
        sort_key: str,
        is_whole: bool = True,
        **asked: Any,
    ) -> Stream:
        places, matches = self.narrow(kind, records, known, query, sort_key, is_whole)
        return Stream(list(reversed(places)) if asked.get("reverse") else list(places), records, view, matches)


def wide(sight: Sight) -> Wide:
    """Return a sight of the same store that lasts longer than a request."""
    run = Run({}, sight.scopes)
    return Wide(sight.world, sight.store, sight.now, run, sight.scopes, sight.lag, version=sight.version)
