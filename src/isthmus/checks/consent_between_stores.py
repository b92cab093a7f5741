"""People who said yes in one store and no in another."""

from isthmus.checks.check import KEEP, OfPeople
from isthmus.checks.said import Says, says
from isthmus.checks.toll import Toll
from isthmus.kit.email import normalise
from isthmus.model.census import Person, Source, Who
from isthmus.model.finding import Example, Found, Level, Owner


class ConsentBetweenStores(OfPeople):
    code = "consent_between_stores"
    title = "People who said yes in one store and no in another"
    needs = frozenset({Source.CUSTOMERS, Source.CONSENT})

    def __init__(self, keep: int = KEEP) -> None:
        super().__init__(keep)
        self._said: dict[int, tuple[int, Who]] = {}
        self._toll = Toll(keep)
        self._seen = 0

    def person(self, row: Person) -> None:
        address, said = normalise(row.email), says(row.email_consent)
        if address is None or not said:
            return
        self._seen += 1
        before = self._said.get(hash(address))
        if before is None:
            self._said[hash(address)] = (said, row.who)
        elif before[1].store != row.who.store and before[0] != Says.BOTH and before[0] | said == Says.BOTH:
            self._said[hash(address)] = (Says.BOTH, before[1])
            self._toll.other(Example("customers", row.who.id, f"and {before[1].store} {before[1].id}", row.who.store))

    def answer(self) -> list[Found]:
        if not self._toll.n:
            return []
        return [
            Found(
                code=self.code,
                level=Level.CARE,
                title=self.title,
                what="Ometria knows one person, and a no from one store silences them for all of them.",
                remedy="Usually right as it is: the no wins. Agree with Ometria if a no in one store is meant for that "
                "store alone.",
                owner=Owner.INTEGRATION,
                n=self._toll.n,
                unit="people",
                people=self._toll.n,
                examples=self._toll.examples,
            )
        ]
