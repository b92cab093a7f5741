"""People whose consent the two sides, or two stores, tell differently. Only who is on both sides can differ."""

from isthmus.checks.check import KEEP, Check
from isthmus.checks.said import Says, says
from isthmus.checks.toll import Toll
from isthmus.kit.email import normalise
from isthmus.model.census import Person, Profile, Source, Who
from isthmus.model.finding import Found, Level, Owner


class ConsentDiffers(Check):
    code = "consent_differs"
    title = "Consent that Shopify and Ometria tell differently"
    needs = frozenset({Source.CUSTOMERS, Source.CONSENT, Source.PROFILES})

    def __init__(self, keep: int = KEEP) -> None:
        super().__init__(keep)
        self._shop: dict[int, tuple[int, Who]] = {}
        self._platform: dict[int, bool | None] = {}

    def person(self, row: Person) -> None:
        address = normalise(row.email)
        if address is None:
            return
        key, said = hash(address), says(row.email_consent)
        before, who = self._shop.get(key, (0, row.who))
        # Of several customers of one person the one who said no is shown.
        self._shop[key] = (before | said, row.who if said & Says.OUT and not before & Says.OUT else who)

    def profile(self, row: Profile) -> None:
        """Both sides may be shown at once, each by one thread."""
        address = normalise(row.email)
        if address is not None:
            key = hash(address)
            # Where several have the address a yes counts, since it is what mails.
            self._platform[key] = row.optin is True or self._platform.get(key) is True or row.optin

    def answer(self) -> list[Found]:
        against, lost, unproven, n_both = Toll(self.keep), Toll(self.keep), Toll(self.keep), 0
        for key, (said, who) in self._shop.items():
            if key not in self._platform:
                continue
            n_both += 1
            optin = self._platform[key]
            if optin is True and said & Says.OUT:
                against.customer(who)
            elif optin is False and said == Says.IN:
                lost.customer(who)
            elif optin is True and said == Says.NOTHING:
                unproven.customer(who)
        return [
            *_found(
                against,
                n_both,
                "consent_against_will",
                Level.STOP,
                title="Opted out in Shopify, mailed by Ometria",
                what="They said no in the shop, and Ometria would still mail them. Every campaign until this is mended "
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


def _found(toll: Toll, of: int, code: str, level: Level, *, title: str, what: str, remedy: str) -> list[Found]:
    if not toll.n:
        return []
    return [
        Found(
            code=code,
            level=level,
            title=title,
            what=what,
            remedy=remedy,
            owner=Owner.PLATFORM,
            n=toll.n,
            unit="people on both sides",
            of=of,
            people=toll.people,
            money=toll.money,
            examples=toll.examples,
        )
    ]
