"""A shop that calls itself otherwise, or counts in another currency, than the connection says."""

from isthmus.checks.check import EXAMPLES_KEPT, ShopCheck
from isthmus.model.audit_finding import AuditFinding, FindingOwner, Level
from isthmus.model.audit_rows import ShopFacts


class ShopIdentity(ShopCheck):
    code = "shop_identity"
    title = "Shops that are not what the connection says"

    def __init__(self, keep: int = EXAMPLES_KEPT) -> None:
        super().__init__(keep)
        self._wrong: list[tuple[str, str]] = []

    def facts(self, row: ShopFacts) -> None:
        if row.domain.lower() != row.said_domain.lower():
            self._wrong.append((row.store, f"calls itself {row.domain}, the connection says {row.said_domain}"))
        if row.currency != row.said_currency:
            self._wrong.append((row.store, f"counts in {row.currency}, the connection says {row.said_currency}"))

    def answer(self) -> list[AuditFinding]:
        return [
            AuditFinding(
                code=self.code,
                level=Level.STOP,
                title=f"Store {store} {wrong}",
                what="Every amount, link and id would be of the wrong shop.",
                remedy="Correct domain or currency in the connection file.",
                owner=FindingOwner.INTEGRATION,
                n=1,
                unit="stores",
            )
            for store, wrong in self._wrong
        ]
