"""How a flow tells people about a failure."""

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.connections import sql as connections
from isthmus.db.pool import Tx
from isthmus.flows.context import ConnectionContext
from isthmus.model.failure import BlockedError, Failure


def case_for(failure: Failure, subject: str = "", store: str = "") -> Touch:
    """The sign of trouble that a failure is, about one record or (without a subject) everything."""
    return Touch(failure.code, subject, store, failure.detail)


def block_connection(tx: Tx, context: ConnectionContext, failure: BlockedError) -> None:
    """Mark the connection as shut by failure, with one case for all that waits behind it."""
    now = context.clock.now()
    connections.block_connection(tx, context.connection, failure.code, now)
    cases.open_or_count(tx, context.connection, [case_for(failure)], now)


def unblock_connection(tx: Tx, context: ConnectionContext, codes: tuple[str, ...], by: str) -> None:
    """A request went through: whatever said that none could is over."""
    now = context.clock.now()
    for code in codes:
        connections.unblock_connection(tx, context.connection, code)
        cases.resolve_by_code(tx, context.connection, code, now, by)
