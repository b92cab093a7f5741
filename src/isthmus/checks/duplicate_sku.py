"""One SKU on several variants of a store, of one product or of several."""

from isthmus.checks.accumulator import FindingAccumulator
from isthmus.checks.check import EXAMPLES_KEPT, ProductCheck
from isthmus.model.audit_finding import AuditFinding, FindingOwner, Level
from isthmus.model.audit_rows import ProductRow


class DuplicateSku(ProductCheck):
    code = "duplicate_sku"
    title = "SKUs that several variants share"

    def __init__(self, keep: int = EXAMPLES_KEPT) -> None:
        super().__init__(keep)
        self._at: dict[tuple[str, str], list[tuple[str, str]]] = {}
        self._seen = 0

    def thing(self, row: ProductRow) -> None:
        if not row.is_sold:
            return
        for one in row.skus:
            sku = (one.sku or "").strip()
            if sku:
                self._seen += 1
                self._at.setdefault((row.store, sku.casefold()), []).append((row.id, f"{sku}: {row.title}"))

    def answer(self) -> list[AuditFinding]:
        toll = FindingAccumulator(self.keep)
        for (store, _), at in sorted(self._at.items()):
            if len(at) > 1:
                toll.product(store, at[0][0], f"{at[0][1]}, {len(at)} variants")
        if not toll.n:
            return []
        return [
            AuditFinding(
                code=self.code,
                level=Level.CARE,
                title=self.title,
                what="Whatever goes by SKU, as stock, feeds and reports, takes them for one thing. Capitals do not "
                "count.",
                remedy="Give every variant a SKU of its own in Shopify.",
                owner=FindingOwner.STORE,
                n=toll.n,
                unit="SKUs",
                of=len(self._at),
                examples=toll.examples,
            )
        ]
