"""An order's money seen in one currency: the sums of the order, the sums of a line, what went back for each.

`subtotal + shipping + tax = grand_total`, and `grand_total - Σ refunded = kept`. Shipping and tax are the shop's own
current figures, which are after discounts and without what was refunded of them
(https://shopify.dev/docs/api/admin-graphql/latest/objects/Order); the subtotal is what remains for goods, after
discounts and before tax. It also takes tips, duties and goodwill, for which Ometria has no field. A line's
`subtotal + tax = total`, likewise after discounts.
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

from msgspec import Struct

from isthmus.kit.money import ZERO, quantize, smallest_unit, zero_amount
from isthmus.mapping import refunds
from isthmus.mapping.refunds import Side
from isthmus.model.order import Order, OrderLine
from isthmus.ometria import wire

_NO_UNITS: Mapping[int, int] = {}
_NO_MONEY: Mapping[int, Decimal] = {}


class TotalsView(Struct, frozen=True):
    """`units` and `by_line` say, per line id, how much was refunded; `nil` is zero with the currency's decimals."""

    side: Side
    smallest: Decimal
    nil: Decimal
    taxes_included: bool
    discount_sign: int
    totals: wire.Totals
    units: Mapping[int, int]
    by_line: Mapping[int, Decimal]


def view_totals(order: Order, kept: Decimal, side: Side, currency: str, style: str, sign: int) -> TotalsView:
    """See the order's money in one currency, of which the shop kept `kept`.

    Style "net" names no refunds: its totals are already without them.
    """
    smallest = smallest_unit(currency)
    nothing = zero_amount(currency)
    total, shipping = kept, side(order.current_shipping)
    tax, discount = side(order.current_tax), side(order.current_discounts)
    units, by_line = _NO_UNITS, _NO_MONEY
    if order.refunds:
        spread = refunds.allocate_refunds(order, side, currency)
        shipping += spread.shipping_kept
        if style == "lines":
            units, by_line = refunds.refunded_units(order), spread.by_line
            total += sum(by_line.values(), ZERO)
            tax += spread.tax
            discount += sum((share_of(side(x.discount), units.get(x.id, 0), x.quantity) for x in order.lines), ZERO)
    shipping, tax, discount = (
        round_exact(shipping, smallest),
        round_exact(tax, smallest),
        round_exact(discount, smallest),
    )
    subtotal = total - shipping - tax
    if subtotal < 0 or shipping < 0 or tax < 0:
        # A cancelled or wholly edited order may have kept less than its shipping and tax say.
        shipping = max(nothing, min(shipping, total))
        tax = max(nothing, min(tax, total - shipping))
        subtotal = total - shipping - tax
    totals = wire.Totals(currency, subtotal, -discount if sign < 0 else discount, shipping, tax, total)
    return TotalsView(side, smallest, nothing, order.taxes_included, sign, totals, units, by_line)


def price_line(view: TotalsView, line: OrderLine, quantity: int) -> tuple[Decimal, Decimal, Decimal, Decimal, Decimal]:
    """Unit price, subtotal, discount, tax and total of so many units of a line."""
    side, nil, smallest = view.side, view.nil, view.smallest
    price, discount, tax = side(line.unit_price), side(line.discount) or nil, side(line.tax) or nil
    if quantity != line.quantity:
        discount, tax = share_of(discount, quantity, line.quantity), share_of(tax, quantity, line.quantity)
    # Asked here rather than through `exact`: this is the innermost step of the busiest path.
    same = smallest.same_quantum
    if not (same(price) and same(discount) and same(tax)):
        price, discount, tax = round_exact(price, smallest), round_exact(discount, smallest), round_exact(tax, smallest)
    after = price if quantity == 1 else price * quantity
    if discount:
        after -= discount
        if view.discount_sign < 0:
            discount = -discount
    if view.taxes_included:
        return price, after - tax, discount, tax, after
    return price, after, discount, tax, after + tax


def refunded_amount(view: TotalsView, line: OrderLine) -> Decimal | None:
    """Money returned for a line; None when no unit of it was refunded."""
    return view.by_line.get(line.id, view.nil) if line.id in view.units else None


def line_totals(view: TotalsView, line: OrderLine, quantity: int) -> wire.LineTotals:
    return wire.LineTotals(view.totals.currency, *price_line(view, line, quantity), refunded_amount(view, line))


def convert_totals(totals: wire.Totals, rate: Decimal, currency: str) -> wire.Totals:
    """The same sums in another currency; the subtotal takes the rounding."""
    total, shipping = quantize(totals.grand_total * rate, currency), quantize(totals.shipping * rate, currency)
    tax, discount = quantize(totals.tax * rate, currency), quantize(totals.discount * rate, currency)
    return wire.Totals(currency, total - shipping - tax, discount, shipping, tax, total)


def convert_line(totals: wire.LineTotals, rate: Decimal, currency: str) -> wire.LineTotals:
    total, tax = quantize(totals.total * rate, currency), quantize(totals.tax * rate, currency)
    price, discount = quantize(totals.unit_price * rate, currency), quantize(totals.discount * rate, currency)
    back = None if totals.refunded is None else quantize(totals.refunded * rate, currency)
    return wire.LineTotals(currency, price, total - tax, discount, tax, total, back)


def share_of(amount: Decimal, part: int, whole: int) -> Decimal:
    """What `part` of `whole` units carry of an amount that is for all of them."""
    return amount * part / whole if whole else ZERO


def round_exact(amount: Decimal, smallest: Decimal) -> Decimal:
    """Rounded to the smallest unit; most amounts already are, and asking costs half of rounding."""
    return amount if amount.same_quantum(smallest) else amount.quantize(smallest, ROUND_HALF_UP)
