"""How many orders there are and how many may be seen, said before a load begins.

Without read_all_orders those older than 60 days are hidden, and Shopify does not say how many those are
(https://shopify.dev/docs/api/usage/access-scopes). Orders are numbered as they come, from 1001 on unless the merchant
chose otherwise, so the newest one's number says about how many there have been.
"""

import re
from datetime import datetime

from msgspec import Struct

from isthmus.flows.context import ConnectionContext
from isthmus.shopify.bulk import Reach

FIRST_NUMBER = 1001


class OrderReach(Struct, frozen=True):
    """What of a store's orders can be seen. `n_there` is None where nothing tells it; `oldest_at` is of those seen."""

    store: str
    n_visible: int
    n_there: int | None
    sees_all: bool
    oldest_at: datetime | None

    @property
    def line(self) -> str:
        """The same for people."""
        if self.sees_all:
            return f"{self.store}: {self.n_visible:,} orders, all there are"
        since = f", the oldest of {self.oldest_at:%Y-%m-%d}" if self.oldest_at else ""
        there = (
            "how many exist nobody tells"
            if self.n_there is None
            else f"about {self.n_there:,} exist, going by the number of the newest"
        )
        return (
            f"{self.store}: {self.n_visible:,} orders can be seen{since}; {there}. Without the scope read_all_orders "
            "those older than 60 days are hidden"
        )


def read_order_reach(context: ConnectionContext, store: str) -> OrderReach:
    """Ask a store; changes nothing. Raises what the client raises."""
    bulk = context.shops[store].bulk
    assert bulk is not None  # noqa: S101 - every store that can be read has them
    return assess_order_reach(store, bulk.reach())


def assess_order_reach(store: str, reach: Reach) -> OrderReach:
    """What follows from what can be seen."""
    numbered = _number(reach.newest)
    there = reach.n_visible if reach.sees_all else numbered
    if there is not None and there < reach.n_visible:
        there = None  # they are numbered otherwise
    return OrderReach(
        store=store,
        n_visible=reach.n_visible,
        n_there=there,
        sees_all=reach.sees_all,
        oldest_at=reach.oldest.created_at if reach.oldest else None,
    )


def _number(name: str | None) -> int | None:
    digits = re.search(r"\d+", name or "")
    return int(digits[0]) - FIRST_NUMBER + 1 if digits else None
