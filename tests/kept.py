"""Databases that one process keeps from test to test: what a test left is deleted, plans and sessions stay.

A test gets an empty, migrated database either way. A copy of the template costs 30 ms of processor time, and each of
its sessions has every statement to plan; here a session has planned most of them before. A database is thrown away
where more than rows changed (an event trigger notes every DDL statement), where a session is still in use, and where
many deleted rows have piled up.
"""

# ruff: noqa: S608 - names of tables, from the catalogue

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import psycopg
from psycopg_pool import ConnectionPool

from isthmus.db import pool
from isthmus.db.heartbeat import Heartbeat
from isthmus.db.pool import Database

POOL_SIZE = 4
AT_MOST = 100  # tests that one database serves
LARGEST = 6_000_000  # bytes of rows, most of them deleted

_MAKE = """
CREATE SCHEMA kept;
CREATE SEQUENCE kept.changes;
CREATE FUNCTION kept.note() RETURNS event_trigger LANGUAGE plpgsql
  AS $$ BEGIN PERFORM nextval('kept.changes'); END $$;
CREATE EVENT TRIGGER kept_on_ddl ON ddl_command_end EXECUTE FUNCTION kept.note();
CREATE EVENT TRIGGER kept_on_drop ON sql_drop EXECUTE FUNCTION kept.note();
"""
_TABLES = """
SELECT c.oid::regclass::text AS name, c.relname AS plain FROM pg_class c
WHERE c.relkind = 'r' AND c.relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_|^information_')
ORDER BY 1
"""
_SEQUENCES = "SELECT format('%I.%I', schemaname, sequencename) AS name FROM pg_sequences WHERE schemaname <> 'kept'"
_NOTHING = 21  # bytes of a binary COPY of no rows
_STATE = """
SELECT (SELECT is_called FROM kept.changes) AS is_changed,
       (SELECT sum(pg_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND oid >= 16384) AS bytes
"""


@dataclass(frozen=True, slots=True)
class Rows:
    """All rows of a database, by table as COPY writes them, and the statements that set its sequences."""

    tables: dict[str, bytes]
    sequences: list[str]


class Kept:
    """One database, its pool of sessions, and a session of our own that empties it."""

    def __init__(self, copied: AbstractContextManager[str]) -> None:
        self.n_lent = 0
        self._put: dict[int, str] = {}
        with ExitStack() as stack:
            self.url = stack.enter_context(copied)
            self.own = stack.enter_context(psycopg.connect(self.url, autocommit=True))
            with patch.object(pool, "_configure", _configure):
                self.database = stack.enter_context(Database(self.url, pool_size=POOL_SIZE))
            self._prepare()
            self._leave = stack.pop_all().close

    def _prepare(self) -> None:
        """Write the function that makes the database what it is now: empty but for what migrations wrote."""
        tables = self.tables = self.own.execute(_TABLES).fetchall()
        steps = [f"DELETE FROM {name};" for name, _ in tables]
        for name, plain in tables:
            if self.own.execute(f"SELECT FROM {name} LIMIT 1").rowcount:
                self.own.execute(f"CREATE TEMPORARY TABLE first_{plain} AS SELECT * FROM {name}")
                steps.append(f"INSERT INTO {name} OVERRIDING SYSTEM VALUE SELECT * FROM pg_temp.first_{plain};")
        steps += self._counted()
        self.own.execute(_MAKE)
        self.own.execute("SET session_replication_role = replica")  # no triggers, and what we do here is not noted
        self._function("empty", steps)

    def _counted(self) -> list[str]:
        """How to set every sequence to where it is now."""
        steps = []
        for (name,) in self.own.execute(_SEQUENCES).fetchall():
            value, is_called = self.own.execute(f"SELECT last_value, is_called FROM {name}").fetchone() or (1, False)
            steps.append(f"PERFORM setval('{name}', {value}, {is_called});")
        return steps

    def _function(self, name: str, steps: list[str]) -> None:
        body = "\n".join(steps)
        self.own.execute(f"CREATE FUNCTION pg_temp.{name}() RETURNS void LANGUAGE plpgsql AS $$ BEGIN {body} END $$")

    def is_fit(self) -> bool:
        """Whether nothing but rows changed, nobody holds a session, and there is little to wade through."""
        stats = self.database._pool.get_stats()
        if self.database._pool.closed or stats["pool_available"] != stats["pool_size"] or self.n_lent >= AT_MOST:
            return False
        is_changed, size = self.own.execute(_STATE).fetchone() or (True, 0)
        return not is_changed and size < LARGEST

    def is_changed(self) -> bool:
        """Whether a statement changed more than rows."""
        return bool((self.own.execute(_STATE).fetchone() or (True,))[0])

    def rows(self) -> Rows:
        """Every row there is."""
        tables = {}
        for name, _ in self.tables:
            with self.own.cursor() as cursor, cursor.copy(f"COPY {name} TO STDOUT (FORMAT binary)") as copy:
                data = b"".join(bytes(piece) for piece in copy)
            if len(data) > _NOTHING:
                tables[name] = data
        return Rows(tables, self._counted())

    def put(self, rows: Rows) -> None:
        """Put these rows in place of all others; the second time from tables of our own session, in one statement."""
        name = self._put.get(id(rows))
        if name is None:
            name = self._put[id(rows)] = f"put_{len(self._put)}"
            steps = [f"DELETE FROM {table};" for table, _ in self.tables]
            for table, plain in self.tables:
                own = f"pg_temp.{name}_{plain}"
                if table in rows.tables:
                    self.own.execute(f"CREATE TEMPORARY TABLE {name}_{plain} (LIKE {table})")
                    with self.own.cursor() as cursor, cursor.copy(f"COPY {own} FROM STDIN (FORMAT binary)") as copy:
                        copy.write(rows.tables[table])
                    steps.append(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM {own};")
            self._function(name, [*steps, *rows.sequences])
        self.own.execute(f"SELECT pg_temp.{name}()")

    def empty(self) -> None:
        self.own.execute("SELECT pg_temp.empty()")

    def close(self) -> None:
        self._leave()


class Lent(Database):
    """A kept database in the hands of one test, which is nobody's when the test is over."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.dsn = kept.database.dsn
        self.heartbeat = Heartbeat()
        self._wait_for = kept.database._wait_for
        self._in_use = kept.database._in_use
        self._pool = kept.database._pool
        self.is_touched = False

    def _begun(self, patience: float | None = None) -> pool._Patient:
        self.is_touched = True
        return super()._begun(patience)

    def is_changed(self) -> bool:
        return self.kept.is_changed()

    def rows(self) -> Rows:
        return self.kept.rows()

    def put(self, rows: Rows) -> None:
        self.kept.put(rows)

    def give_back(self) -> None:
        """From now on whoever still works with it, in a thread that a test forgot, fails."""
        self.heartbeat.close()
        self._pool = ConnectionPool(self.dsn, open=False)


class Shelf:
    """The kept databases of this process."""

    def __init__(self, copy: Callable[[], AbstractContextManager[str]]) -> None:
        self._copy = copy
        self._free: list[Kept] = []

    @contextlib.contextmanager
    def lend(self) -> Iterator[Lent]:
        """An empty database for as long as the block lasts."""
        kept = self._free.pop() if self._free else Kept(self._copy())
        kept.n_lent += 1
        lent = Lent(kept)
        try:
            yield lent
        except BaseException:
            lent.give_back()
            kept.close()
            raise
        lent.give_back()
        try:
            is_fit = kept.is_fit()
            if is_fit:
                kept.empty()
        except psycopg.Error:
            is_fit = False
        if is_fit:
            self._free.append(kept)
        else:
            kept.close()

    def close(self) -> None:
        while self._free:
            self._free.pop().close()


_plain = pool._configure


def _configure(connection: psycopg.Connection[Any]) -> None:
    _plain(connection)
    connection.prepared_max = None  # of several hundred statements of several hundred tests none is forgotten
