"""The API version a store is asked in: until when it is answered, and whether it is the one that answers now.

https://shopify.dev/docs/api/usage/versioning: a version that has ended falls forward, without an error.
"""

from datetime import date

from isthmus.checks.check import EXAMPLES_KEPT, ShopCheck
from isthmus.model.audit_finding import AuditFinding, FindingOwner, Level
from isthmus.model.audit_rows import ShopFacts
from isthmus.shopify.versions import support_end

SOON, NOW = 90, 30
"""Days before its end in which a version calls for care, and for a stop: a launch must not be followed by a break."""


class ApiVersion(ShopCheck):
    code = "api_version"
    title = "API version that ends"

    def __init__(self, today: date, keep: int = EXAMPLES_KEPT) -> None:
        super().__init__(keep)
        self._today = today
        self._rows: list[ShopFacts] = []

    def facts(self, row: ShopFacts) -> None:
        self._rows.append(row)

    def answer(self) -> list[AuditFinding]:
        return [found for row in self._rows for found in (*self._ending(row), *_elsewhere(row))]

    def _ending(self, row: ShopFacts) -> list[AuditFinding]:
        last = support_end(row.api_version)
        if last is None:
            return [_unknown(row)]
        days = (last - self._today).days
        if days > SOON:
            return []
        ends = f"ends on {last:%d %B %Y}, in {days} days" if days >= 0 else f"ended on {last:%d %B %Y}"
        return [
            AuditFinding(
                code=self.code,
                level=Level.STOP if days <= NOW else Level.CARE,
                title=f"API version {row.api_version} of store {row.store} {ends}",
                what="Afterwards Shopify answers in an older version than was asked for, without an error: fields that "
                "are read may be gone.",
                remedy=f"Set api_version of the store to {max(row.supported, default='the newest')} and run this "
                "again.",
                owner=FindingOwner.INTEGRATION,
                n=1,
                unit="stores",
                days_left=days,
            )
        ]


def _unknown(row: ShopFacts) -> AuditFinding:
    return AuditFinding(
        code="api_version",
        level=Level.CARE,
        title=f"API version {row.api_version} of store {row.store} is no stable one",
        what="It may change any day.",
        remedy=f"Set api_version of the store to {max(row.supported, default='the newest stable one')}.",
        owner=FindingOwner.INTEGRATION,
        n=1,
        unit="stores",
    )


def _elsewhere(row: ShopFacts) -> list[AuditFinding]:
    if row.served_version in (None, row.api_version):
        return []
    return [
        AuditFinding(
            code="served_version",
            level=Level.STOP,
            title=f"Store {row.store} answers in API version {row.served_version}, not {row.api_version}",
            what="The version that was asked for is not there, so Shopify falls forward to another: what is read may "
            "mean something else.",
            remedy=f"Set api_version of the store to one of {', '.join(row.supported) or 'those that are supported'}.",
            owner=FindingOwner.INTEGRATION,
            n=1,
            unit="stores",
        )
    ]
