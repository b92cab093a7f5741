"""Which money went back for which line, to the penny.

A refund record exists whether or not money moved (https://shopify.dev/docs/api/admin-graphql/latest/objects/Refund),
so what counts is `returned`. It is spread over the refund's lines up to their amounts; what is left belonged to no
line: first to shipping, as far as the refund names shipping, then to nobody (goodwill, an adjustment).
"""

from collections.abc import Callable, Sequence
from decimal import ROUND_DOWN, Decimal
from operator import attrgetter

from msgspec import Struct

from isthmus.kit.money import ZERO, quantize, smallest_unit
from isthmus.model.order import Amount, Order, RefundLine

Side = Callable[[Amount], Decimal]
"""Picks the shop's or the customer's currency out of an amount."""

SHOP: Side = attrgetter("shop")
PRESENTMENT: Side = attrgetter("presentment")


class Spread(Struct, frozen=True):
    """Money returned, in one currency: per line id, and how much of that was tax.

    `shipping_kept` is shipping that refunds name although its money stayed with the shop.
    """

    by_line: dict[int, Decimal]
    tax: Decimal
    shipping_kept: Decimal


def refunded_units(order: Order) -> dict[int, int]:
    """Units refunded per line id, whether or not money moved for them."""
    counted: dict[int, int] = {}
    for refund in order.refunds:
        for line in refund.lines:
            counted[line.line_id] = counted.get(line.line_id, 0) + line.quantity
    return counted


def allocate_refunds(order: Order, side: Side, currency: str) -> Spread:
    """Attribute every refund of the order; Σ by_line never exceeds what was returned."""
    known = {line.id for line in order.lines}
    by_line: dict[int, Decimal] = {}
    tax = shipping_kept = ZERO
    for refund in order.refunds:
        left = quantize(max(side(refund.returned), ZERO), currency)
        lines = [line for line in refund.lines if line.line_id in known]
        amounts = [_amount(line, side, currency, order.taxes_included) for line in lines]
        for line, amount, share in zip(
            lines, amounts, split_amount(left, amounts, smallest_unit(currency)), strict=True
        ):
            if share:
                by_line[line.line_id] = by_line.get(line.line_id, ZERO) + share
                tax += side(line.tax) * share / amount
                left -= share
        shipping_kept += max(side(refund.shipping) - left, ZERO)
    return Spread(by_line, quantize(tax, currency), quantize(shipping_kept, currency))


def split_amount(money: Decimal, amounts: Sequence[Decimal], smallest: Decimal) -> list[Decimal]:
    """Split money over amounts in proportion, none above its amount, by largest remainder; exact to the smallest unit.

    Money beyond the sum of the amounts is not handed out. Amounts and money are whole numbers of smallest units.
    """
    whole = sum(amounts, ZERO)
    if money >= whole:
        return list(amounts)
    exact = [money * amount / whole for amount in amounts]
    given = [(share / smallest).to_integral_value(ROUND_DOWN) * smallest for share in exact]
    pennies = int((money - sum(given, ZERO)) / smallest)
    by_remainder = sorted(range(len(amounts)), key=lambda i: given[i] - exact[i])
    for i in by_remainder[:pennies]:
        given[i] += smallest
    return given


def _amount(line: RefundLine, side: Side, currency: str, taxes_included: bool) -> Decimal:
    amount = side(line.subtotal) if taxes_included else side(line.subtotal) + side(line.tax)
    return quantize(max(amount, ZERO), currency)
