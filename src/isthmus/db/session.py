"""Sessions of the database server: how they are opened, and after which errors one is not used again."""

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

# Where nobody answers any more, TCP alone would wait for a quarter of an hour. The address may say otherwise.
# https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_DEFAULTS = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}

# Classes of errors that are about the data or the statement, or about other transactions: the session is as good as
# before. https://www.postgresql.org/docs/18/errcodes-appendix.html
_SOUND = frozenset(("02", "21", "22", "23", "40", "42", "44", "P0"))
_SOUND_CODES = frozenset(("55P03", "55006", "57014"))


def connection_string(dsn: str) -> str:
    """The address with what every session needs: to notice a dead server, and of several hosts to find the primary."""
    given = conninfo_to_dict(dsn)
    added = {key: value for key, value in _DEFAULTS.items() if not given.get(key)}
    if "," in str(given.get("host") or given.get("hostaddr") or "") and not given.get("target_session_attrs"):
        added["target_session_attrs"] = "read-write"
    return make_conninfo(dsn, **added)


def breaks_session(error: BaseException | None) -> bool:
    """Whether the session in which this error came up must be closed and made new.

    A session that was opened while the database was read-only stays so (25006); one whose statements were planned
    before a migration may refuse them for ever (0A000). So only errors that are known to leave a session sound do.
    """
    while error is not None and not isinstance(error, psycopg.Error):
        error = error.__cause__
    if error is None:
        return False
    code = error.sqlstate
    return code is None or (code[:2] not in _SOUND and code not in _SOUND_CODES)


def replace_read_only_session(connection: "psycopg.Connection[Any]") -> None:
    """For pools that others drive: give up a session that was opened while the database was read-only."""
    if is_read_only(connection.info):
        connection.close()


async def renew_async(connection: "psycopg.AsyncConnection[Any]") -> None:
    if is_read_only(connection.info):
        await connection.close()


def is_read_only(info: psycopg.ConnectionInfo) -> bool:
    """Whether this session cannot write, whatever the database can by now."""
    # The server reports both as they change: https://www.postgresql.org/docs/18/libpq-status.html
    return "on" in (info.parameter_status("default_transaction_read_only"), info.parameter_status("in_hot_standby"))
