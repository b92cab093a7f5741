"""Custom fields that the shop defines, and that nothing reads yet."""

from isthmus.checks.check import KEEP, OfShops
from isthmus.model.census import Facts
from isthmus.model.finding import Example, Found, Level, Owner


class Metafields(OfShops):
    code = "metafields"
    title = "Custom fields that are not mapped"

    def __init__(self, keep: int = KEEP) -> None:
        super().__init__(keep)
        self._rows: list[Facts] = []

    def facts(self, row: Facts) -> None:
        self._rows.append(row)

    def answer(self) -> list[Found]:
        defined = [(row.store, one) for row in self._rows for one in row.definitions or ()]
        if not defined:
            return []
        return [
            Found(
                code=self.code,
                level=Level.NOTE,
                title=self.title,
                what="The shop defines these fields for customers, orders or products. None of them is sent: custom "
                "fields are not mapped yet.",
                remedy="Say which of them segments or mails need.",
                owner=Owner.PLATFORM,
                n=len(defined),
                unit="definitions",
                of=len(defined),
                examples=tuple(
                    Example("fields", "", f"{one.owner} {one.name} ({one.type})", store)
                    for store, one in defined[: self.keep]
                ),
            )
        ]
