"""Customers without an email address: by phone at most, or not at all."""

from isthmus.checks.accumulator import FindingAccumulator
from isthmus.checks.check import EXAMPLES_KEPT, CustomerCheck
from isthmus.kit.phone import to_e164
from isthmus.model.audit_finding import AuditFinding, FindingOwner, Level
from isthmus.model.audit_rows import CustomerRow


class NoEmail(CustomerCheck):
    code = "no_email"
    title = "Customers without an email address"

    def __init__(self, keep: int = EXAMPLES_KEPT) -> None:
        super().__init__(keep)
        self._toll = FindingAccumulator(keep)
        self._by_phone = 0
        self._seen = 0

    def person(self, row: CustomerRow) -> None:
        self._seen += 1
        if row.email and row.email.strip():
            return
        has_phone = to_e164(row.phone, row.country_code) is not None
        self._by_phone += has_phone
        self._toll.person(row, "phone only" if has_phone else "neither email nor phone")

    def answer(self) -> list[AuditFinding]:
        return self._toll.found(
            self,
            level=Level.CARE,
            what=f"{self._by_phone:,} of them have a phone number and can be sent as such; the other "
            f"{self._toll.n - self._by_phone:,} cannot be named in Ometria and are left out, with that reason. "
            "No campaign by email reaches any of them.",
            remedy="Ask for the address at the till and in the account; set identity.phone_only = false to leave "
            "out those with a phone number, too.",
            owner=FindingOwner.STORE,
            unit="customers",
            of=self._seen,
        )
