"""Custom fields that the shop defines: which of them are sent, which are of another type than the mapping file says."""

from collections.abc import Set

from isthmus.checks.accumulator import FindingAccumulator
from isthmus.checks.check import EXAMPLES_KEPT, ShopCheck
from isthmus.model.audit_finding import AuditFinding, FindingExample, FindingOwner, Level
from isthmus.model.audit_rows import Fields, ShopFacts

Mapped = tuple[str, str, str]
"""Whose field a mapping file names, its namespace and key with a dot between, and the type that it expects."""

_OWNERS = {"productvariant": "variant"}


class Metafields(ShopCheck):
    code = "metafields"
    title = "Custom fields that are not mapped"

    def __init__(self, keep: int = EXAMPLES_KEPT, mapped: Set[Mapped] = frozenset()) -> None:
        super().__init__(keep)
        self._types = {(owner, key.casefold()): type_ for owner, key, type_ in mapped}
        self._rows: list[ShopFacts] = []

    def facts(self, row: ShopFacts) -> None:
        self._rows.append(row)

    def answer(self) -> list[AuditFinding]:
        unmapped, mistyped, missing = (
            FindingAccumulator(self.keep),
            FindingAccumulator(self.keep),
            FindingAccumulator(self.keep),
        )
        known = set()
        for row in self._rows:
            for one in row.definitions or ():
                name = _name(one)
                known.add(name)
                if (expected := self._types.get(name)) is None:
                    unmapped.other(FindingExample("fields", "", f"{one.owner} {one.name} ({one.type})", row.store))
                elif expected != one.type:
                    says = f"{one.owner} {one.name} is {one.type}, the mapping file says {expected}"
                    mistyped.other(FindingExample("fields", "", says, row.store))
        if self._is_told:
            for owner, key in sorted(self._types.keys() - known):
                missing.other(FindingExample("fields", "", f"{owner} {key}", ""))
        return [
            *unmapped.found(
                self,
                level=Level.NOTE,
                what="The shop defines these fields for customers, orders, products or variants, and no mapping file "
                "sends them.",
                remedy="Say which of them segments or mails need, and name those in the mapping file; those of orders "
                "cannot be mapped yet.",
                owner=FindingOwner.PLATFORM,
                unit="definitions",
                of=sum(len(row.definitions or ()) for row in self._rows),
            ),
            *mistyped.found(
                self,
                level=Level.CARE,
                title="Mapped custom fields are of another type",
                what="The mapping file expects another type than the shop defines: nothing is sent for these fields, "
                "and each becomes a case.",
                remedy="Say the shop's type in the mapping file, or give the definition its type back.",
                owner=FindingOwner.STORE,
                unit="definitions",
            ),
            *missing.found(
                self,
                level=Level.NOTE,
                title="Mapped custom fields that the shop does not define",
                what="No store has a definition of these fields. They are sent where a record has them all the same; a "
                "misspelt key looks like this.",
                remedy="Compare namespace and key with the shop's, and define the field if it is meant.",
                owner=FindingOwner.STORE,
                unit="entries",
            ),
        ]

    @property
    def _is_told(self) -> bool:
        """Whether every store let us list what it defines."""
        return bool(self._rows) and all(row.definitions is not None for row in self._rows)


def _name(one: Fields) -> tuple[str, str]:
    return _OWNERS.get(one.owner, one.owner), one.name.casefold()
