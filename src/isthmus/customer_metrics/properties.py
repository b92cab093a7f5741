"""What one customer is worth, from the orders that count."""

from collections.abc import Iterable

from isthmus.kit.money import ZERO
from isthmus.model.customer_metrics import CustomerMetrics, RevenueByCurrency
from isthmus.model.order_totals import OrderTotalsRow


def counts_towards_metrics(sale: OrderTotalsRow) -> bool:
    """Whether an order counts towards somebody's worth.

    What is valid counts, and what was wholly refunded counts with what went back. So a cancelled, voided, expired or
    deleted order does not, unless `orders.count_retained_cancelled` keeps it valid; nor does an unpaid one where orders
    are valid when paid. A test order never counts.
    """
    return sale.is_valid or sale.status == "refunded"


def calculate_metrics(sales: Iterable[OrderTotalsRow]) -> CustomerMetrics:
    """The worth of somebody whose orders these are, over all stores; those that do not count change nothing.

    Money is summed per currency and never converted.
    """
    counted = [sale for sale in sales if counts_towards_metrics(sale)]
    currencies = sorted({sale.currency for sale in counted})
    return CustomerMetrics(
        takings=tuple(_taken(currency, [s for s in counted if s.currency == currency]) for currency in currencies),
        n_units=sum(sale.n_units for sale in counted),
        n_returned=sum(sale.n_returned for sale in counted),
        first_order_at=min((sale.placed_at for sale in counted), default=None),
        last_order_at=max((sale.placed_at for sale in counted), default=None),
    )


def _taken(currency: str, sales: list[OrderTotalsRow]) -> RevenueByCurrency:
    return RevenueByCurrency(
        currency=currency,
        n_orders=len(sales),
        gross=sum((sale.gross for sale in sales), ZERO),
        refunded=sum((sale.refunded for sale in sales), ZERO),
        net=sum((sale.net for sale in sales), ZERO),
    )
