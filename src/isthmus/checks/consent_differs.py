"""People whose consent the two sides, or two stores, tell differently. Only who is on both sides can differ."""

from isthmus.checks.accumulator import FindingAccumulator
from isthmus.checks.check import EXAMPLES_KEPT, Check
from isthmus.checks.consent_flags import ConsentFlag, consent_flag
from isthmus.kit.email import normalise_email
from isthmus.model.audit_finding import AuditFinding, FindingOwner, Level
from isthmus.model.audit_rows import CustomerRef, CustomerRow, ProfileRow, Source


class ConsentDiffers(Check):
    code = "consent_differs"
    title = "Consent that Shopify and Ometria tell differently"
    needs = frozenset({Source.CUSTOMERS, Source.CONSENT, Source.PROFILES})

    def __init__(self, keep: int = EXAMPLES_KEPT) -> None:
        super().__init__(keep)
        self._shop: dict[int, tuple[int, CustomerRef]] = {}
        self._platform: dict[int, bool | None] = {}

    def person(self, row: CustomerRow) -> None:
        address = normalise_email(row.email)
        if address is None:
            return
        key, said = hash(address), consent_flag(row.email_consent)
        before, who = self._shop.get(key, (0, row.who))
        # Of several customers of one person the one who said no is shown.
        self._shop[key] = (before | said, row.who if said & ConsentFlag.OUT and not before & ConsentFlag.OUT else who)

    def profile(self, row: ProfileRow) -> None:
        """Both sides may be shown at once, each by one thread."""
        address = normalise_email(row.email)
        if address is not None:
            key = hash(address)
            # Where several have the address a yes counts, since it is what mails.
            self._platform[key] = row.optin is True or self._platform.get(key) is True or row.optin

    def answer(self) -> list[AuditFinding]:
        against, lost, unproven, n_both = (
            FindingAccumulator(self.keep),
            FindingAccumulator(self.keep),
            FindingAccumulator(self.keep),
            0,
        )
        for key, (said, who) in self._shop.items():
            if key not in self._platform:
                continue
            n_both += 1
            optin = self._platform[key]
            if optin is True and said & ConsentFlag.OUT:
                against.customer(who)
            elif optin is False and said == ConsentFlag.IN:
                lost.customer(who)
            elif optin is True and said == ConsentFlag.NOTHING:
                unproven.customer(who)
        return [
            *_found(
                against,
                n_both,
                "consent_against_will",
                Level.STOP,
                title="Opted out in Shopify, mailed by Ometria",
                what="They said no in the shop, and Ometria would still mail them. Every campaign until this is fixed "
                "goes to people who refused.",
                remedy="Decide who is right: usually the no. Connect in shadow mode first; the first load then opts "
                "them out in Ometria, and a no is never overruled by a yes that has no later date.",
            ),
            *_found(
                lost,
                n_both,
                "consent_lost",
                Level.CARE,
                title="Subscribed in Shopify, opted out in Ometria",
                what="Ometria has heard a no that the shop has not. If it is right the shop is behind; if not, these "
                "people miss what they asked for. Nobody is opted in again by the load.",
                remedy="Write the no back to Shopify, or find the contact in Ometria that holds it.",
            ),
            *_found(
                unproven,
                n_both,
                "consent_unproven",
                Level.CARE,
                title="Opted in in Ometria, and nothing about it in Shopify",
                what="Ometria says yes where the shop knows of no statement: from a form, an upload or another "
                "importer. The shop's silence is not sent as a no.",
                remedy="Make sure that you can show where the yes came from.",
            ),
        ]


def _found(
    toll: FindingAccumulator, of: int, code: str, level: Level, *, title: str, what: str, remedy: str
) -> list[AuditFinding]:
    if not toll.n:
        return []
    return [
        AuditFinding(
            code=code,
            level=level,
            title=title,
            what=what,
            remedy=remedy,
            owner=FindingOwner.PLATFORM,
            n=toll.n,
            unit="people on both sides",
            of=of,
            people=toll.people,
            money=toll.money,
            examples=toll.examples,
        )
    ]
