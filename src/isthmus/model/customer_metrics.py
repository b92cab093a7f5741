"""What one person is worth to a shop: their orders in numbers, money per currency."""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from msgspec import Struct

from isthmus.kit.money import ZERO, quantize

_RATE = Decimal("0.0001")


class RevenueByCurrency(Struct, frozen=True, gc=False):
    """What somebody's orders in one currency brought: `gross - refunded = net`."""

    currency: str
    n_orders: int = 0
    gross: Decimal = ZERO
    refunded: Decimal = ZERO
    net: Decimal = ZERO

    @property
    def average_order(self) -> Decimal | None:
        """Net by orders, half a penny up; None where there is no order to divide by."""
        return quantize(self.net / self.n_orders, self.currency) if self.n_orders else None


class CustomerMetrics(Struct, frozen=True):
    """Takings per currency in the order of their names, and what does not depend on a currency."""

    takings: tuple[RevenueByCurrency, ...] = ()
    n_units: int = 0
    n_returned: int = 0
    first_order_at: datetime | None = None
    last_order_at: datetime | None = None

    @property
    def n_orders(self) -> int:
        return sum(taken.n_orders for taken in self.takings)

    @property
    def return_rate(self) -> Decimal | None:
        """Units returned by units sold, to four places, half up; None where nothing was sold."""
        if not self.n_units:
            return None
        return (Decimal(self.n_returned) / self.n_units).quantize(_RATE, ROUND_HALF_UP)

    def taken(self, currency: str) -> RevenueByCurrency:
        """The takings in a currency: nothing, where nobody paid in it."""
        nothing = quantize(ZERO, currency)
        found = (taken for taken in self.takings if taken.currency == currency)
        return next(found, RevenueByCurrency(currency, 0, nothing, nothing, nothing))


NOTHING = CustomerMetrics()
"""Of somebody who has no order that counts."""
