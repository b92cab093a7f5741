"""The service hold: whoever has trouble with an order is to be left alone by campaigns, for a time.

A pure reading of one order's state, like its moments. A person is held by the trouble that lasts longest of all
their orders.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from isthmus.kit.money import ZERO
from isthmus.mapping import fields
from isthmus.mapping.custom_event import TROUBLE
from isthmus.mapping.order import PAID
from isthmus.mapping.rules import Rules
from isthmus.model.order import Fulfilment, Order
from isthmus.model.service_hold import ServiceHoldState

REASONS = ("fulfilment", "return", "cancelled", "refund")
"""What a hold may be for, the one to name first where two last equally long."""

_UNDER_WAY = frozenset({"requested", "open"})
"""States of a return that still keeps its person waiting; closed, declined and canceled end it
(https://shopify.dev/docs/api/admin-graphql/latest/enums/ReturnStatus)."""


def hold_of_order(order: Order, rules: Rules, now: datetime, *, is_deleted: bool = False) -> ServiceHoldState | None:
    """The hold that one order asks for, None when nothing is wrong with it or everything is over by `now`.

    Neither a test order nor one that is gone from the shop holds anybody.
    """
    if order.is_test or is_deleted:
        return None
    found = (
        ServiceHoldState(reason, fields.to_utc(at + rules.hold_for[reason]))
        for reason, at in _troubles(order)
        if reason in rules.hold_for
    )
    return longest_hold(hold for hold in found if hold.until > now)


def longest_hold(holds: Iterable[ServiceHoldState]) -> ServiceHoldState | None:
    """The hold that ends last."""
    return max(holds, key=lambda hold: (hold.until, -REASONS.index(hold.reason)), default=None)


def _troubles(order: Order) -> Iterator[tuple[str, datetime]]:
    """What is wrong, and since when."""
    if order.cancelled_at is not None:
        yield "cancelled", order.cancelled_at
    for refund in order.refunds:
        # One without money, of an order that was never paid, only took units off it.
        if refund.returned.shop > ZERO or order.financial_status in PAID:
            yield "refund", refund.created_at
    for returned in order.returns or ():
        if returned.status in _UNDER_WAY:
            yield "return", returned.created_at or order.created_at
    for parcel in order.fulfilments:
        if _is_in_trouble(parcel) and not _is_made_good(parcel, order):
            yield "fulfilment", parcel.updated_at


def _is_in_trouble(parcel: Fulfilment) -> bool:
    return parcel.status != "cancelled" and (parcel.status in TROUBLE or parcel.shipment in TROUBLE)


def _is_made_good(parcel: Fulfilment, order: Order) -> bool:
    """Whether another parcel, sent after it, has arrived."""
    return any(other.created_at > parcel.created_at and other.shipment == "delivered" for other in order.fulfilments)
