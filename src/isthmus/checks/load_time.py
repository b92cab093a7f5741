"""How long the first load takes under the account's limits: 100 records a push, so many pushes a second."""

from decimal import Decimal

from isthmus.checks.check import KEEP, Check
from isthmus.model.census import Person, Sale, Source, Thing
from isthmus.model.finding import Found, Level, Owner
from isthmus.ometria.limits import RECORDS_PER_PUSH

LONG = 8 * 3600
"""Seconds after which a load is planned, not just started."""


class LoadTime(Check):
    code = "load_time"
    title = "First load that takes more than a working day"
    needs = frozenset({Source.CUSTOMERS, Source.ORDERS, Source.PRODUCTS})

    def __init__(self, pushes_per_second: Decimal, keep: int = KEEP) -> None:
        super().__init__(keep)
        self._per_second = pushes_per_second * RECORDS_PER_PUSH
        self.n = 0

    def person(self, _: Person) -> None:
        self.n += 1

    def sale(self, _: Sale) -> None:
        self.n += 1

    def thing(self, row: Thing) -> None:
        self.n += 1 + len(row.skus)

    @property
    def seconds(self) -> int:
        """With every push full and every slot used: what a load needs at least."""
        return int(self.n / self._per_second) + 1

    def answer(self) -> list[Found]:
        if self.seconds < LONG:
            return []
        return [
            Found(
                code=self.code,
                level=Level.NOTE,
                title=f"The first load takes at least {self.seconds / 3600:.0f} hours",
                what=f"{self.n:,} records at {self._per_second:,.0f} a second, the account's limit. What happens "
                "live goes first meanwhile, so nothing urgent waits.",
                remedy="Start it days before launch, in shadow mode if you like; ask Ometria for a higher push rate.",
                owner=Owner.PLATFORM,
                n=self.n,
                unit="records",
            )
        ]
