"""Customers of one store with the same phone number (E.164) and not the same email."""

from isthmus.checks import duplicates
from isthmus.checks.check import EXAMPLES_KEPT, CustomerCheck
from isthmus.checks.group_by_key import Groups
from isthmus.kit.phone import to_e164
from isthmus.model.audit_finding import AuditFinding, FindingOwner, Level
from isthmus.model.audit_rows import CustomerRow


class DuplicatePhone(CustomerCheck):
    code = "duplicate_phone"
    title = "Customers that share a phone number"

    def __init__(self, keep: int = EXAMPLES_KEPT) -> None:
        super().__init__(keep)
        self._groups = Groups()
        self._seen = 0

    def person(self, row: CustomerRow) -> None:
        self._seen += 1
        number = to_e164(row.phone, row.country_code)
        if number is not None:
            self._groups.meet((row.who.store, number), row.who)

    def answer(self) -> list[AuditFinding]:
        return duplicates.duplicate_finding(
            self,
            self._groups,
            self._seen,
            level=Level.CARE,
            what="Ometria lets a number belong to one person only and ignores it on the others, so text messages reach "
            "one of them, with the consent of that one.",
            remedy="Decide for each group whose number it is; merge the customers where they are one person, else "
            "delete the number from the others.",
            owner=FindingOwner.STORE,
        )
