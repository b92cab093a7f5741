"""Customers of one store with the same name and postcode: perhaps one person, perhaps a family, so only a flag."""

from isthmus.checks import duplicates
from isthmus.checks.check import EXAMPLES_KEPT, CustomerCheck
from isthmus.checks.group_by_key import Groups
from isthmus.model.audit_finding import AuditFinding, FindingOwner, Level
from isthmus.model.audit_rows import CustomerRow


class DuplicateName(CustomerCheck):
    code = "duplicate_name"
    title = "Customers with the same name and postcode"

    def __init__(self, keep: int = EXAMPLES_KEPT) -> None:
        super().__init__(keep)
        self._groups = Groups()
        self._seen = 0

    def person(self, row: CustomerRow) -> None:
        self._seen += 1
        first, last, place = _plain(row.firstname), _plain(row.lastname), _plain(row.postcode)
        if first and last and place:
            self._groups.meet((row.who.store, first, last, place), row.who)

    def answer(self) -> list[AuditFinding]:
        return duplicates.duplicate_finding(
            self,
            self._groups,
            self._seen,
            level=Level.NOTE,
            what="They may be one person with two accounts, or two people of one family. Nothing is merged by a guess, "
            "so each stays a person of its own.",
            remedy="Look at those that spent most; merge in Shopify where it is one person.",
            owner=FindingOwner.STORE,
        )


def _plain(text: str | None) -> str:
    """Without case and spaces, which people vary."""
    return "".join(text.split()).casefold() if text else ""
