"""Products on sale that lack something: the one shape that the checks for price, image and SKU have."""

from typing import ClassVar

from isthmus.checks.accumulator import FindingAccumulator
from isthmus.checks.check import EXAMPLES_KEPT, ProductCheck
from isthmus.model.audit_finding import AuditFinding, FindingOwner, Level
from isthmus.model.audit_rows import ProductRow


class ProductGap(ProductCheck):
    """Counts products that are on sale and of which `lacks` says what is missing."""

    what: ClassVar[str]
    remedy: ClassVar[str]

    def __init__(self, keep: int = EXAMPLES_KEPT) -> None:
        super().__init__(keep)
        self._toll = FindingAccumulator(keep)
        self._seen = 0

    def lacks(self, row: ProductRow) -> str | None:
        """What is missing, in a few words; None when nothing is."""
        raise NotImplementedError

    def thing(self, row: ProductRow) -> None:
        if not row.is_sold:
            return
        self._seen += 1
        says = self.lacks(row)
        if says is not None:
            self._toll.product(row.store, row.id, f"{row.title}{': ' if says else ''}{says}")

    def answer(self) -> list[AuditFinding]:
        return self._toll.found(
            self,
            level=Level.CARE,
            what=self.what,
            remedy=self.remedy,
            owner=FindingOwner.STORE,
            unit="products on sale",
            of=self._seen,
        )
