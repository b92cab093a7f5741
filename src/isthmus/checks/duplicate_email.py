"""Customers of one store with the same email, written differently or not.

Shopify keeps addresses apart only since it began to; imports and old apps left twins behind, and each is a contact.
The same address in two stores is one person with two accounts, and no trouble.
"""

from isthmus.checks import duplicates
from isthmus.checks.check import EXAMPLES_KEPT, CustomerCheck
from isthmus.checks.group_by_key import Groups
from isthmus.kit.email import normalise_email
from isthmus.model.audit_finding import AuditFinding, FindingOwner, Level
from isthmus.model.audit_rows import CustomerRow


class DuplicateEmail(CustomerCheck):
    code = "duplicate_email"
    title = "Customers that share an email address"

    def __init__(self, keep: int = EXAMPLES_KEPT) -> None:
        super().__init__(keep)
        self._groups = Groups()
        self._seen = 0
        self._named: dict[int, int] = {}
        self._families: set[int] = set()

    def person(self, row: CustomerRow) -> None:
        self._seen += 1
        address = normalise_email(row.email)
        if address is not None:
            self._groups.meet((row.who.store, address), row.who)
            self._name(hash((row.who.store, address)), row)

    def answer(self) -> list[AuditFinding]:
        return duplicates.duplicate_finding(
            self,
            self._groups,
            self._seen,
            level=Level.CARE,
            what="The same address, apart from capitals and spaces, belongs to several customers of one store. In "
            "Ometria they become one person whose orders are right only together, and whose consent is that of whoever "
            "changed last." + self._told(),
            remedy="Merge each group that is one person in Shopify (Customers › Merge) before the first load.",
            owner=FindingOwner.STORE,
        )

    def _name(self, key: int, row: CustomerRow) -> None:
        """Note whether everybody of an address has the same name; who has none is no reason to doubt."""
        name = f"{row.firstname or ''} {row.lastname or ''}".casefold().split()
        if name and self._named.setdefault(key, hash(tuple(name))) != hash(tuple(name)):
            self._families.add(key)

    def _told(self) -> str:
        n = len(self._families)
        if not n:
            return ""
        return f" In {n:,} of them the names differ: perhaps a family, so nothing of theirs is merged for you."
