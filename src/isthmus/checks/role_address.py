"""Customers whose address is an office's, not a person's: info@, sales@ (https://www.rfc-editor.org/rfc/rfc2142)."""

from isthmus.checks.check import KEEP, OfPeople
from isthmus.checks.toll import Toll
from isthmus.kit.email import normalise
from isthmus.model.census import Person
from isthmus.model.finding import Found, Level, Owner

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


class RoleAddress(OfPeople):
    code = "role_address"
    title = "Customers with the address of an office"

    def __init__(self, keep: int = KEEP) -> None:
        super().__init__(keep)
        self._toll = Toll(keep)
        self._seen = 0

    def person(self, row: Person) -> None:
        self._seen += 1
        address = normalise(row.email)
        if address is not None and address.partition("@")[0].partition("+")[0] in ROLES:
            self._toll.person(row)

    def answer(self) -> list[Found]:
        return self._toll.found(
            self,
            level=Level.NOTE,
            what="Several people read such an address, nobody's consent stands behind it, and complaints are more "
            "frequent. They are sent like everybody else.",
            remedy="Leave them out of campaigns with a segment; do not opt them in by hand.",
            owner=Owner.STORE,
            unit="customers",
            of=self._seen,
        )
