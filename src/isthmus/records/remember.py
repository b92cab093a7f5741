"""What a record keeps although its newest body no longer tells it."""

import msgspec

from isthmus.model.checkout import Checkout
from isthmus.model.order import Order


def order(told: Order, known: Order | None) -> Order:
    """An order with what only we remember: its returns, where this shape cannot tell, and where its lines came from.

    Shopify empties a line's product and variant when the product is deleted, and says so in no update of the order.
    What was sold stays sold: the line keeps the ids it was sold under.
    """
    if known is None:
        return told
    if told.returns is None and known.returns is not None:
        told = msgspec.structs.replace(told, returns=known.returns)
    if all(line.product_id is not None for line in told.lines):
        return told
    sold_as = {line.id: line for line in known.lines if line.product_id is not None}
    lines = tuple(
        msgspec.structs.replace(line, product_id=sold_as[line.id].product_id, variant_id=sold_as[line.id].variant_id)
        if line.product_id is None and line.id in sold_as
        else line
        for line in told.lines
    )
    return msgspec.structs.replace(told, lines=lines)


def checkout(told: Checkout, known: Checkout | None) -> Checkout:
    """A checkout with the contact details that a listing leaves out and its webhook told."""
    if known is None:
        return told
    return msgspec.structs.replace(
        told,
        email=told.email or known.email,
        phone=told.phone or known.phone,
        customer_id=told.customer_id or known.customer_id,
    )
