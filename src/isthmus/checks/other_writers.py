"""Records that somebody else has written to Ometria, as its own importer would: they would be there twice."""

from isthmus.checks.check import EXAMPLES_KEPT, ForeignRecordCheck
from isthmus.model.audit_finding import AuditFinding, FindingExample, FindingOwner, Level
from isthmus.model.audit_rows import ForeignSample

_ONLY_PEOPLE = (
    "Contacts of several writers make one person, so nobody is there twice; consent is weighed over all of them."
)


class OtherWriters(ForeignRecordCheck):
    code = "other_writers"
    title = "Records of another writer in Ometria"

    def __init__(self, is_decided: bool, keep: int = EXAMPLES_KEPT) -> None:
        """`is_decided` when the connection says how the other's records are taken over."""
        super().__init__(keep)
        self._is_decided = is_decided
        self._rows: list[ForeignSample] = []

    def foreign(self, row: ForeignSample) -> None:
        if row.n:
            self._rows.append(row)

    def answer(self) -> list[AuditFinding]:
        if not self._rows:
            return []
        is_twice = any(row.kind != "contacts" for row in self._rows)
        told = "; ".join(f"{row.n:,} of {row.of:,} {row.kind} looked at" for row in self._rows)
        return [
            AuditFinding(
                code=self.code,
                level=Level.STOP if is_twice and not self._is_decided else Level.NOTE,
                title=self.title,
                what=f"{told}. "
                + ("Sent again under our ids, orders and revenue would be there twice." if is_twice else _ONLY_PEOPLE),
                remedy="Decide how they are taken over (adopt_ids, start_at or ignore) and rehearse it in shadow mode; "
                "docs/howto/take-over-from-another-writer.md says how.",
                owner=FindingOwner.PLATFORM,
                n=sum(row.n for row in self._rows),
                unit="records of the sample",
                of=sum(row.of for row in self._rows),
                examples=tuple(FindingExample(row.kind, "", row.says) for row in self._rows if row.says)[: self.keep],
            )
        ]
