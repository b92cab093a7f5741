"""In which currencies people pay, and whether Ometria is told what that is in the one it reports in."""

from collections import Counter
from collections.abc import Set

from isthmus.checks.accumulator import FindingAccumulator
from isthmus.checks.check import EXAMPLES_KEPT, OrderCheck
from isthmus.model.audit_finding import AuditFinding, Chart, ChartBar, FindingOwner, Level
from isthmus.model.audit_rows import OrderRow


class Currencies(OrderCheck):
    code = "currencies"
    title = "Currencies without a rate"

    def __init__(self, reporting: str | None, rated: Set[str], keep: int = EXAMPLES_KEPT) -> None:
        """`reporting` is Ometria's currency, `rated` those that the connection has a rate for."""
        super().__init__(keep)
        self._known = {reporting, *rated} if reporting else None
        self._reporting = reporting
        self._paid: Counter[str] = Counter()
        self._toll = FindingAccumulator(keep)

    def sale(self, row: OrderRow) -> None:
        self._paid[row.presentment] += 1
        if self._known is not None and row.currency not in self._known:
            self._toll.sale(row)

    def answer(self) -> list[AuditFinding]:
        if not self._toll.n:
            return []
        names = ", ".join(sorted(self._toll.money))
        return [
            AuditFinding(
                code=self.code,
                level=Level.CARE,
                title=f"Orders in {names}, and no rate to {self._reporting}",
                what=f"Ometria reports in {self._reporting}. No rate is ever assumed, so these orders go out in "
                "their own currency only, and totals over all stores may add up unlike amounts.",
                remedy="Agree a rate and set it under ometria.rates, or let Ometria convert.",
                owner=FindingOwner.INTEGRATION,
                n=self._toll.n,
                unit="orders",
                of=self._paid.total(),
                money=self._toll.money,
                examples=self._toll.examples,
            )
        ]

    def pictures(self) -> list[Chart]:
        if len(self._paid) < 2:
            return []
        return [
            Chart(
                "Orders by the currency customers paid in", tuple(ChartBar(c, n) for c, n in self._paid.most_common())
            )
        ]
