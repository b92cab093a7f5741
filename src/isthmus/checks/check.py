"""What every check is: something that is shown rows, one at a time, and then asked what it found."""

from typing import ClassVar

from isthmus.model.census import Facts, Foreign, Mapped, Person, Profile, Sale, Source, Thing
from isthmus.model.finding import Found, Picture

KEEP = 5
"""Examples that a finding shows."""


class Check:
    """One check of one audit. It keeps no more of a row than it needs to meet it again.

    `title` names what it looks for, `needs` what must have been read, else it could not look. `keep` is how many
    examples it shows.
    """

    code: ClassVar[str]
    title: ClassVar[str]
    needs: ClassVar[frozenset[Source]]

    def __init__(self, keep: int = KEEP) -> None:
        self.keep = keep

    def answer(self) -> list[Found]:
        """What was found in all that was shown; nothing when all is well."""
        raise NotImplementedError

    def pictures(self) -> list[Picture]:
        """What is better seen than read."""
        return []


class OfPeople(Check):
    """A check of customers."""

    needs = frozenset({Source.CUSTOMERS})

    def person(self, row: Person) -> None:
        raise NotImplementedError


class OfSales(Check):
    """A check of orders; test orders are never shown."""

    needs = frozenset({Source.ORDERS})

    def sale(self, row: Sale) -> None:
        raise NotImplementedError


class OfThings(Check):
    """A check of products."""

    needs = frozenset({Source.PRODUCTS})

    def thing(self, row: Thing) -> None:
        raise NotImplementedError


class OfProfiles(Check):
    """A check of people as the platform holds them."""

    needs = frozenset({Source.PROFILES})

    def profile(self, row: Profile) -> None:
        raise NotImplementedError


class OfShops(Check):
    """A check of what shops say of themselves."""

    needs = frozenset({Source.SHOP})

    def facts(self, row: Facts) -> None:
        raise NotImplementedError


class OfSamples(Check):
    """A check of whole records, mapped."""

    needs = frozenset({Source.SAMPLE})

    def mapped(self, row: Mapped) -> None:
        raise NotImplementedError


class OfWriters(Check):
    """A check of records that somebody else wrote."""

    needs = frozenset({Source.WRITERS})

    def foreign(self, row: Foreign) -> None:
        raise NotImplementedError
