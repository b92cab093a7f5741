"""People who said yes in one store and no in another."""

from isthmus.checks.accumulator import FindingAccumulator
from isthmus.checks.check import EXAMPLES_KEPT, CustomerCheck
from isthmus.checks.consent_flags import ConsentFlag, consent_flag
from isthmus.kit.email import normalise_email
from isthmus.model.audit_finding import AuditFinding, FindingExample, FindingOwner, Level
from isthmus.model.audit_rows import CustomerRef, CustomerRow, Source


class ConsentBetweenStores(CustomerCheck):
    code = "consent_between_stores"
    title = "People who said yes in one store and no in another"
    needs = frozenset({Source.CUSTOMERS, Source.CONSENT})

    def __init__(self, keep: int = EXAMPLES_KEPT) -> None:
        super().__init__(keep)
        self._said: dict[int, tuple[int, CustomerRef]] = {}
        self._toll = FindingAccumulator(keep)
        self._seen = 0

    def person(self, row: CustomerRow) -> None:
        address, said = normalise_email(row.email), consent_flag(row.email_consent)
        if address is None or not said:
            return
        self._seen += 1
        before = self._said.get(hash(address))
        if before is None:
            self._said[hash(address)] = (said, row.who)
        elif (
            before[1].store != row.who.store and before[0] != ConsentFlag.BOTH and before[0] | said == ConsentFlag.BOTH
        ):
            self._said[hash(address)] = (ConsentFlag.BOTH, before[1])
            self._toll.other(
                FindingExample("customers", row.who.id, f"and {before[1].store} {before[1].id}", row.who.store)
            )

    def answer(self) -> list[AuditFinding]:
        if not self._toll.n:
            return []
        return [
            AuditFinding(
                code=self.code,
                level=Level.CARE,
                title=self.title,
                what="Ometria knows one person, and a no from one store silences them for all of them.",
                remedy="Usually right as it is: the no wins. Agree with Ometria if a no in one store is meant for that "
                "store alone.",
                owner=FindingOwner.INTEGRATION,
                n=self._toll.n,
                unit="people",
                people=self._toll.n,
                examples=self._toll.examples,
            )
        ]
