"""Count what a check meets: how many, whose, how much money, and the first few as examples."""

from decimal import Decimal

from isthmus.checks import mask
from isthmus.checks.check import Check
from isthmus.kit.money import ZERO
from isthmus.model.census import Person, Sale, Who
from isthmus.model.finding import Example, Found, Level, Owner


class Toll:
    """Records that show one finding."""

    def __init__(self, keep: int) -> None:
        self.n = 0
        self.people = 0
        self.money: dict[str, Decimal] = {}
        self._keep = keep
        self._examples: list[Example] = []

    @property
    def examples(self) -> tuple[Example, ...]:
        return tuple(self._examples)

    def customer(self, who: Who, says: str = "") -> None:
        """A customer, and what they spent."""
        self.n += 1
        self.people += 1
        self._add(who.currency, who.spent)
        if len(self._examples) < self._keep:
            self._examples.append(Example("customers", who.id, says, who.store))

    def add(self, who: Who) -> None:
        """Somebody more of the record shown last."""
        self.people += 1
        self._add(who.currency, who.spent)

    def person(self, row: Person, says: str = "") -> None:
        self.customer(row.who, says or mask.email(row.email))

    def sale(self, row: Sale, says: str = "") -> None:
        """An order, and its total."""
        self.n += 1
        self._add(row.currency, row.total)
        if len(self._examples) < self._keep:
            said = " ".join(part for part in (row.name, says) if part)
            self._examples.append(Example("orders", row.id, said, row.store))

    def product(self, store: str, number: str, says: str) -> None:
        self.n += 1
        if len(self._examples) < self._keep:
            self._examples.append(Example("products", number, says, store))

    def other(self, example: Example) -> None:
        self.n += 1
        if len(self._examples) < self._keep:
            self._examples.append(example)

    def found(
        self,
        check: Check,
        *,
        level: Level,
        what: str,
        remedy: str,
        owner: Owner,
        unit: str,
        of: int | None = None,
        title: str | None = None,
    ) -> list[Found]:
        """What a check makes of all it met, as one finding under its title or another; nothing where it met nothing."""
        if not self.n:
            return []
        return [
            Found(
                code=check.code,
                level=level,
                title=title or check.title,
                what=what,
                remedy=remedy,
                owner=owner,
                n=self.n,
                unit=unit,
                of=of,
                people=self.people,
                money=self.money,
                examples=self.examples,
            )
        ]

    def _add(self, currency: str, amount: Decimal) -> None:
        if amount:
            self.money[currency] = self.money.get(currency, ZERO) + amount
