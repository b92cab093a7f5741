"""What the remedies of some cases begin with: what was given up is due again, what was shut is open."""

from datetime import datetime

from isthmus.cases import sql as cases
from isthmus.cases.sql import Case
from isthmus.connections import sql as connections
from isthmus.consent.writes import sql as writes
from isthmus.db.pool import Database
from isthmus.identity import sql as identity
from isthmus.identity.merges import sql as merges
from isthmus.runs.rounds import sql as rounds


def show(db: Database, number: int) -> Case | None:
    """The case as it is now."""
    with db.transaction() as tx:
        return cases.show(tx, number)


def begun(db: Database, number: int, now: datetime, by: str) -> None:
    """A person carries out the remedy of an open case."""
    with db.transaction() as tx:
        cases.replayed(tx, number, now, by)


def addresses(db: Database, case: Case) -> list[str]:
    """The addresses of the customer that a case is about."""
    name = case.subject.partition(":")[2]
    if not name.isdecimal():
        return []
    with db.transaction() as tx:
        links = identity.of_customers(tx, case.connection, [(case.store, int(name))])
    return sorted({link.email for link in links if link.email})


def write_again(db: Database, case: Case, now: datetime) -> None:
    """What the shop did not take of a customer's consent is due again."""
    name = case.subject.partition(":")[2]
    if name.isdecimal():
        with db.transaction() as tx:
            writes.hurry(tx, case.connection, case.store, int(name), now)


def merge_again(db: Database, case: Case, now: datetime) -> None:
    """The merge that Ometria refused is asked for again."""
    with db.transaction() as tx:
        merges.again(tx, case.connection, case.subject.partition(":")[2], now)


def go_round_again(db: Database, case: Case, name: str) -> None:
    """A round through the records of a store begins from the beginning."""
    with db.transaction() as tx:
        rounds.start_over(tx, case.connection, case.store, [name])


def answered(db: Database, case: Case, now: datetime) -> None:
    """The platform has answered: what shut the connection is over."""
    with db.transaction() as tx:
        connections.unblock(tx, case.connection, case.code)
        cases.resolve(tx, case.connection, case.code, now, "replay", note="Ometria answers again")


def usable(db: Database, case: Case, now: datetime) -> None:
    """What is stored of the connection can be used."""
    with db.transaction() as tx:
        cases.resolve(tx, case.connection, case.code, now, "replay", note="the stored connection can be used")
