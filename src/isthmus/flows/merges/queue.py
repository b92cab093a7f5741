"""What is wanted of two people who may be one: that they be merged, or never."""

from msgspec import Struct

from isthmus.db.pool import Database
from isthmus.flows.road import Road
from isthmus.identity.duplicates import sql as duplicates
from isthmus.identity.merges import sql as merges
from isthmus.identity.merges.decide import Side
from isthmus.identity.merges.sql import Entry, Merge, Said
from isthmus.identity.profiles import sql as profiles
from isthmus.identity.profiles.sql import Several


class Weighed(Struct, frozen=True):
    """A candidate with both people (survivor first), and everything that speaks against merging them."""

    number: int
    verdict: str
    rule: str
    score: int
    reasons: tuple[str, ...]
    survivor: Side
    loser: Side
    against: tuple[str, ...]
    is_new: bool = False
    """Whether the last look was the first to find it."""

    @property
    def may_be_merged(self) -> bool:
        return not self.against


def queue(db: Database, road: Road, one: Weighed, by: str) -> int | None:
    """Put a merge into the queue, and into the book; its number, None where it waits already."""
    now = road.clock.now()
    with db.transaction() as tx:
        number = merges.want(tx, road.connection, one.survivor.account, one.loser.account, one.rule, by, now)
        if number is not None:
            entry = Said(one.survivor.contact, one.loser.contact, "wanted", by, ", ".join(one.reasons), number)
            merges.say(tx, road.connection, [entry], now)
    return number


def set_apart(db: Database, road: Road, one: Weighed, by: str) -> None:
    """A person says that these are different people: they are never merged, whatever a look finds."""
    now = road.clock.now()
    with db.transaction() as tx:
        duplicates.set_apart(tx, road.connection, one.number, by, now)
        merges.say(tx, road.connection, [Said(one.survivor.contact, one.loser.contact, "apart", by)], now)


def standing(db: Database, road: Road) -> tuple[list[Merge], list[Entry]]:
    """The queue, and what was last written into the book."""
    with db.transaction() as tx:
        return merges.listing(tx, road.connection), merges.book(tx, road.connection)


def several_profiles(db: Database, road: Road) -> list[Several]:
    """Whom the platform has several profiles for, as far as it was listened to."""
    with db.transaction() as tx:
        return profiles.several(tx, road.connection)


def state(db: Database, road: Road, number: int) -> tuple[str, str]:
    """How a merge stands, and why; nothing where there is none of that number."""
    with db.transaction() as tx:
        found = merges.show(tx, road.connection, number)
    return (found.state, found.why or "") if found else ("", "")
