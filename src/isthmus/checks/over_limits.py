"""Records that do not fit into what Ometria takes, by mapping those that are most likely not to.

60 KB a record and 1,000 characters of properties (https://docs.ometria.com/docs/push-endpoint).
"""

from collections import Counter

from isthmus.checks.accumulator import FindingAccumulator
from isthmus.checks.check import EXAMPLES_KEPT, SampleCheck
from isthmus.model.audit_finding import AuditFinding, FindingExample, FindingOwner, Level
from isthmus.model.audit_rows import Mapped


class OverLimits(SampleCheck):
    code = "over_limits"
    title = "Records that Ometria has no room for"

    def __init__(self, keep: int = EXAMPLES_KEPT) -> None:
        super().__init__(keep)
        self._cut, self._refused = FindingAccumulator(keep), FindingAccumulator(keep)
        self._seen: Counter[str] = Counter()

    def mapped(self, row: Mapped) -> None:
        self._seen[row.kind] += 1
        if row.rejected is not None:
            self._refused.other(FindingExample(row.kind, row.id, row.rejected, row.store))
        elif row.n_cut:
            self._cut.other(FindingExample(row.kind, row.id, f"{row.n_cut} values cut", row.store))

    def answer(self) -> list[AuditFinding]:
        sample = ", ".join(f"{n:,} {kind}" for kind, n in sorted(self._seen.items()))
        found = []
        if self._refused.n:
            found.append(
                AuditFinding(
                    code="cannot_be_sent",
                    level=Level.CARE,
                    title="Records that cannot be sent",
                    what=f"Each becomes a case that a person decides. Looked at the longest records: {sample}.",
                    remedy="Shorten them in the shop, or decide on each case.",
                    owner=FindingOwner.INTEGRATION,
                    n=self._refused.n,
                    unit="records of the sample",
                    of=self._seen.total(),
                    examples=self._refused.examples,
                )
            )
        if self._cut.n:
            found.append(
                AuditFinding(
                    code=self.code,
                    level=Level.CARE,
                    title="Records that lose something to Ometria's limits",
                    what="A record's custom properties share 1,000 characters, and a record 60 KB. Tags are cut "
                    f"first, so segments by tag would miss these. Looked at the longest records: {sample}.",
                    remedy="Name the tags that matter under contacts.tags, so that the others leave them room.",
                    owner=FindingOwner.INTEGRATION,
                    n=self._cut.n,
                    unit="records of the sample",
                    of=self._seen.total(),
                    examples=self._cut.examples,
                )
            )
        return found
