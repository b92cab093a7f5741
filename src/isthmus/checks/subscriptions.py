"""Webhook subscriptions that are missing, wrong, or there twice.

Those of an app's own configuration cannot be listed (https://shopify.dev/docs/apps/build/webhooks/subscribe): their
absence is only heard as silence, after launch.
"""

from isthmus.checks.check import EXAMPLES_KEPT, ShopCheck
from isthmus.model.audit_finding import AuditFinding, FindingOwner, Level
from isthmus.model.audit_rows import ShopFacts


class Subscriptions(ShopCheck):
    code = "subscriptions"
    title = "Webhook subscriptions that are missing or doubled"

    def __init__(self, keep: int = EXAMPLES_KEPT) -> None:
        super().__init__(keep)
        self._rows: list[ShopFacts] = []

    def facts(self, row: ShopFacts) -> None:
        self._rows.append(row)

    def answer(self) -> list[AuditFinding]:
        found = []
        for row in self._rows:
            missing, too_many = row.n_to_subscribe or 0, row.n_to_delete + row.n_doubled
            if missing:
                found.append(
                    self._found(
                        missing,
                        f"{missing} topics of store {row.store} are not subscribed",
                        "What they would tell is learnt only by polls, minutes later.",
                        "isthmus connect subscribes them; it needs web.public_url.",
                    )
                )
            if too_many:
                found.append(
                    self._found(
                        too_many,
                        f"{too_many} subscriptions of store {row.store} are too many",
                        "Everything they tell arrives twice, or somewhere else. Nothing is counted twice, and half the "
                        "work is for nothing.",
                        'Delete them, or let isthmus connect do it where subscriptions = "api".',
                    )
                )
        return found

    def _found(self, n: int, title: str, what: str, remedy: str) -> AuditFinding:
        return AuditFinding(
            code=self.code,
            level=Level.CARE,
            title=title,
            what=what,
            remedy=remedy,
            owner=FindingOwner.INTEGRATION,
            n=n,
            unit="subscriptions",
        )
