"""Orders that belong to no customer and still name an address: guests."""

from isthmus.checks.accumulator import FindingAccumulator
from isthmus.checks.check import EXAMPLES_KEPT, OrderCheck
from isthmus.model.audit_finding import AuditFinding, FindingOwner, Level
from isthmus.model.audit_rows import OrderRow, Source


class GuestOrders(OrderCheck):
    code = "guest_orders"
    title = "Orders of guests"
    needs = frozenset({Source.ORDERS, Source.OWNERS})

    def __init__(self, keep: int = EXAMPLES_KEPT) -> None:
        super().__init__(keep)
        self._toll = FindingAccumulator(keep)
        self._seen = 0

    def sale(self, row: OrderRow) -> None:
        self._seen += 1
        if row.customer is None and (_said(row.email) or _said(row.phone)):
            self._toll.sale(row)

    def answer(self) -> list[AuditFinding]:
        return self._toll.found(
            self,
            level=Level.NOTE,
            what="They belong to no customer of the shop. They are sent with their address: Ometria counts them "
            "for whoever has it, and for everybody else makes a person that never said anything about marketing.",
            remedy="Nothing, unless you expected them to have accounts; let the checkout make customers if so.",
            owner=FindingOwner.STORE,
            unit="orders",
            of=self._seen,
        )


def _said(text: str | None) -> bool:
    return bool(text and text.strip())
