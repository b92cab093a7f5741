"""Hold campaigns back from people who have trouble with an order, and let them go when it is over."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from isthmus.customer_metrics.sql import service_hold as holds
from isthmus.customer_metrics.sql.order_totals import Buyer, OrderOwner
from isthmus.customer_metrics.sql.service_hold import HoldInput
from isthmus.db.pool import Database, Tx
from isthmus.flows import refresh_metrics
from isthmus.flows.change import RecordTransition
from isthmus.flows.context import ConnectionContext
from isthmus.kit.email import normalise_email
from isthmus.mapping import service_hold
from isthmus.model.lane import Lane
from isthmus.model.order import Order
from isthmus.model.service_hold import ServiceHoldState

AT_ONCE = 1_000
"""Orders of one page."""


def save_service_holds(
    tx: Tx, context: ConnectionContext, changes: Iterable[RecordTransition], now: datetime
) -> list[OrderOwner]:
    """Keep what the orders among these ask for, with the change that made it so; whose hold that may have changed."""
    told = []
    for change in changes:
        order = change.last
        if isinstance(order, Order):
            asked = service_hold.hold_of_order(
                order, context.shops[change.key[1]].rules, now, is_deleted=change.is_gone
            )
            told.append(HoldInput(change.key[1], order.id, asked, order.customer_id, normalise_email(order.email)))
    return holds.save_holds(tx, context.connection, told)


def holds_of_customers(
    tx: Tx, context: ConnectionContext, buyers: Mapping[tuple[str, int], Buyer]
) -> dict[tuple[str, int], ServiceHoldState | None]:
    """By which hold each of these people is held, where it is told: the one that ends last of all their orders'."""
    asked = {key: one for key, one in buyers.items() if context.shops[key[0]].rules.hold_for}
    found = holds.holds_of_people(tx, context.connection, list(asked.values()))
    return {customer: service_hold.longest_hold(some) for customer, some in zip(asked, found, strict=True)}


def release_expired_holds(db: Database, context: ConnectionContext) -> int:
    """Let go of a page of people whose time is up; how many of their contacts are to be mapped again.

    Behind what happens now: nobody waits for being written to again, and many may come at once.
    """
    now = context.clock.now()
    with db.transaction() as tx:
        owners = holds.delete_expired_holds(tx, context.connection, now, AT_ONCE)
        return refresh_metrics.request_remap_of_owners(tx, context, owners, Lane.REPAIR, now)
