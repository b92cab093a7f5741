"""How long the first load takes under the account's limits: 100 records a push, so many pushes a second."""

from decimal import Decimal

from isthmus.checks.check import EXAMPLES_KEPT, Check
from isthmus.model.audit_finding import AuditFinding, FindingOwner, Level
from isthmus.model.audit_rows import CustomerRow, OrderRow, ProductRow, Source
from isthmus.ometria.limits import RECORDS_PER_PUSH

LONG = 8 * 3600
"""Seconds after which a load is planned, not just started."""


class LoadTime(Check):
    code = "load_time"
    title = "First load that takes more than a working day"
    needs = frozenset({Source.CUSTOMERS, Source.ORDERS, Source.PRODUCTS})

    def __init__(self, pushes_per_second: Decimal, keep: int = EXAMPLES_KEPT) -> None:
        super().__init__(keep)
        self._per_second = pushes_per_second * RECORDS_PER_PUSH
        self.n = 0

    def person(self, _: CustomerRow) -> None:
        self.n += 1

    def sale(self, _: OrderRow) -> None:
        self.n += 1

    def thing(self, row: ProductRow) -> None:
        self.n += 1 + len(row.skus)

    @property
    def seconds(self) -> int:
        """With every push full and every slot used: what a load needs at least."""
        return int(self.n / self._per_second) + 1

    def answer(self) -> list[AuditFinding]:
        if self.seconds < LONG:
            return []
        return [
            AuditFinding(
                code=self.code,
                level=Level.NOTE,
                title=f"The first load takes at least {self.seconds / 3600:.0f} hours",
                what=f"{self.n:,} records at {self._per_second:,.0f} a second, the account's limit. What happens "
                "live goes first meanwhile, so nothing urgent waits.",
                remedy="Start it days before launch, in shadow mode if you like; ask Ometria for a higher push rate.",
                owner=FindingOwner.PLATFORM,
                n=self.n,
                unit="records",
            )
        ]
