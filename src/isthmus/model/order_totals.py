"""An order as Ometria is told of it: what it brought, what went back, whose it is."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct


class OrderTotalsRow(Struct, frozen=True, gc=False):
    """Sums are in `currency`, the shop's, and those of the order's write: `gross - refunded = net`.

    `gross` is its grand total, `refunded` what its lines name as returned, `net` what the shop kept. `n_units` counts
    what was sold, `n_returned` what of that was refunded. `status` is the row of the status table, before a store gives
    it another name. `email` is normalised.
    """

    id: int
    name: str
    placed_at: datetime
    currency: str
    status: str
    is_valid: bool
    gross: Decimal
    refunded: Decimal
    net: Decimal
    n_units: int
    n_returned: int
    customer_id: int | None
    email: str | None
