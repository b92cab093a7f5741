"""What an error that ends a command means to whoever ran it: the exit code, and one line."""

from typing import NamedTuple

CLEAN = 0
NEEDS_ATTENTION = 1
"""Done, and there is something that a person must look at."""
WRONG_USE = 2
"""Wrong use or wrong configuration."""
UNREACHABLE = 3
"""An external API or the database could not be reached."""


class ExitMessage(NamedTuple):
    code: int
    line: str


def exit_message(error: BaseException) -> ExitMessage | None:
    """What to say instead of a traceback; None for a bug, which needs one."""
    # Imported when something has failed, not by every command that goes well.
    import errno

    import psycopg
    from psycopg_pool import PoolTimeout

    from isthmus.db.account import NoAccount
    from isthmus.db.binaries import BinariesNotFound
    from isthmus.db.cluster import ServerFailed
    from isthmus.db.migrate import MigrationBlocked, MigrationsDiffer, SchemaTooNew, SchemaTooOld
    from isthmus.db.pool import is_unavailable
    from isthmus.db.server_location import PlaceError
    from isthmus.kit.config_errors import ConfigError, UnknownError
    from isthmus.model.failure import BlockedError, Failure, TransientError

    match error:
        case ConfigError():
            return ExitMessage(WRONG_USE, str(error))
        case UnknownError():
            return ExitMessage(NEEDS_ATTENTION, str(error))
        case BlockedError(code="integration.secret_missing" | "integration.connection_unusable"):
            return ExitMessage(WRONG_USE, error.detail)
        case SchemaTooNew() | SchemaTooOld() | MigrationsDiffer():
            return ExitMessage(WRONG_USE, str(error))
        case psycopg.errors.UndefinedTable() | psycopg.errors.UndefinedColumn():
            return ExitMessage(WRONG_USE, "the database is not at this version; run `isthmus migrate`")
        case BinariesNotFound() | NoAccount() | PlaceError() | ServerFailed():
            return ExitMessage(UNREACHABLE, _first_line(error))
        case MigrationBlocked():
            return ExitMessage(UNREACHABLE, str(error))
        case PoolTimeout():
            return ExitMessage(
                UNREACHABLE, "the database could not be reached; check database.url and that the server runs"
            )
        case psycopg.OperationalError() if is_unavailable(error):
            return ExitMessage(UNREACHABLE, f"the database could not be reached: {_first_line(error)}")
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            where = f" ({error.filename})" if error.filename else ""
            return ExitMessage(
                UNREACHABLE, f"the disk is full{where}; make room, then type the same command again: it goes on"
            )
        case TransientError() | BlockedError():
            return ExitMessage(UNREACHABLE, f"an external API could not be reached: {error}")
        case Failure():
            return ExitMessage(NEEDS_ATTENTION, str(error))
    return None


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
