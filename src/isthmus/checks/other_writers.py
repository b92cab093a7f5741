"""Records that somebody else has written to the platform, as its own importer would: they would be there twice."""

from isthmus.checks.check import KEEP, OfWriters
from isthmus.model.census import Foreign
from isthmus.model.finding import Example, Found, Level, Owner

_ONLY_PEOPLE = (
    "Contacts of several writers make one person, so nobody is there twice; consent is weighed over all of them."
)


class OtherWriters(OfWriters):
    code = "other_writers"
    title = "Records of another writer in Ometria"

    def __init__(self, is_decided: bool, keep: int = KEEP) -> None:
        """`is_decided` when the connection says how the other's records are taken over."""
        super().__init__(keep)
        self._is_decided = is_decided
        self._rows: list[Foreign] = []

    def foreign(self, row: Foreign) -> None:
        if row.n:
            self._rows.append(row)

    def answer(self) -> list[Found]:
        if not self._rows:
            return []
        is_twice = any(row.kind != "contacts" for row in self._rows)
        told = "; ".join(f"{row.n:,} of {row.of:,} {row.kind} looked at" for row in self._rows)
        return [
            Found(
                code=self.code,
                level=Level.STOP if is_twice and not self._is_decided else Level.NOTE,
                title=self.title,
                what=f"{told}. "
                + ("Sent again under our ids, orders and revenue would be there twice." if is_twice else _ONLY_PEOPLE),
                remedy="Decide how they are taken over (adopt_ids, start_at or ignore) and rehearse it in shadow mode; "
                "docs/howto/take-over-from-another-writer.md says how.",
                owner=Owner.PLATFORM,
                n=sum(row.n for row in self._rows),
                unit="records of the sample",
                of=sum(row.of for row in self._rows),
                examples=tuple(Example(row.kind, "", row.says) for row in self._rows if row.says)[: self.keep],
            )
        ]
