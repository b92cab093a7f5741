"""Every total of an order, derived to the penny from its lines, shipping, refunds and transactions.

The leaves (unit price, discount and tax of a line's whole quantity, money of a transaction) are stored; all else is
summed here, so that no two numbers of an order can disagree. What Shopify's sums contain is told by the field
descriptions of https://shopify.dev/docs/api/admin-graphql/2026-10/objects/Order; captured orders agree: after an edit
that removes a unit `totalPriceSet` stays and `currentTotalPriceSet` falls, after a cancellation the latter is zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from sims.shopify.state import NOTHING, ZERO, LineItem, MoneyBag, Order, Refund, ShippingLine, TaxLine

PENNY = Decimal("0.01")


def penny(amount: Decimal) -> Decimal:
    """Round to two places, half up: the world uses no currency with other places."""
    return amount.quantize(PENNY, ROUND_HALF_UP)


def exchange(amount: Decimal, rate: Decimal | None) -> MoneyBag:
    """Put a shop amount beside its presentment amount; no rate means one currency."""
    return MoneyBag(amount, amount if rate is None else penny(amount * rate))


def share(bag: MoneyBag, rate: Decimal) -> MoneyBag:
    """Take a share of an amount, rounded in each currency."""
    shop = penny(bag.shop * rate)
    return MoneyBag(shop, shop if bag.presentment == bag.shop else penny(bag.presentment * rate))


def times(bag: MoneyBag, quantity: int) -> MoneyBag:
    """Multiply an amount by a quantity."""
    return bag if quantity == 1 else MoneyBag(bag.shop * quantity, bag.presentment * quantity)


def total(bags: Iterable[MoneyBag]) -> MoneyBag:
    """Sum amounts; nothing sums to zero."""
    shop, presentment = ZERO, ZERO
    for bag in bags:
        shop += bag.shop
        presentment += bag.presentment
    return MoneyBag(shop, presentment)


def cut(bag: MoneyBag, part: int, whole: int) -> MoneyBag:
    """Take what belongs to the first `part` of `whole` units; pieces cut one after another sum to the whole."""
    if part == whole or not bag:
        return bag
    if part == 0:
        return NOTHING
    shop = penny(bag.shop * part / whole)
    return MoneyBag(shop, shop if bag.presentment == bag.shop else penny(bag.presentment * part / whole))


def embedded(bag: MoneyBag, rate: Decimal, included: bool) -> MoneyBag:
    """Give the tax on an amount: inside it, or on top."""
    return share(bag, rate / (1 + rate) if included else rate)


def worth(line: LineItem, quantity: int) -> MoneyBag:
    """Give the price of the first `quantity` units of a line after discounts, in the line's own tax treatment."""
    return times(line.price, quantity) - cut(line.discount, quantity, line.quantity)


def tax_of(line: LineItem, quantity: int) -> MoneyBag:
    """Give the tax on the first `quantity` units of a line."""
    return total(cut(tax.price, quantity, line.quantity) for tax in line.tax_lines)


def shipping_worth(line: ShippingLine) -> MoneyBag:
    """Give a shipping charge after its discount."""
    return line.price - line.discount


def shipping_tax(line: ShippingLine) -> MoneyBag:
    """Give the tax on a whole shipping charge."""
    return total(tax.price for tax in line.tax_lines)


def shipping_tax_left(line: ShippingLine) -> MoneyBag:
    """Give the tax on what is left of a shipping charge after its refunds."""
    whole, left = shipping_worth(line), shipping_worth(line) - line.refunded
    return total(_proportion(tax, left, whole) for tax in line.tax_lines)


def moved(refund: Refund) -> MoneyBag:
    """Give the money a refund really returned: its successful transactions."""
    return total(one.amount for one in refund.transactions if one.kind == "REFUND" and one.status == "SUCCESS")


def suggested(refund: Refund, taxes_included: bool) -> MoneyBag:
    """Give what the lines and shipping that a refund names are worth, tax included."""
    named = total([one.subtotal for one in refund.lines] + [one.subtotal for one in refund.shipping])
    if taxes_included:
        return named
    return named + total([one.total_tax for one in refund.lines] + [one.tax for one in refund.shipping])


@dataclass(slots=True)
class Totals:
    """The sums of an order under the names of the Admin API, without `Set`."""

    line_items_price: MoneyBag  # before discounts
    subtotal: MoneyBag  # lines after discounts; with tax where taxes are included
    discounts: MoneyBag
    shipping: MoneyBag  # before discounts
    tax: MoneyBag
    total: MoneyBag
    current_subtotal: MoneyBag
    current_discounts: MoneyBag
    current_shipping: MoneyBag
    current_tax: MoneyBag
    current_total: MoneyBag
    received: MoneyBag
    refunded: MoneyBag
    refunded_shipping: MoneyBag
    net_payment: MoneyBag
    outstanding: MoneyBag
    capturable: MoneyBag
    refund_discrepancy: MoneyBag
    tip: MoneyBag


def totals(order: Order) -> Totals:
    """Derive every total of an order. `current_*` are after edits, refunds and cancellation.

    ASSUMED: a tip is a line, so that it stands in `subtotal`.
    """
    lines, shipping = order.lines, order.shipping_lines
    subtotal = total(worth(line, line.quantity) for line in lines)
    shipped = total(map(shipping_worth, shipping))
    refunded_shipping = total(line.refunded for line in shipping)
    tax = total([tax_of(line, line.quantity) for line in lines] + [shipping_tax(line) for line in shipping])
    now = current_total(order)
    received, refunded = received_by(order), refunded_by(order)
    return Totals(
        line_items_price=total(times(line.price, line.quantity) for line in lines),
        subtotal=subtotal,
        discounts=total([line.discount for line in lines] + [line.discount for line in shipping]),
        shipping=total(line.price for line in shipping),
        tax=tax,
        total=subtotal + shipped + (NOTHING if order.taxes_included else tax),
        current_subtotal=_current_subtotal(order),
        current_discounts=total(
            [cut(line.discount, line.current_quantity, line.quantity) for line in lines]
            + [line.discount for line in shipping]
        ),
        current_shipping=shipped - refunded_shipping,
        current_tax=_current_tax(order),
        current_total=now,
        received=received,
        refunded=refunded,
        refunded_shipping=refunded_shipping,
        net_payment=received - refunded,
        outstanding=now - (received - refunded),
        capturable=capturable(order),
        refund_discrepancy=_adjusted(order),
        tip=total(worth(line, line.quantity) for line in lines if line.is_tip),
    )


def current_total(order: Order) -> MoneyBag:
    """Derive what an order is worth after edits, refunds and cancellation.

    ASSUMED: money returned beyond or below what a refund names (its order adjustments) moves it too.
    """
    sum_ = _current_subtotal(order) + total(shipping_worth(line) - line.refunded for line in order.shipping_lines)
    if not order.taxes_included:
        sum_ = sum_ + _current_tax(order)
    return sum_ + _adjusted(order) if order.refunds else sum_


def net_payment(order: Order) -> MoneyBag:
    """Derive what the shop kept: the money that came in less the money that went back."""
    return received_by(order) - refunded_by(order)


def outstanding(order: Order) -> MoneyBag:
    """Derive what the customer owes; negative is what the shop owes."""
    return current_total(order) - net_payment(order)


def refunded_by(order: Order) -> MoneyBag:
    """Give the money that went back."""
    return total(map(moved, order.refunds)) if order.refunds else NOTHING


def received_by(order: Order) -> MoneyBag:
    """Give the money that came in: successful sales and captures."""
    return total(
        one.amount for one in order.transactions if one.status == "SUCCESS" and one.kind in ("SALE", "CAPTURE")
    )


def capturable(order: Order) -> MoneyBag:
    """Give the money that is authorized and neither captured, voided nor expired."""
    done = [one for one in order.transactions if one.status == "SUCCESS"]
    authorized = total(one.amount for one in done if one.kind == "AUTHORIZATION")
    if order.expired or not authorized or any(one.kind == "VOID" for one in done):
        return NOTHING
    return authorized - total(one.amount for one in done if one.kind == "CAPTURE")


def financial_status(order: Order) -> str | None:
    """Derive the display financial status; an order that never met a payment has none (as captured orders show)."""
    received, refunded = received_by(order).shop, refunded_by(order).shop
    if refunded:
        return "REFUNDED" if refunded >= received else "PARTIALLY_REFUNDED"
    if received:
        return "PAID" if received >= current_total(order).shop else "PARTIALLY_PAID"
    if order.expired:
        return "EXPIRED"
    kinds = {one.kind for one in order.transactions if one.status == "SUCCESS"}
    if "VOID" in kinds:
        return "VOIDED"
    if "AUTHORIZATION" in kinds:
        return "AUTHORIZED"
    if order.transactions:
        return "PENDING"
    return "PAID" if not order.original_total and order.lines else None


def fulfillment_status(order: Order) -> str:
    """Derive the display fulfilment status; refunded before anything was sent stays UNFULFILLED, as seen live."""
    if not any(line.fulfilled_quantity for line in order.lines):
        return "UNFULFILLED"
    return "PARTIALLY_FULFILLED" if any(line.fulfillable_quantity for line in order.lines) else "FULFILLED"


def return_status(order: Order) -> str:
    """Derive the return status: requested before open before closed, as seen live."""
    states = {one.status for one in order.returns}
    if "REQUESTED" in states:
        return "RETURN_REQUESTED"
    if "OPEN" in states:
        return "IN_PROGRESS"
    return "RETURNED" if "CLOSED" in states else "NO_RETURN"


def settle(order: Order) -> None:
    """Set the three statuses right after a change."""
    order.financial_status = financial_status(order)
    order.fulfillment_status = fulfillment_status(order)
    order.return_status = return_status(order)


def _proportion(tax: TaxLine, left: MoneyBag, whole: MoneyBag) -> MoneyBag:
    if not whole.shop or left.shop == whole.shop:
        return tax.price
    return MoneyBag(
        penny(tax.price.shop * left.shop / whole.shop),
        penny(tax.price.presentment * left.presentment / whole.presentment),
    )


def _current_subtotal(order: Order) -> MoneyBag:
    return total(worth(line, line.current_quantity) for line in order.lines)


def _current_tax(order: Order) -> MoneyBag:
    return total(
        [tax_of(line, line.current_quantity) for line in order.lines]
        + [shipping_tax_left(line) for line in order.shipping_lines]
    )


def _adjusted(order: Order) -> MoneyBag:
    return total(one.amount + one.tax_amount for refund in order.refunds for one in refund.adjustments)
