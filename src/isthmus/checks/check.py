"""What every check is: something that is shown rows, one at a time, and then asked what it found."""

from typing import ClassVar

from isthmus.model.audit_finding import AuditFinding, Chart
from isthmus.model.audit_rows import (
    CustomerRow,
    ForeignSample,
    Mapped,
    OrderRow,
    ProductRow,
    ProfileRow,
    ShopFacts,
    Source,
)

EXAMPLES_KEPT = 5
"""Examples that a finding shows."""


class Check:
    """One check of one audit. It keeps no more of a row than it needs to meet it again.

    `title` names what it looks for, `needs` what must have been read, else it could not look. `keep` is how many
    examples it shows.
    """

    code: ClassVar[str]
    title: ClassVar[str]
    needs: ClassVar[frozenset[Source]]

    def __init__(self, keep: int = EXAMPLES_KEPT) -> None:
        self.keep = keep

    def answer(self) -> list[AuditFinding]:
        """What was found in all that was shown; nothing when all is well."""
        raise NotImplementedError

    def pictures(self) -> list[Chart]:
        """What is better seen than read."""
        return []


class CustomerCheck(Check):
    """A check of customers."""

    needs = frozenset({Source.CUSTOMERS})

    def person(self, row: CustomerRow) -> None:
        raise NotImplementedError


class OrderCheck(Check):
    """A check of orders; test orders are never shown."""

    needs = frozenset({Source.ORDERS})

    def sale(self, row: OrderRow) -> None:
        raise NotImplementedError


class ProductCheck(Check):
    """A check of products."""

    needs = frozenset({Source.PRODUCTS})

    def thing(self, row: ProductRow) -> None:
        raise NotImplementedError


class ProfileCheck(Check):
    """A check of people as Ometria holds them."""

    needs = frozenset({Source.PROFILES})

    def profile(self, row: ProfileRow) -> None:
        raise NotImplementedError


class ShopCheck(Check):
    """A check of what shops say of themselves."""

    needs = frozenset({Source.SHOP})

    def facts(self, row: ShopFacts) -> None:
        raise NotImplementedError


class SampleCheck(Check):
    """A check of whole records, mapped."""

    needs = frozenset({Source.SAMPLE})

    def mapped(self, row: Mapped) -> None:
        raise NotImplementedError


class ForeignRecordCheck(Check):
    """A check of records that somebody else wrote."""

    needs = frozenset({Source.WRITERS})

    def foreign(self, row: ForeignSample) -> None:
        raise NotImplementedError
