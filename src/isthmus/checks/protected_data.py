"""Whether the app may see who people are (https://shopify.dev/docs/apps/launch/protected-customer-data).

Without approval Shopify answers either with an error, or with customers who have neither name nor address.
"""

from collections import Counter

from isthmus.checks.check import EXAMPLES_KEPT, Check
from isthmus.model.audit_finding import AuditFinding, FindingOwner, Level
from isthmus.model.audit_rows import CustomerRow, ReadDenied

ENOUGH = 20
"""Customers after which it is no chance that none has an address, a number or a name."""

CODE = "storefront.protected_data_missing"


class ProtectedData(Check):
    code = "protected_data"
    title = "Customer data that the app may not see"
    needs = frozenset()

    def __init__(self, keep: int = EXAMPLES_KEPT) -> None:
        super().__init__(keep)
        self._seen: Counter[str] = Counter()
        self._named: Counter[str] = Counter()
        self._denied: set[str] = set()

    def person(self, row: CustomerRow) -> None:
        self._seen[row.who.store] += 1
        if row.email or row.phone or row.firstname or row.lastname:
            self._named[row.who.store] += 1

    def denied(self, row: ReadDenied) -> None:
        if row.code == CODE:
            self._denied.add(row.store)

    def answer(self) -> list[AuditFinding]:
        hidden = {store for store, n in self._seen.items() if n >= ENOUGH and not self._named[store]}
        return [
            AuditFinding(
                code=self.code,
                level=Level.STOP,
                title=f"The app may not see who the customers of store {store} are",
                what="Shopify withholds names, addresses and phone numbers until the app is approved for protected "
                "customer data, level 2. Nobody could be mailed, and every order would belong to nobody.",
                remedy="Request protected customer data access, level 2, in the app's settings, and wait for approval. "
                "Shops on the Basic plan withhold it from custom apps.",
                owner=FindingOwner.STORE,
                n=self._seen[store],
                unit="customers",
                of=self._seen[store] or None,
                people=self._seen[store],
            )
            for store in sorted(self._denied | hidden)
        ]
