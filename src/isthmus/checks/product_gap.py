"""Products on sale that lack something: the one shape that the checks for price, image and SKU have."""

from typing import ClassVar

from isthmus.checks.check import KEEP, OfThings
from isthmus.checks.toll import Toll
from isthmus.model.census import Thing
from isthmus.model.finding import Found, Level, Owner


class ProductGap(OfThings):
    """Counts products that are on sale and of which `lacks` says what is missing."""

    what: ClassVar[str]
    remedy: ClassVar[str]

    def __init__(self, keep: int = KEEP) -> None:
        super().__init__(keep)
        self._toll = Toll(keep)
        self._seen = 0

    def lacks(self, row: Thing) -> str | None:
        """What is missing, in a few words; None when nothing is."""
        raise NotImplementedError

    def thing(self, row: Thing) -> None:
        if not row.is_sold:
            return
        self._seen += 1
        says = self.lacks(row)
        if says is not None:
            self._toll.product(row.store, row.id, f"{row.title}{': ' if says else ''}{says}")

    def answer(self) -> list[Found]:
        return self._toll.found(
            self,
            level=Level.CARE,
            what=self.what,
            remedy=self.remedy,
            owner=Owner.STORE,
            unit="products on sale",
            of=self._seen,
        )
