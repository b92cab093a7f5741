"""Consent in a state that we have no rule for: nothing is sent for it until somebody decides."""

from isthmus.checks.check import KEEP, OfPeople
from isthmus.checks.toll import Toll
from isthmus.model.census import Person, Source
from isthmus.model.finding import Found, Level, Owner

KNOWN = frozenset(
    ("SUBSCRIBED", "UNSUBSCRIBED", "NOT_SUBSCRIBED", "NEVER_SUBSCRIBED", "PENDING", "INVALID", "REDACTED")
)
"""https://shopify.dev/docs/api/admin-graphql/latest/enums/CustomerEmailAddressMarketingState and
https://shopify.dev/docs/api/admin-graphql/latest/enums/CustomerSmsMarketingState."""


class ConsentUnknown(OfPeople):
    code = "consent_unknown"
    title = "Consent in a state that nobody knows"
    needs = frozenset({Source.CUSTOMERS, Source.CONSENT})

    def __init__(self, keep: int = KEEP) -> None:
        super().__init__(keep)
        self._toll = Toll(keep)
        self._seen = 0

    def person(self, row: Person) -> None:
        self._seen += 1
        for consent in (row.email_consent, row.sms_consent):
            if consent is not None and consent.state not in KNOWN:
                self._toll.person(row)
                return

    def answer(self) -> list[Found]:
        return self._toll.found(
            self,
            level=Level.CARE,
            what="Shopify names a state of consent that there is no rule for. It is never taken for a yes: these "
            "customers become cases and are not sent.",
            remedy="Tell us the state; until there is a rule for it, decide on each case.",
            owner=Owner.INTEGRATION,
            unit="customers",
            of=self._seen,
        )
