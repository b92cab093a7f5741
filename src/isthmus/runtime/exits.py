"""What an error that ends a command means to whoever ran it: the exit code, and one line."""

from typing import NamedTuple

CLEAN = 0
LOOK = 1
"""Done, and there is something that a person must look at."""
WRONG = 2
"""Wrong use or wrong configuration."""
AWAY = 3
"""A neighbour or the database could not be reached."""


class Said(NamedTuple):
    code: int
    line: str


def said(error: BaseException) -> Said | None:
    """What to say instead of a traceback; None for a bug, which needs one."""
    # Imported when something has failed, not by every command that goes well.
    import errno

    import psycopg
    from psycopg_pool import PoolTimeout

    from isthmus.db.account import NoAccount
    from isthmus.db.binaries import BinariesNotFound
    from isthmus.db.cluster import ServerFailed
    from isthmus.db.migrate import MigrationBlocked, MigrationsDiffer, SchemaTooNew, SchemaTooOld
    from isthmus.db.place import PlaceError
    from isthmus.db.pool import is_away
    from isthmus.kit.explain import ConfigError, UnknownError
    from isthmus.model.failure import BlockedError, Failure, TransientError

    match error:
        case ConfigError():
            return Said(WRONG, str(error))
        case UnknownError():
            return Said(LOOK, str(error))
        case BlockedError(code="integration.secret_missing" | "integration.connection_unusable"):
            return Said(WRONG, error.detail)
        case SchemaTooNew() | SchemaTooOld() | MigrationsDiffer():
            return Said(WRONG, str(error))
        case psycopg.errors.UndefinedTable() | psycopg.errors.UndefinedColumn():
            return Said(WRONG, "the database is not at this version; run `isthmus migrate`")
        case BinariesNotFound() | NoAccount() | PlaceError() | ServerFailed():
            return Said(AWAY, _first_line(error))
        case MigrationBlocked():
            return Said(AWAY, str(error))
        case PoolTimeout():
            return Said(AWAY, "the database could not be reached; check database.url and that the server runs")
        case psycopg.OperationalError() if is_away(error):
            return Said(AWAY, f"the database could not be reached: {_first_line(error)}")
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            where = f" ({error.filename})" if error.filename else ""
            return Said(AWAY, f"the disk is full{where}; make room, then type the same command again: it goes on")
        case TransientError() | BlockedError():
            return Said(AWAY, f"a neighbour could not be reached: {error}")
        case Failure():
            return Said(LOOK, str(error))
    return None


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
