"""Consent in a state that we have no rule for: nothing is sent for it until somebody decides."""

from isthmus.checks.accumulator import FindingAccumulator
from isthmus.checks.check import EXAMPLES_KEPT, CustomerCheck
from isthmus.model.audit_finding import AuditFinding, FindingOwner, Level
from isthmus.model.audit_rows import CustomerRow, Source

KNOWN_STATES = frozenset(
    ("SUBSCRIBED", "UNSUBSCRIBED", "NOT_SUBSCRIBED", "NEVER_SUBSCRIBED", "PENDING", "INVALID", "REDACTED")
)
"""https://shopify.dev/docs/api/admin-graphql/latest/enums/CustomerEmailAddressMarketingState and
https://shopify.dev/docs/api/admin-graphql/latest/enums/CustomerSmsMarketingState."""


class ConsentUnknown(CustomerCheck):
    code = "consent_unknown"
    title = "Consent in a state that nobody knows"
    needs = frozenset({Source.CUSTOMERS, Source.CONSENT})

    def __init__(self, keep: int = EXAMPLES_KEPT) -> None:
        super().__init__(keep)
        self._toll = FindingAccumulator(keep)
        self._seen = 0

    def person(self, row: CustomerRow) -> None:
        self._seen += 1
        for consent in (row.email_consent, row.sms_consent):
            if consent is not None and consent.state not in KNOWN_STATES:
                self._toll.person(row)
                return

    def answer(self) -> list[AuditFinding]:
        return self._toll.found(
            self,
            level=Level.CARE,
            what="Shopify names a state of consent that there is no rule for. It is never taken for a yes: these "
            "customers become cases and are not sent.",
            remedy="Tell us the state; until there is a rule for it, decide on each case.",
            owner=FindingOwner.INTEGRATION,
            unit="customers",
            of=self._seen,
        )
