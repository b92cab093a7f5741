"""Custom fields that the shop defines: which of them are sent, which are of another type than the mapping file says."""

from collections.abc import Iterable, Set

from isthmus.checks.check import KEEP, OfShops
from isthmus.model.census import Facts, Fields
from isthmus.model.finding import Example, Found, Level, Owner

Mapped = tuple[str, str, str]
"""Whose field a mapping file names, its namespace and key with a dot between, and the type that it expects."""

_OWNERS = {"productvariant": "variant"}


class Metafields(OfShops):
    code = "metafields"
    title = "Custom fields that are not mapped"

    def __init__(self, keep: int = KEEP, mapped: Set[Mapped] = frozenset()) -> None:
        super().__init__(keep)
        self._types = {(owner, key.casefold()): type_ for owner, key, type_ in mapped}
        self._rows: list[Facts] = []

    def facts(self, row: Facts) -> None:
        self._rows.append(row)

    def answer(self) -> list[Found]:
        defined = [(row.store, one) for row in self._rows for one in row.definitions or ()]
        unmapped = [(store, one) for store, one in defined if _name(one) not in self._types]
        mistyped = [
            (store, one, expected)
            for store, one in defined
            if (expected := self._types.get(_name(one), one.type)) != one.type
        ]
        known = {_name(one) for _, one in defined}
        missing = sorted(name for name in self._types if name not in known) if self._is_told else []
        return [*self._unmapped(unmapped, len(defined)), *self._mistyped(mistyped), *self._missing(missing)]

    @property
    def _is_told(self) -> bool:
        """Whether every store let us list what it defines."""
        return bool(self._rows) and all(row.definitions is not None for row in self._rows)

    def _unmapped(self, found: list[tuple[str, Fields]], n: int) -> list[Found]:
        if not found:
            return []
        return [
            Found(
                code=self.code,
                level=Level.NOTE,
                title=self.title,
                what="The shop defines these fields for customers, orders, products or variants, and no mapping file "
                "sends them.",
                remedy="Say which of them segments or mails need, and name those in the mapping file; those of orders "
                "cannot be mapped yet.",
                owner=Owner.PLATFORM,
                n=len(found),
                unit="definitions",
                of=n,
                examples=_examples(
                    ((store, f"{one.owner} {one.name} ({one.type})") for store, one in found), self.keep
                ),
            )
        ]

    def _mistyped(self, found: list[tuple[str, Fields, str]]) -> list[Found]:
        if not found:
            return []
        return [
            Found(
                code=self.code,
                level=Level.CARE,
                title="Mapped custom fields are of another type",
                what="The mapping file expects another type than the shop defines: nothing is sent for these fields, "
                "and each becomes a case.",
                remedy="Say the shop's type in the mapping file, or give the definition its type back.",
                owner=Owner.STORE,
                n=len(found),
                unit="definitions",
                examples=_examples(
                    (
                        (store, f"{one.owner} {one.name} is {one.type}, the mapping file says {expected}")
                        for store, one, expected in found
                    ),
                    self.keep,
                ),
            )
        ]

    def _missing(self, found: list[tuple[str, str]]) -> list[Found]:
        if not found:
            return []
        return [
            Found(
                code=self.code,
                level=Level.NOTE,
                title="Mapped custom fields that the shop does not define",
                what="No store has a definition of these fields. They are sent where a record has them all the same; a "
                "misspelt key looks like this.",
                remedy="Compare namespace and key with the shop's, and define the field if it is meant.",
                owner=Owner.STORE,
                n=len(found),
                unit="entries",
                examples=_examples((("", f"{owner} {key}") for owner, key in found), self.keep),
            )
        ]


def _name(one: Fields) -> tuple[str, str]:
    return _OWNERS.get(one.owner, one.owner), one.name.casefold()


def _examples(told: Iterable[tuple[str, str]], keep: int) -> tuple[Example, ...]:
    return tuple(Example("fields", "", says, store) for store, says in told)[:keep]
