"""Orders that name nobody: neither customer, nor email, nor phone, as most from a till."""

from isthmus.checks.accumulator import FindingAccumulator
from isthmus.checks.check import EXAMPLES_KEPT, OrderCheck
from isthmus.model.audit_finding import AuditFinding, FindingOwner, Level
from isthmus.model.audit_rows import OrderRow


class OwnerlessOrders(OrderCheck):
    code = "ownerless_orders"
    title = "Orders that name nobody"

    def __init__(self, keep: int = EXAMPLES_KEPT) -> None:
        super().__init__(keep)
        self._toll = FindingAccumulator(keep)
        self._seen = 0

    def sale(self, row: OrderRow) -> None:
        self._seen += 1
        if row.customer is None and not (row.email or "").strip() and not (row.phone or "").strip():
            self._toll.sale(row)

    def answer(self) -> list[AuditFinding]:
        return self._toll.found(
            self,
            level=Level.CARE,
            what="Neither customer nor email nor phone. They count as revenue and for nobody: no follow-up, no "
            "lifetime value, and whoever bought may be promoted to as if they never had.",
            remedy="Ask for an address at the till; in Shopify POS, add the customer before checkout.",
            owner=FindingOwner.STORE,
            unit="orders",
            of=self._seen,
        )
