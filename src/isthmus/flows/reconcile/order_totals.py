"""What an order is worth on each side, in whole thousandths, so that sums can be compared to the penny."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec import Struct

from isthmus.kit.money import ZERO
from isthmus.mapping import order as orders
from isthmus.mapping.rules import Rules
from isthmus.model.order import Order
from isthmus.ometria.responses import parse_time
from isthmus.shopify.parse.listing_node import ListedRecord

CANCELLED = ("VOIDED", "EXPIRED")


class ObservedTotals(Struct, frozen=True):
    """Money of one order as one side tells it; the columns of table seen."""

    currency: str | None
    gross_mills: int
    refunded_mills: int
    net_mills: int
    status: str
    is_valid: bool
    placed_at: datetime | None

    @property
    def revenue(self) -> int:
        """What it adds to revenue: nothing when it does not count."""
        return self.net_mills if self.is_valid else 0

    def said(self) -> dict[str, Any]:
        """For a finding: sums as decimal texts."""
        return {
            "net": mills_as_text(self.net_mills),
            "refunded": mills_as_text(self.refunded_mills),
            "currency": self.currency,
            "status": self.status,
            "is_valid": self.is_valid,
        }


def mills_as_text(mills: int) -> str:
    """Thousandths as a decimal text: 12.50, or with three places where they are needed."""
    value = Decimal(mills).scaleb(-3)
    return str(value if mills % 10 else value.quantize(Decimal("0.01")))


def totals_of_listing(tally: ListedRecord, rules: Rules) -> ObservedTotals:
    """An order as its shop lists it. All that went back is refunded here, shipping and goodwill too."""
    is_paid = tally.financial_status in orders.PAID
    net = tally.net_payment if is_paid else tally.current_total
    is_cancelled = tally.cancelled_at is not None or tally.financial_status in CANCELLED
    if is_cancelled:
        is_valid = rules.count_retained_cancelled and is_paid and net > ZERO
    elif tally.financial_status == "REFUNDED" or (tally.refunded > ZERO and net <= ZERO):
        is_valid = False
    else:
        is_valid = is_paid or tally.financial_status == "AUTHORIZED" or rules.valid_when == "placed"
    status = "cancelled" if is_cancelled else (tally.financial_status or "pending").lower()
    return ObservedTotals(
        tally.currency,
        to_mills(net + tally.refunded),
        to_mills(tally.refunded),
        to_mills(net),
        status,
        is_valid and not tally.is_test,
        tally.placed_at,
    )


def totals_of_order(order: Order, rules: Rules) -> ObservedTotals:
    """An order as we know it; what went back as the shop counts it."""
    status, is_valid = orders.order_status(order, rules)
    net = orders.net_revenue(order)
    back = sum((refund.returned.shop for refund in order.refunds), ZERO)
    return ObservedTotals(
        order.currency,
        to_mills(net + back),
        to_mills(back),
        to_mills(net),
        status,
        is_valid and not order.is_test,
        order.processed_at,
    )


def totals_of_platform_record(record: Mapping[str, Any]) -> ObservedTotals:
    """An order in Ometria's words, as it is there or as we desire it."""
    gross = _number(record.get("grand_total"))
    lines = record.get("lineitems")
    back = sum(
        (_number(line.get("refunded")) for line in lines if isinstance(line, Mapping))
        if isinstance(lines, list)
        else (),
        ZERO,
    )
    status, currency = record.get("status"), record.get("currency")
    return ObservedTotals(
        currency if isinstance(currency, str) else None,
        to_mills(gross),
        to_mills(back),
        to_mills(gross - back),
        status if isinstance(status, str) else "",
        record.get("is_valid") is not False,
        parse_time(record.get("timestamp")),
    )


def to_mills(amount: Decimal) -> int:
    """Thousandths of the currency's unit."""
    return int(amount.scaleb(3).to_integral_value())


def _number(value: Any) -> Decimal:
    try:
        number = Decimal(str(value)) if value is not None and not isinstance(value, bool) else ZERO
    except InvalidOperation:
        return ZERO
    return number if number.is_finite() and abs(number) < 10**15 else ZERO
