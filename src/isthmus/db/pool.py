"""Connections to the database and the one place where anything is committed."""

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

import psycopg
from psycopg.abc import QueryNoTemplate
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.rows import class_row, dict_row
from psycopg.types.array import ListBinaryDumper
from psycopg_pool import ConnectionPool

from isthmus.db import session
from isthmus.db.heartbeat import Heartbeat
from isthmus.db.sqlstates import Means, classify_error

Row: TypeAlias = dict[str, Any]
Params: TypeAlias = Sequence[Any] | Mapping[str, Any]
Record = TypeVar("Record")

# A statement is planned once and for all when a connection sees it for the second time.
PREPARE_AFTER = 1
# Seconds between two statements of one transaction after which its holder is taken to hang.
HANGS_AFTER = 15.0
# How long a transaction waits for a connection: a killed embedded server is back well within it.
WAIT_FOR = 10.0


class TransactionError(RuntimeError):
    """A transaction used against the house's rules: nested, or ended well after a statement in it had failed."""


def is_unavailable(error: BaseException) -> bool:
    """Whether the database cannot work now, as opposed to: it was reached and said no."""
    return _means(error) is Means.AWAY


def is_retryable(error: BaseException) -> bool:
    """Whether the same transaction may well succeed when it is tried again: a deadlock, a lock or statement timeout."""
    return _means(error) is Means.PASSING


def _means(error: BaseException) -> Means:
    if not isinstance(error, psycopg.Error):
        return Means.OURS
    return classify_error(error.sqlstate, is_operational=isinstance(error, psycopg.OperationalError))


class Tx:
    """An open transaction, as the sql.py files see it. Queries take %s or %(name)s; rows come back as dicts."""

    def __init__(self, connection: "psycopg.Connection[Row]") -> None:
        self.connection = connection

    def execute(self, query: QueryNoTemplate, params: Params | None = None) -> int:
        """Run a statement; the number of rows it touched."""
        return self.connection.execute(query, params).rowcount

    def execute_many(self, query: QueryNoTemplate, rows: Iterable[Params]) -> int:
        """Run one statement for each of `rows` in as few round trips as possible; the number of rows touched."""
        with self.connection.cursor() as cursor:
            cursor.executemany(query, rows)
            return cursor.rowcount

    def fetch_all(self, query: QueryNoTemplate, params: Params | None = None) -> list[Row]:
        return self.connection.execute(query, params).fetchall()

    def fetch_one(self, query: QueryNoTemplate, params: Params | None = None) -> Row | None:
        """The first row, if there is one."""
        return self.connection.execute(query, params).fetchone()

    def fetch_value(self, query: QueryNoTemplate, params: Params | None = None) -> Any:
        """The first column of the first row; None if there is no row."""
        row = self.fetch_one(query, params)
        return None if row is None else next(iter(row.values()))

    def fetch_as(self, record: type[Record], query: QueryNoTemplate, params: Params | None = None) -> list[Record]:
        """The rows as `record(**columns)`."""
        with self.connection.cursor(row_factory=class_row(record)) as cursor:
            return cursor.execute(query, params).fetchall()


class _Tried(Exception):  # noqa: N818 - ends a rehearsal
    """Rolls it back."""


class Database:
    """A pool of connections to one database, opened at once and lazily filled; safe to share between threads."""

    def __init__(
        self,
        dsn: str,
        pool_size: int = 8,
        *,
        application_name: str = "isthmus",
        statement_timeout: float = 30.0,
        wait_for: float = WAIT_FOR,
    ) -> None:
        """`statement_timeout` and `wait_for` in seconds; a statement_timeout of 0 is none."""
        self.dsn = dsn = session.connection_string(dsn)
        self._wait_for = wait_for
        self._in_use = threading.local()
        self.heartbeat = Heartbeat()
        options = {
            "TimeZone": "UTC",
            "synchronous_commit": "on",
            "statement_timeout": int(statement_timeout * 1000),
            # Whoever hangs in the middle of a transaction (a paused machine) must not hold its locks for ever.
            "idle_in_transaction_session_timeout": int(HANGS_AFTER * 1000),
        }
        own = str(conninfo_to_dict(dsn).get("options") or "")
        self._pool: ConnectionPool[_Patient] = ConnectionPool(
            dsn,
            connection_class=_Patient,
            min_size=1,
            max_size=pool_size,
            timeout=wait_for,
            name=application_name,
            open=True,
            configure=_configure,
            reset=session.replace_read_only_session,
            kwargs={
                "autocommit": True,  # BEGIN and COMMIT are ours alone, below
                "row_factory": dict_row,
                "prepare_threshold": PREPARE_AFTER,
                "application_name": application_name,
                "options": " ".join([own, *(f"-c {key}={value}" for key, value in options.items())]).strip(),
            },
        )

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Tx]:
        """One unit of work: committed if the block ends well, rolled back if it raises.

        Waits for a database that is just coming back. An error for which `is_away` holds may come at any point,
        at the end with the outcome unknown.
        """
        if getattr(self._in_use, "now", False):
            raise TransactionError("a transaction is open in this thread already; one unit of work is one transaction")
        connection = self._begun()
        self._in_use.now = True
        try:
            yield Tx(connection)
            # PostgreSQL answers COMMIT after a swallowed error with a rollback, which nobody would notice.
            if connection.info.transaction_status is TransactionStatus.INERROR:
                raise TransactionError("a statement of this transaction failed and its error was swallowed")
            connection.commit()
        except BaseException as error:
            with contextlib.suppress(psycopg.Error):
                connection.rollback()
            if session.breaks_session(error):
                connection.close()
            raise
        finally:
            self._in_use.now = False
            self._pool.putconn(connection)

    @contextlib.contextmanager
    def rehearsal(self) -> Iterator[Tx]:
        """A unit of work that is only tried: what it does is seen in it, and never committed."""
        with contextlib.suppress(_Tried), self.transaction() as tx:
            yield tx
            raise _Tried

    def ping(self) -> bool:
        """Whether the database answers now."""
        try:
            connection = self._begun(patience=1.0)
        except psycopg.OperationalError:
            return False
        connection.rollback()
        self._pool.putconn(connection)
        return True

    def now(self) -> datetime:
        """The server's own clock."""
        connection = self._begun()
        row = connection.execute("SELECT clock_timestamp() AS at").fetchone()
        connection.rollback()
        self._pool.putconn(connection)
        if row is None:
            raise TransactionError("a SELECT without FROM gives one row")
        at: datetime = row["at"]
        return at

    def close(self) -> None:
        self.heartbeat.close()
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begun(self, patience: float | None = None) -> "_Patient":
        """A connection in a fresh transaction; one that died in the pool is thrown away and the next one tried, and so
        is one that was opened while the database was read-only, unless the next one is read-only as well.
        """
        until = time.monotonic() + (self._wait_for if patience is None else patience)
        is_renewed = False
        while True:
            connection = self._pool.getconn(timeout=max(until - time.monotonic(), 0.01))
            try:
                connection.begin()
            except psycopg.Error as error:
                connection.close()
                self._pool.putconn(connection)
                if not is_unavailable(error) or time.monotonic() > until:
                    raise
            else:
                if is_renewed or not session.is_read_only(connection.info):
                    return connection
                is_renewed = True
                connection.close()
                self._pool.putconn(connection)


def _configure(connection: "psycopg.Connection[Row]") -> None:
    # A list is written in binary three times as fast as in text, and one of bodies a hundred times.
    connection.adapters.register_dumper(list, ListBinaryDumper)


class _Patient(psycopg.Connection[Row]):
    """Tries again within a second; the pool alone would pause for a whole one after the first refusal."""

    def begin(self) -> None:
        """Begin a transaction as `commit` ends one: a cursor and a query made for BEGIN alone cost twice as much."""
        with self.lock:
            self.wait(self._exec_command(b"BEGIN"))

    @classmethod
    def connect(cls, *args: Any, **kwargs: Any) -> Self:
        for wait in (0.03, 0.06, 0.12, 0.25, 0.5):
            try:
                return super().connect(*args, **kwargs)
            except psycopg.OperationalError:
                time.sleep(wait)
        return super().connect(*args, **kwargs)
