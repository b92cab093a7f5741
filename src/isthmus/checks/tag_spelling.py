"""Tags that differ only by capitals or spaces: to a segment they are different tags."""

from collections import Counter

from isthmus.checks.check import KEEP, Check
from isthmus.checks.toll import Toll
from isthmus.model.census import Person, Source, Thing
from isthmus.model.finding import Example, Found, Level, Owner

MOST = 200_000
"""Different tags that are remembered: shops that write a tag per order have no segments by tag to lose."""


class TagSpelling(Check):
    code = "tag_spelling"
    title = "Tags that differ only by capitals or spaces"
    needs = frozenset({Source.CUSTOMERS, Source.PRODUCTS})

    def __init__(self, keep: int = KEEP) -> None:
        super().__init__(keep)
        self._counts: dict[str, Counter[str]] = {"customers": Counter(), "products": Counter()}

    def person(self, row: Person) -> None:
        if row.tags:
            self._count("customers", row.tags)

    def thing(self, row: Thing) -> None:
        if row.tags:
            self._count("products", row.tags)

    def answer(self) -> list[Found]:
        toll, of = Toll(self.keep), 0
        for kind, counts in self._counts.items():
            groups: dict[str, list[str]] = {}
            for tag in counts:
                groups.setdefault(" ".join(tag.split()).casefold(), []).append(tag)
            of += len(groups)
            for spellings in sorted(groups.values(), key=lambda group: (-sum(counts[tag] for tag in group), group)):
                if len(spellings) > 1:
                    told = ", ".join(f"“{tag}” on {counts[tag]:,}" for tag in sorted(spellings))
                    toll.other(Example(kind, "", told))
        if not toll.n:
            return []
        return [
            Found(
                code=self.code,
                level=Level.CARE,
                title=self.title,
                what="A segment by one spelling misses everybody who has the other. What is sent takes one spelling "
                "for each; segments that you built elsewhere do not.",
                remedy="Choose one spelling of each and replace the others in Shopify.",
                owner=Owner.STORE,
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
