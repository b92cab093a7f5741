"""Hold campaigns back from people who have trouble with an order, and let them go when it is over."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from isthmus.db.pool import Database, Tx
from isthmus.flows import revalue
from isthmus.flows.change import Change
from isthmus.flows.road import Road
from isthmus.kit.email import normalise
from isthmus.mapping import hold
from isthmus.metrics.hold import sql as holds
from isthmus.metrics.hold.sql import Told
from isthmus.metrics.sql import Buyer, Owner
from isthmus.model.hold import Hold
from isthmus.model.lane import Lane
from isthmus.model.order import Order

AT_ONCE = 1_000
"""Orders of one page."""


def keep(tx: Tx, road: Road, changes: Iterable[Change], now: datetime) -> list[Owner]:
    """Keep what the orders among these ask for, with the change that made it so; whose hold that may have changed."""
    told = []
    for change in changes:
        order = change.last
        if isinstance(order, Order):
            asked = hold.of_order(order, road.shops[change.key[1]].rules, now, is_deleted=change.is_gone)
            told.append(Told(change.key[1], order.id, asked, order.customer_id, normalise(order.email)))
    return holds.keep(tx, road.connection, told)


def of_buyers(tx: Tx, road: Road, buyers: Mapping[tuple[str, int], Buyer]) -> dict[tuple[str, int], Hold | None]:
    """By which hold each of these people is held, where it is told: the one that ends last of all their orders'."""
    asked = {key: one for key, one in buyers.items() if road.shops[key[0]].rules.hold_for}
    found = holds.of_people(tx, road.connection, list(asked.values()))
    return {customer: hold.longest(some) for customer, some in zip(asked, found, strict=True)}


def release(db: Database, road: Road) -> int:
    """Let go of a page of people whose time is up; how many of their contacts are to be mapped again.

    Behind what happens now: nobody waits for being written to again, and many may come at once.
    """
    now = road.clock.now()
    with db.transaction() as tx:
        owners = holds.release(tx, road.connection, now, AT_ONCE)
        return revalue.ask(tx, road, owners, Lane.REPAIR, now)
