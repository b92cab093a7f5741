"""Orders that name nobody: neither customer, nor email, nor phone, as most from a till."""

from isthmus.checks.check import KEEP, OfSales
from isthmus.checks.toll import Toll
from isthmus.model.census import Sale
from isthmus.model.finding import Found, Level, Owner


class OwnerlessOrders(OfSales):
    code = "ownerless_orders"
    title = "Orders that name nobody"

    def __init__(self, keep: int = KEEP) -> None:
        super().__init__(keep)
        self._toll = Toll(keep)
        self._seen = 0

    def sale(self, row: Sale) -> None:
        self._seen += 1
        if row.customer is None and not (row.email or "").strip() and not (row.phone or "").strip():
            self._toll.sale(row)

    def answer(self) -> list[Found]:
        return self._toll.found(
            self,
            level=Level.CARE,
            what="Neither customer nor email nor phone. They count as revenue and for nobody: no follow-up, no "
            "lifetime value, and whoever bought may be promoted to as if they never had.",
            remedy="Ask for an address at the till; in Shopify POS, add the customer before checkout.",
            owner=Owner.STORE,
            unit="orders",
            of=self._seen,
        )
