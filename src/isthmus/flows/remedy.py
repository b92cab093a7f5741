"""What the remedies of some cases begin with: what was given up is due again, what was shut is open."""

from datetime import datetime

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Case
from isthmus.connections import sql as connections
from isthmus.consent.sql import store_updates as writes
from isthmus.db.pool import Database
from isthmus.identity.sql import links as identity
from isthmus.identity.sql import merges
from isthmus.runs.sql import scan_cursors as rounds


def get_case(db: Database, number: int) -> Case | None:
    """The case as it is now."""
    with db.transaction() as tx:
        return cases.get_case(tx, number)


def mark_replayed(db: Database, number: int, now: datetime, by: str) -> None:
    """A person carries out the remedy of an open case."""
    with db.transaction() as tx:
        cases.mark_replayed(tx, number, now, by)


def addresses_of_case(db: Database, case: Case) -> list[str]:
    """The addresses of the customer that a case is about."""
    name = case.subject.partition(":")[2]
    if not name.isdecimal():
        return []
    with db.transaction() as tx:
        links = identity.links_of_customers(tx, case.connection, [(case.store, int(name))])
    return sorted({link.email for link in links if link.email})


def retry_store_update(db: Database, case: Case, now: datetime) -> None:
    """What the shop did not take of a customer's consent is due again."""
    name = case.subject.partition(":")[2]
    if name.isdecimal():
        with db.transaction() as tx:
            writes.make_due_now(tx, case.connection, case.store, int(name), now)


def retry_merge(db: Database, case: Case, now: datetime) -> None:
    """The merge that Ometria refused is asked for again."""
    with db.transaction() as tx:
        merges.requeue_merge(tx, case.connection, case.subject.partition(":")[2], now)


def restart_scan(db: Database, case: Case, name: str) -> None:
    """A round through the records of a store begins from the beginning."""
    with db.transaction() as tx:
        rounds.restart_scans(tx, case.connection, case.store, [name])


def resume_answered(db: Database, case: Case, now: datetime) -> None:
    """Ometria has answered: what shut the connection is over."""
    with db.transaction() as tx:
        connections.unblock_connection(tx, case.connection, case.code)
        cases.resolve_by_code(tx, case.connection, case.code, now, "replay", note="Ometria answers again")


def is_connection_usable(db: Database, case: Case, now: datetime) -> None:
    """What is stored of the connection can be used."""
    with db.transaction() as tx:
        cases.resolve_by_code(tx, case.connection, case.code, now, "replay", note="the stored connection can be used")
