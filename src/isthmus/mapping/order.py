"""An order as Ometria should say it: its status, and every line that was sold, with what was refunded of it.

The equation that always holds is `grand_total - Σ lines.refunded = net`, what the shop kept.
"""

from decimal import Decimal

from isthmus.kit.email import normalise_email
from isthmus.kit.ids import keyed_hash
from isthmus.kit.money import ZERO, quantize, smallest_unit, zero_amount
from isthmus.mapping import fields, refunds, trim
from isthmus.mapping import totals as sums
from isthmus.mapping.rules import Rules
from isthmus.mapping.totals import TotalsView
from isthmus.model.lane import Lane
from isthmus.model.order import Order, OrderLine
from isthmus.model.order_totals import OrderTotalsRow
from isthmus.model.write import RecordKind, Write
from isthmus.ometria import wire

PAID = frozenset({"PAID", "PARTIALLY_REFUNDED", "REFUNDED"})
"""Financial statuses of an order that was paid in full at some time
(https://shopify.dev/docs/api/admin-graphql/latest/enums/OrderDisplayFinancialStatus)."""

BEFORE_US = "before start_at"
"""Why an order is not sent that was placed when another writer wrote."""

_ONE = Decimal(1)
_TITLE_CHARS = 100


def map_order(order: Order, person: str | None, rules: Rules, lane: Lane, *, is_deleted: bool = False) -> Write:
    """The desired state of one order, always whole; a test order is excluded, and one of another writer's time.

    `person` is the surviving id of the customer's person, None for a guest, who is known by email alone. The write
    lets the contact of the order's customer go first. RejectedError `integration.record_too_large`.
    """
    id_ = rules.id_of("order", order.id)
    subject = f"order:{order.id}"
    if order.is_test:
        return Write(RecordKind.ORDER, id_, None, lane, excluded="test order", subject=subject)
    after = None if order.customer_id is None else f"{rules.namespace}{order.customer_id}"
    status, is_valid = order_status(order, rules, is_deleted=is_deleted)
    email = normalise_email(order.email)
    record = _record(order, id_, person, email, rules, status, is_valid)
    body, n_cut = trim.trim_order(record)
    sale = _sale(order, record, status, email)
    if rules.start_at is not None and order.processed_at < rules.start_at:
        return Write(RecordKind.ORDER, id_, None, lane, excluded=BEFORE_US, subject=subject, sale=sale)
    return Write(RecordKind.ORDER, id_, body, lane, after=after, subject=subject, n_cut=n_cut, sale=sale)


def net_revenue(order: Order) -> Decimal:
    """What the shop kept, in the shop's currency: the net payment once paid, the current total before that."""
    current = order.current_total.shop
    return sums.round_exact(
        current - order.outstanding if order.financial_status in PAID else current, smallest_unit(order.currency)
    )


def order_status(order: Order, rules: Rules, *, is_deleted: bool = False) -> tuple[str, bool]:
    """The order's row of the status table, first match wins, and whether its revenue counts.

    A refund record without money on an order that was never paid only took units off it; that refunds nothing.
    """
    financial = order.financial_status
    if is_deleted or order.cancelled_at is not None or financial in ("VOIDED", "EXPIRED"):
        return "cancelled", rules.count_retained_cancelled and financial in PAID and net_revenue(order) > ZERO
    if order.refunds or financial == "REFUNDED":
        if financial == "REFUNDED" or net_revenue(order) <= ZERO:
            return "refunded", False
        if financial in PAID or any(refund.returned.shop > ZERO for refund in order.refunds):
            return "partial_refund", True
    if financial not in PAID and financial != "AUTHORIZED":
        return "pending", rules.valid_when == "placed"
    if order.fulfilment_status == "FULFILLED":
        return "complete", True
    return ("partially_shipped" if order.fulfilment_status == "PARTIALLY_FULFILLED" else "processing"), True


def _record(
    order: Order, id_: str, person: str | None, email: str | None, rules: Rules, status: str, is_valid: bool
) -> wire.OrderBody:
    style, sign = rules.refunds_style, rules.discount_sign
    shop = local = sums.view_totals(order, net_revenue(order), refunds.SHOP, order.currency, style, sign)
    if order.presentment_currency != order.currency:
        kept = _net_presentment(order)
        local = sums.view_totals(order, kept, refunds.PRESENTMENT, order.presentment_currency, style, sign)
    rate = _rate(order, rules)
    totals = shop.totals
    # By position: as keywords these 22 cost as much as all their sums.
    return wire.OrderBody(
        id_,
        order.name,
        fields.to_utc(order.processed_at),
        rules.statuses.get(status, status),
        is_valid,
        order.currency,
        totals.subtotal,
        totals.discount,
        totals.shipping,
        totals.tax,
        totals.grand_total,
        rules.store_id,
        _lines(order, shop, local, rate, rules),
        wire.OrderTotals(_base(totals, rate, rules), local.totals),
        _customer(order, person, email, rules),
        order.source_name,
        ", ".join(order.gateways) or None,
        order.shipping_method,
        order.discount_codes[0] if order.discount_codes else None,
        fields.map_address(order.billing_address),
        fields.map_address(order.shipping_address),
        _properties(order, rules),
    )


def _sale(order: Order, record: wire.OrderBody, status: str, email: str | None) -> OrderTotalsRow:
    """The order's money as its record says it; units returned are told whichever way refunds are."""
    back = zero_amount(order.currency)
    n_units, n_returned = sum([line.current_quantity for line in order.lines]), 0
    if order.refunds:
        back = sum((line.refunded for line in record.lineitems if line.refunded is not None), back)
        known = {line.id for line in order.lines}
        n_returned = sum(n for line, n in refunds.refunded_units(order).items() if line in known)
    gross = record.grand_total
    return OrderTotalsRow(
        order.id,
        order.name,
        record.timestamp,
        order.currency,
        status,
        record.is_valid,
        gross,
        back,
        gross - back,
        n_units + n_returned,
        n_returned,
        order.customer_id,
        email,
    )


def _net_presentment(order: Order) -> Decimal:
    """The net in the customer's currency: what is outstanding is known in the shop's, so by the order's own rate."""
    current = order.current_total.presentment
    if order.financial_status in PAID and order.outstanding:
        by = order.total if order.total.shop else order.current_total
        rate = by.presentment / by.shop if by.shop else _ONE
        current -= order.outstanding * rate
    return quantize(current, order.presentment_currency)


def _rate(order: Order, rules: Rules) -> Decimal | None:
    """What one unit of the shop's currency is worth in the reporting currency; None when nobody said."""
    if rules.reporting_currency == order.currency:
        return _ONE
    return rules.rates.get(order.currency) if rules.reporting_currency else None


def _base(totals: wire.Totals, rate: Decimal | None, rules: Rules) -> wire.Totals | None:
    if rate is None or rules.reporting_currency is None:
        return None
    return totals if rate is _ONE else sums.convert_totals(totals, rate, rules.reporting_currency)


def _lines(
    order: Order, shop: TotalsView, local: TotalsView, rate: Decimal | None, rules: Rules
) -> tuple[wire.LineItem, ...]:
    """What was sold: units still there and units refunded, without what was edited out."""
    id_of = rules.id_of
    in_one_currency = local is shop and (rate is None or rate is _ONE)
    items = []
    for line in order.lines:
        back = shop.units.get(line.id)
        quantity = line.current_quantity + (back or 0)
        if quantity <= 0:
            continue
        unit_price, subtotal, discount, tax, total = sums.price_line(shop, line, quantity)
        items.append(
            wire.LineItem(
                id_of("product", line.product_id) if line.product_id else placeholder_product_id(line, rules),
                quantity,
                unit_price,
                subtotal,
                discount,
                tax,
                total,
                id_of("product", line.variant_id) if line.variant_id else None,
                line.sku,
                back,
                None if back is None else sums.refunded_amount(shop, line),
                None if in_one_currency else _line_totals(line, quantity, shop, local, rate, rules),
                None if line.product_id else {"title": line.title[:_TITLE_CHARS]},
            )
        )
    return tuple(items)


def _line_totals(
    line: OrderLine, quantity: int, shop: TotalsView, local: TotalsView, rate: Decimal | None, rules: Rules
) -> wire.LineItemTotals:
    """A line in every currency the order has besides the shop's."""
    ours = sums.line_totals(shop, line, quantity)
    base = None
    if rate is not None and rules.reporting_currency is not None:
        base = ours if rate is _ONE else sums.convert_line(ours, rate, rules.reporting_currency)
    return wire.LineItemTotals(base, ours if local is shop else sums.line_totals(local, line, quantity))


def placeholder_product_id(line: OrderLine, rules: Rules) -> str:
    """The product id of a line that has no product: the same for the same SKU or title, and unreadable.

    A custom line's title may name a person ("Engraving for Ada"), and ids must hold no personal data, so it is a
    keyed hash.
    """
    return f"{rules.namespace}custom-{keyed_hash(rules.hash_key, 'line', line.sku or line.title).hex()}"


def _customer(order: Order, person: str | None, email: str | None, rules: Rules) -> wire.OrderCustomer | None:
    id_ = rules.customer_id(person, order.customer_id)
    if id_ is None and email is None and order.firstname is None and order.lastname is None:
        return None
    return wire.OrderCustomer(id_, email, order.firstname, order.lastname)


def _properties(order: Order, rules: Rules) -> wire.Properties | None:
    """What the order also is, as far as the rules want it; a refund in the status never hides the fulfilment here."""
    wanted = rules.order_properties
    properties: wire.Properties = {}
    if "fulfilment_status" in wanted:
        properties["fulfilment_status"] = order.fulfilment_status.lower()
    if "financial_status" in wanted and order.financial_status:
        properties["financial_status"] = order.financial_status.lower()
    if "cancel_reason" in wanted and order.cancel_reason:
        properties["cancel_reason"] = order.cancel_reason.lower()
    if "discount_codes" in wanted and len(order.discount_codes) > 1:
        properties["discount_codes"] = ",".join(order.discount_codes)
    if "tags" in wanted and order.tags and (tags := fields.map_tags(order.tags, rules.allowed_tags)):
        properties["tags"] = ",".join(tags)
    return properties or None
