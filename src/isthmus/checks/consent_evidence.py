"""Subscribers of whom the shop cannot say when, or how, they agreed; and how everybody stands.

https://shopify.dev/docs/api/admin-graphql/latest/enums/CustomerMarketingOptInLevel
"""

from collections import Counter

from isthmus.checks.accumulator import FindingAccumulator
from isthmus.checks.check import EXAMPLES_KEPT, CustomerCheck
from isthmus.model.audit_finding import AuditFinding, Chart, ChartBar, FindingOwner, Level
from isthmus.model.audit_rows import CustomerRow, Source

_LEVELS = {"CONFIRMED_OPT_IN": "confirmed by mail", "SINGLE_OPT_IN": "single opt-in"}
_TONES = {"confirmed by mail": "good", "single opt-in": "plain", "level unknown": "warm"}


class ConsentEvidence(CustomerCheck):
    code = "consent_evidence"
    title = "Subscribers without proof of consent"
    needs = frozenset({Source.CUSTOMERS, Source.CONSENT})

    def __init__(self, keep: int = EXAMPLES_KEPT) -> None:
        super().__init__(keep)
        self._timeless, self._levelless = FindingAccumulator(keep), FindingAccumulator(keep)
        self._states: Counter[str] = Counter()
        self._levels: Counter[str] = Counter()

    def person(self, row: CustomerRow) -> None:
        consent = row.email_consent
        if consent is None:
            return
        self._states[consent.state] += 1
        if consent.state != "SUBSCRIBED":
            return
        level = _LEVELS.get(consent.level or "", "level unknown")
        self._levels[level] += 1
        if consent.updated_at is None:
            self._timeless.person(row)
        if level == "level unknown":
            self._levelless.person(row)

    def answer(self) -> list[AuditFinding]:
        return [
            *self._found(
                self._timeless,
                "consent_without_time",
                "Subscribers without the time they agreed",
                "Their consent has no date. They are sent as opted in and can never start a welcome; should somebody "
                "object, there is no date to show, and no way to tell which of two statements is newer.",
            ),
            *self._found(
                self._levelless,
                "consent_without_level",
                "Subscribers without the way they agreed",
                "The shop does not know whether they ticked a box or confirmed by mail. Level is evidence and decides "
                "nothing, but you may need it.",
            ),
        ]

    def pictures(self) -> list[Chart]:
        if not self._states:
            return []
        levels = [ChartBar(f"subscribed, {name}", n, _TONES[name]) for name, n in self._levels.most_common()]
        states = [
            ChartBar(
                state.replace("_", " ").lower(),
                n,
                "bad" if state in ("UNSUBSCRIBED", "INVALID", "REDACTED") else "calm",
            )
            for state, n in self._states.most_common()
            if state != "SUBSCRIBED"
        ]
        return [Chart("How customers stand with email, as Shopify has it", (*levels, *states))]

    def _found(self, toll: FindingAccumulator, code: str, title: str, what: str) -> list[AuditFinding]:
        if not toll.n:
            return []
        return [
            AuditFinding(
                code=code,
                level=Level.CARE,
                title=title,
                what=what,
                remedy="Find out where they came from (an import, an app, a till); ask them again where you cannot "
                "tell.",
                owner=FindingOwner.STORE,
                n=toll.n,
                unit="subscribers",
                of=self._states["SUBSCRIBED"],
                people=toll.people,
                money=toll.money,
                examples=toll.examples,
            )
        ]
