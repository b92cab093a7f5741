"""Access scopes that the app lacks (https://shopify.dev/docs/api/usage/access-scopes)."""

from isthmus.checks.check import EXAMPLES_KEPT, ShopCheck
from isthmus.model.audit_finding import AuditFinding, FindingOwner, Level
from isthmus.model.audit_rows import ShopFacts

_REMEDY = (
    "Release a version of the app with these scopes (isthmus app-config FILE prints it) and let the merchant accept "
    "them."
)


class Scopes(ShopCheck):
    code = "scopes"
    title = "Access scopes that the app lacks"

    def __init__(self, keep: int = EXAMPLES_KEPT) -> None:
        super().__init__(keep)
        self._missing: list[tuple[str, tuple[str, ...]]] = []
        self._mute: list[str] = []

    def facts(self, row: ShopFacts) -> None:
        if row.missing_scopes:
            self._missing.append((row.store, row.missing_scopes))
        if not row.writes_consent:
            self._mute.append(row.store)

    def answer(self) -> list[AuditFinding]:
        return [*self._unread(), *self._unwritten()]

    def _unread(self) -> list[AuditFinding]:
        return [
            AuditFinding(
                code=self.code,
                level=Level.STOP,
                title=f"{self.title}: store {store}",
                what=f"Without {', '.join(missing)} part of the data cannot be read, or its changes are never told.",
                remedy=_REMEDY,
                owner=FindingOwner.STORE,
                n=len(missing),
                unit="scopes",
            )
            for store, missing in self._missing
        ]

    def _unwritten(self) -> list[AuditFinding]:
        return [
            AuditFinding(
                code=self.code,
                level=Level.CARE,
                title=f"The app may not write consent: store {store}",
                what="Without write_customers an opt-out made in Ometria is never written to the shop, and the "
                "shop's own mails go on.",
                remedy=_REMEDY,
                owner=FindingOwner.STORE,
                n=1,
                unit="scopes",
            )
            for store in self._mute
        ]
