"""How a flow tells people about a failure."""

from isthmus.cases import sql as cases
from isthmus.cases.sql import Touch
from isthmus.connections import sql as connections
from isthmus.db.pool import Tx
from isthmus.flows.road import Road
from isthmus.model.failure import BlockedError, Failure


def sign(failure: Failure, subject: str = "", store: str = "") -> Touch:
    """The sign of trouble that a failure is, about one record or (without a subject) everything."""
    return Touch(failure.code, subject, store, failure.detail)


def shut(tx: Tx, road: Road, failure: BlockedError) -> None:
    """Mark the connection as shut by failure, with one case for all that waits behind it."""
    now = road.clock.now()
    connections.block(tx, road.connection, failure.code, now)
    cases.touch(tx, road.connection, [sign(failure)], now)


def open_again(tx: Tx, road: Road, codes: tuple[str, ...], by: str) -> None:
    """A request went through: whatever said that none could is over."""
    now = road.clock.now()
    for code in codes:
        connections.unblock(tx, road.connection, code)
        cases.resolve(tx, road.connection, code, now, by)
