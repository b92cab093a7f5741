"""Tags that differ only by capitals or spaces: to a segment they are different tags."""

from collections import Counter

from isthmus.checks.accumulator import FindingAccumulator
from isthmus.checks.check import EXAMPLES_KEPT, Check
from isthmus.model.audit_finding import AuditFinding, FindingExample, FindingOwner, Level
from isthmus.model.audit_rows import CustomerRow, ProductRow, Source

MOST = 200_000
"""Different tags that are remembered: shops that write a tag per order have no segments by tag to lose."""


class TagSpelling(Check):
    code = "tag_spelling"
    title = "Tags that differ only by capitals or spaces"
    needs = frozenset({Source.CUSTOMERS, Source.PRODUCTS})

    def __init__(self, keep: int = EXAMPLES_KEPT) -> None:
        super().__init__(keep)
        self._counts: dict[str, Counter[str]] = {"customers": Counter(), "products": Counter()}

    def person(self, row: CustomerRow) -> None:
        if row.tags:
            self._count("customers", row.tags)

    def thing(self, row: ProductRow) -> None:
        if row.tags:
            self._count("products", row.tags)

    def answer(self) -> list[AuditFinding]:
        toll, of = FindingAccumulator(self.keep), 0
        for kind, counts in self._counts.items():
            groups: dict[str, list[str]] = {}
            for tag in counts:
                groups.setdefault(" ".join(tag.split()).casefold(), []).append(tag)
            of += len(groups)
            for spellings in sorted(groups.values(), key=lambda group: (-sum(counts[tag] for tag in group), group)):
                if len(spellings) > 1:
                    told = ", ".join(f"“{tag}” on {counts[tag]:,}" for tag in sorted(spellings))
                    toll.other(FindingExample(kind, "", told))
        if not toll.n:
            return []
        return [
            AuditFinding(
                code=self.code,
                level=Level.CARE,
                title=self.title,
                what="A segment by one spelling misses everybody who has the other. What is sent takes one spelling "
                "for each; segments that you built elsewhere do not.",
                remedy="Choose one spelling of each and replace the others in Shopify.",
                owner=FindingOwner.STORE,
                n=toll.n,
                unit="tags",
                of=of,
                examples=toll.examples,
            )
        ]

    def _count(self, kind: str, tags: tuple[str, ...]) -> None:
        counts = self._counts[kind]
        for tag in tags:
            if tag in counts or len(counts) < MOST:
                counts[tag] += 1
