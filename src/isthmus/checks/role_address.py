"""Customers whose address is an office's, not a person's: info@, sales@ (https://www.rfc-editor.org/rfc/rfc2142)."""

from isthmus.checks.accumulator import FindingAccumulator
from isthmus.checks.check import EXAMPLES_KEPT, CustomerCheck
from isthmus.kit.email import normalise_email
from isthmus.model.audit_finding import AuditFinding, FindingOwner, Level
from isthmus.model.audit_rows import CustomerRow

ROLES = frozenset(
    (
        "abuse",
        "accounts",
        "admin",
        "administrator",
        "billing",
        "bookings",
        "careers",
        "contact",
        "customerservice",
        "customerservices",
        "enquiries",
        "enquiry",
        "finance",
        "hello",
        "help",
        "helpdesk",
        "hostmaster",
        "hr",
        "info",
        "information",
        "invoices",
        "it",
        "jobs",
        "mail",
        "marketing",
        "noc",
        "no-reply",
        "noreply",
        "office",
        "orders",
        "postmaster",
        "press",
        "purchasing",
        "reception",
        "sales",
        "security",
        "service",
        "support",
        "team",
        "tech",
        "webmaster",
    )
)
"""RFC 2142's, and those that shops see most."""


class RoleAddress(CustomerCheck):
    code = "role_address"
    title = "Customers with the address of an office"

    def __init__(self, keep: int = EXAMPLES_KEPT) -> None:
        super().__init__(keep)
        self._toll = FindingAccumulator(keep)
        self._seen = 0

    def person(self, row: CustomerRow) -> None:
        self._seen += 1
        address = normalise_email(row.email)
        if address is not None and address.partition("@")[0].partition("+")[0] in ROLES:
            self._toll.person(row)

    def answer(self) -> list[AuditFinding]:
        return self._toll.found(
            self,
            level=Level.NOTE,
            what="Several people read such an address, nobody's consent stands behind it, and complaints are more "
            "frequent. They are sent like everybody else.",
            remedy="Leave them out of campaigns with a segment; do not opt them in by hand.",
            owner=FindingOwner.STORE,
            unit="customers",
            of=self._seen,
        )
