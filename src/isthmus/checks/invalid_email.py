"""Customers whose email address cannot be one, or that Shopify has found to be none."""

import re

from isthmus.checks.accumulator import FindingAccumulator
from isthmus.checks.check import EXAMPLES_KEPT, CustomerCheck
from isthmus.model.audit_finding import AuditFinding, FindingOwner, Level
from isthmus.model.audit_rows import CustomerRow

_ADDRESS = re.compile(r"[^\s@,;:<>()\[\]\"\\]+@(?:[^\W_](?:[\w-]*[^\W_])?\.)+[^\W\d_]{2,}")
"""Stricter than the standard and looser than most forms: what is left out of it is never delivered in practice."""


class InvalidEmail(CustomerCheck):
    code = "invalid_email"
    title = "Customers whose email address is no address"

    def __init__(self, keep: int = EXAMPLES_KEPT) -> None:
        super().__init__(keep)
        self._toll = FindingAccumulator(keep)
        self._bounced = 0
        self._seen = 0

    def person(self, row: CustomerRow) -> None:
        self._seen += 1
        address = row.email.strip() if row.email else ""
        if not address:
            return
        if not is_address(address):
            self._toll.person(row)
        elif row.email_consent is not None and row.email_consent.state == "INVALID":
            self._bounced += 1
            self._toll.person(row, "found undeliverable by Shopify")

    def answer(self) -> list[AuditFinding]:
        if not self._toll.n:
            return []
        bounced = f" Of these, {self._bounced:,} look right and were found undeliverable by Shopify."
        return [
            AuditFinding(
                code=self.code,
                level=Level.CARE,
                title=self.title,
                what="Mail to them bounces, and bounces harm how the rest of your mail arrives. They are sent to "
                "Ometria without the address, or as opted out." + (bounced if self._bounced else ""),
                remedy="Correct the typing errors in Shopify; delete what cannot be fixed.",
                owner=FindingOwner.STORE,
                n=self._toll.n,
                unit="customers",
                of=self._seen,
                people=self._toll.people,
                money=self._toll.money,
                examples=self._toll.examples,
            )
        ]


def is_address(text: str) -> bool:
    local, _, host = text.rpartition("@")
    return (
        _ADDRESS.fullmatch(text) is not None
        and len(local) <= 64
        and len(host) <= 253
        and ".." not in text
        and not local.startswith(".")
        and not local.endswith(".")
    )
