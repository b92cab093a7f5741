"""The switches of a connection: shut by a person, opened by a person. Intake never stops."""

from datetime import datetime

from isthmus.connections import sql as connections
from isthmus.db.pool import Database
from isthmus.model.lane import Lane


def pause(db: Database, name: str, lane: Lane | None, now: datetime) -> bool:
    """Stop a connection, or one lane of it; False when there is no such connection. Twice is once."""
    with db.transaction() as tx:
        return connections.pause_connection(tx, name, now, lane)


def resume(db: Database, name: str, lane: Lane | None) -> bool:
    """Let a connection, or one lane of it, go on; the whole of it also past a failure's block."""
    with db.transaction() as tx:
        return connections.resume_connection(tx, name, lane)
