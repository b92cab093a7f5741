"""How many records may change because something was inferred or a rule changed, before a person must look.

Counted per store, kind and cause over 24 hours and 7 days. What a body or a reading states is not counted here.
"""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

LEAST = 5
"""Changes that always pass, however small the store."""

ORDERS_WITHOUT_MONEY_CHECK = 3
"""So many orders pass whatever they hold; more are also held against the store's net."""

NET_SHARE = Decimal("0.01")
"""Share of the store's net of the last 90 days that inferred or rule changes of orders may hold."""

NET_DAYS = timedelta(days=90)
DAY = timedelta(days=1)
WEEK = timedelta(days=7)
WINDOWS = (DAY, WEEK)

EXPIRES_AFTER = timedelta(hours=24)
"""A stopped plan older than this can no longer be confirmed: it was counted on a state that is past."""

STATED_BY = frozenset(
    {
        "orders/delete",
        "customers/delete",
        "products/delete",
        "customers/merge",
        "customers/redact",
        "shop/redact",
        "confirm/order",
    }
)
"""Deliveries that say that a record is gone, and a person who confirmed it: nothing is inferred."""


class PlanCause(StrEnum):
    """Why records would change: none of these is stated by a body or a reading of the record itself."""

    ABSENCE = "absence"
    """A reading found nothing: the record becomes a tombstone, an order is cancelled, a product inactive."""
    RULES = "rules"
    """The mapping, the filter or a setting changed: the same record is sent otherwise."""
    MERGE = "merge"
    """Two people are merged by rule."""
    ERASURE = "erasure"
    """An erasure beyond its opt-out."""


class Recent(Struct, frozen=True):
    """What changed within one window: how many records, and the net of the orders among them."""

    n: int = 0
    net_mills: int = 0


class ChangeGroup(Struct, frozen=True, kw_only=True):
    """Changes of one store, kind and cause that are to be judged together, beside what changed lately.

    `n` and `net_mills` are what would change now, `n_told` how many that were when people were first told; `n_sent` is
    how many records of this kind the store has had sent, `net_90d_mills` the store's net of 90 days. `recent` is what
    changed in the last 24 hours and 7 days, or is about to.
    """

    store: str
    kind: str
    cause: PlanCause
    n: int
    n_sent: int
    net_mills: int = 0
    net_90d_mills: int = 0
    currency: str | None = None
    recent: tuple[Recent, Recent] = (Recent(), Recent())
    examples: tuple[str, ...] = ()
    n_told: int = 0


def change_limit(n_sent: int, max_share: float) -> int:
    """How many records of a kind may change within a window."""
    return max(LEAST, int(Decimal(str(max_share)) * n_sent))


def reason_to_stop(group: ChangeGroup, max_share: float) -> str | None:
    """Why these changes need a person, in one sentence; None where they may be carried out."""
    if not group.n:
        return None
    most = change_limit(group.n_sent, max_share)
    for recent, span in zip(group.recent, ("24 hours", "7 days"), strict=True):
        if recent.n + group.n > most:
            return (
                f"{recent.n + group.n} {group.kind}s within {span}; at most {most} of {group.n_sent} sent may change"
                " without a person"
            )
    if group.kind != "order":
        return None
    for recent, span in zip(group.recent, ("24 hours", "7 days"), strict=True):
        net = recent.net_mills + group.net_mills
        if recent.n + group.n > ORDERS_WITHOUT_MONEY_CHECK and net > NET_SHARE * group.net_90d_mills:
            n = recent.n + group.n
            return f"{n} orders within {span} hold more than {NET_SHARE:.0%} of the store's net of 90 days"
    return None


def count_within_limit(group: ChangeGroup, nets: Sequence[int], max_share: float) -> int:
    """How many of these changes, taken one after the other, may be carried out before they stop.

    `nets` has the net of each in thousandths, 0 for what is no order.
    """
    n = 0
    net = 0
    for one in nets:
        grown = ChangeGroup(
            store=group.store,
            kind=group.kind,
            cause=group.cause,
            n=n + 1,
            n_sent=group.n_sent,
            net_mills=net + one,
            net_90d_mills=group.net_90d_mills,
            recent=group.recent,
        )
        if reason_to_stop(grown, max_share) is not None:
            return n
        n, net = n + 1, net + one
    return n
