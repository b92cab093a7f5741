"""Which orders count towards what somebody is worth, and how that is rounded."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from isthmus.customer_metrics.properties import calculate_metrics, counts_towards_metrics
from isthmus.model.order_totals import OrderTotalsRow

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


def sale(
    status: str = "complete", *, is_valid: bool = True, net: str = "10.00", currency: str = "GBP", days: int = 0
) -> OrderTotalsRow:
    return OrderTotalsRow(
        1, "#1", AT + timedelta(days=days), currency, status, is_valid, Decimal(net), Decimal("0.00"), Decimal(net), 3,
        1, 77, None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "is_valid", "does_count"),
    [
        ("complete", True, True),
        ("partial_refund", True, True),
        ("refunded", False, True),
        ("cancelled", False, False),
        ("cancelled", True, True),  # orders.count_retained_cancelled, and money was kept
        ("pending", True, True),
        ("pending", False, False),  # orders.valid_when = "paid"
    ],
)
def test_what_counts(status: str, is_valid: bool, does_count: bool) -> None:
    assert counts_towards_metrics(sale(status, is_valid=is_valid)) is does_count


def test_half_a_penny_goes_up() -> None:
    told = calculate_metrics([sale(net="10.00"), sale(net="10.01")])
    assert told.taken("GBP").average_order == Decimal("10.01")


def test_a_yen_has_no_pennies() -> None:
    told = calculate_metrics([sale(net="100", currency="JPY"), sale(net="101", currency="JPY")])
    assert told.taken("JPY").average_order == Decimal(101)


def test_currencies_are_kept_apart_and_units_are_not() -> None:
    told = calculate_metrics([sale(), sale(currency="EUR", days=2), sale("cancelled", is_valid=False, days=9)])
    assert [(one.currency, one.net) for one in told.takings] == [("EUR", Decimal("10.00")), ("GBP", Decimal("10.00"))]
    assert (told.n_orders, told.n_units, told.return_rate) == (2, 6, Decimal("0.3333"))
    assert (told.first_order_at, told.last_order_at) == (AT, AT + timedelta(days=2))


def test_nobody_without_an_order_has_an_average() -> None:
    told = calculate_metrics([])
    assert (told.n_orders, told.return_rate, told.taken("GBP").average_order) == (0, None, None)
    assert told.taken("GBP").net == Decimal("0.00")
