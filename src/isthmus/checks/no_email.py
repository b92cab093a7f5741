"""Customers without an email address: by phone at most, or not at all."""

from isthmus.checks.check import KEEP, OfPeople
from isthmus.checks.toll import Toll
from isthmus.kit.phone import e164
from isthmus.model.census import Person
from isthmus.model.finding import Found, Level, Owner


class NoEmail(OfPeople):
    code = "no_email"
    title = "Customers without an email address"

    def __init__(self, keep: int = KEEP) -> None:
        super().__init__(keep)
        self._toll = Toll(keep)
        self._by_phone = 0
        self._seen = 0

    def person(self, row: Person) -> None:
        self._seen += 1
        if row.email and row.email.strip():
            return
        has_phone = e164(row.phone, row.country_code) is not None
        self._by_phone += has_phone
        self._toll.person(row, "phone only" if has_phone else "neither email nor phone")

    def answer(self) -> list[Found]:
        return self._toll.found(
            self,
            level=Level.CARE,
            what=f"{self._by_phone:,} of them have a phone number and can be sent as such; the other "
            f"{self._toll.n - self._by_phone:,} cannot be named in Ometria and are left out, with that reason. "
            "No campaign by email reaches any of them.",
            remedy="Ask for the address at the till and in the account; set identity.phone_only = false to leave "
            "out those with a phone number, too.",
            owner=Owner.STORE,
            unit="customers",
            of=self._seen,
        )
