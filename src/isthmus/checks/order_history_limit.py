"""Orders that there are and that we may not see: without read_all_orders those older than 60 days are hidden.

https://shopify.dev/docs/api/usage/access-scopes. How many there are is not told; what each customer is said to have
ordered, and the number of the newest order, tell at least how many.
"""

import re
from collections import Counter

from isthmus.checks.check import EXAMPLES_KEPT, Check
from isthmus.model.audit_finding import AuditFinding, FindingOwner, Level
from isthmus.model.audit_rows import CustomerRow, OrderRow, ShopFacts, Source

FIRST_NUMBER = 1001
"""The number of a shop's first order, unless the merchant chose another."""


class OrderHistoryLimit(Check):
    code = "history_wall"
    title = "Orders that are hidden from the app"
    needs = frozenset({Source.SHOP, Source.CUSTOMERS, Source.ORDERS})

    def __init__(self, keep: int = EXAMPLES_KEPT) -> None:
        super().__init__(keep)
        self._rows: list[ShopFacts] = []
        self._ordered: Counter[str] = Counter()
        self._visible: Counter[str] = Counter()

    def facts(self, row: ShopFacts) -> None:
        self._rows.append(row)

    def person(self, row: CustomerRow) -> None:
        self._ordered[row.who.store] += row.n_orders

    def sale(self, row: OrderRow) -> None:
        self._visible[row.store] += 1

    def answer(self) -> list[AuditFinding]:
        found = []
        for row in self._rows:
            if row.sees_history:
                continue
            visible = self._visible[row.store]
            there = max(self._ordered[row.store], _numbered(row.newest_name), visible)
            accepted = ' The connection accepts that: orders.horizon = "60d".' if row.is_horizon_accepted else ""
            found.append(
                AuditFinding(
                    code=self.code,
                    level=Level.NOTE if row.is_horizon_accepted else Level.STOP,
                    title=f"Orders of store {row.store} older than 60 days are hidden",
                    what=f"{visible:,} orders are visible; there are about {there:,}, going by what the shop counts "
                    "per customer and by the number of its newest order. Lifetime values, first orders and segments "
                    f"would be built on 60 days.{accepted}",
                    remedy="Request the scope read_all_orders for the app, and wait for approval, before the first "
                    'load; or decide to do without them: orders.horizon = "60d".',
                    owner=FindingOwner.STORE,
                    n=there - visible,
                    unit="orders",
                    of=there or None,
                )
            )
        return found


def _numbered(name: str | None) -> int:
    """How many orders there have been, by the number in the newest one's name."""
    digits = re.search(r"\d+", name or "")
    return max(0, int(digits[0]) - FIRST_NUMBER + 1) if digits else 0
