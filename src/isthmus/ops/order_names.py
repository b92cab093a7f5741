"""What people call a record, understood: order names, and whether a number is known at all."""

from collections.abc import Sequence

from isthmus.db.pool import Database
from isthmus.inbox.sql import events as inbox
from isthmus.kit.compression import Packer
from isthmus.records.sql import store as records


def orders_by_name(db: Database, connection: str, name: str) -> list[tuple[str, int]]:
    """The orders that their shops call so, as (store, id)."""
    with db.transaction() as tx:
        return records.orders_by_name(tx, connection, name, Packer())


def is_number_known(db: Database, connection: str, kind: str, number: int) -> bool:
    """Whether a record of this number was ever told of: a record, an event or a case of it is there."""
    with db.transaction() as tx:
        return records.is_number_known(tx, connection, kind, number)


def unknown_event_ids(db: Database, connection: str, ids: Sequence[int]) -> list[int]:
    """Which of these are numbers of no event of this connection."""
    with db.transaction() as tx:
        return sorted(set(ids) - inbox.known_events(tx, connection, ids))


def emails_of_customer(db: Database, connection: str, customer: int) -> list[str]:
    """The addresses of a customer, over all stores."""
    with db.transaction() as tx:
        return records.emails_of(tx, connection, customer)
