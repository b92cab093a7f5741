"""Count what a check meets: how many, whose, how much money, and the first few as examples."""

from decimal import Decimal

from isthmus.checks import mask
from isthmus.checks.check import Check
from isthmus.kit.money import ZERO
from isthmus.model.audit_finding import AuditFinding, FindingExample, FindingOwner, Level
from isthmus.model.audit_rows import CustomerRef, CustomerRow, OrderRow


class FindingAccumulator:
    """Records that show one finding."""

    def __init__(self, keep: int) -> None:
        self.n = 0
        self.people = 0
        self.money: dict[str, Decimal] = {}
        self._keep = keep
        self._examples: list[FindingExample] = []

    @property
    def examples(self) -> tuple[FindingExample, ...]:
        return tuple(self._examples)

    def customer(self, who: CustomerRef, says: str = "") -> None:
        """A customer, and what they spent."""
        self.n += 1
        self.people += 1
        self._add(who.currency, who.spent)
        if len(self._examples) < self._keep:
            self._examples.append(FindingExample("customers", who.id, says, who.store))

    def add(self, who: CustomerRef) -> None:
        """Somebody more of the record shown last."""
        self.people += 1
        self._add(who.currency, who.spent)

    def person(self, row: CustomerRow, says: str = "") -> None:
        self.customer(row.who, says or mask.mask_email(row.email))

    def sale(self, row: OrderRow, says: str = "") -> None:
        """An order, and its total."""
        self.n += 1
        self._add(row.currency, row.total)
        if len(self._examples) < self._keep:
            said = " ".join(part for part in (row.name, says) if part)
            self._examples.append(FindingExample("orders", row.id, said, row.store))

    def product(self, store: str, number: str, says: str) -> None:
        self.n += 1
        if len(self._examples) < self._keep:
            self._examples.append(FindingExample("products", number, says, store))

    def other(self, example: FindingExample) -> None:
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
        owner: FindingOwner,
        unit: str,
        of: int | None = None,
        title: str | None = None,
    ) -> list[AuditFinding]:
        """What a check makes of all it met, as one finding under its title or another; nothing where it met nothing."""
        if not self.n:
            return []
        return [
            AuditFinding(
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
