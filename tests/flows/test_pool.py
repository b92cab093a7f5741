"""Transactions: whole or not at all, never nested, and patient with a database that is coming back."""

import contextlib
from dataclasses import dataclass

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from isthmus.db import session
from isthmus.db.pool import Database, TransactionError, is_unavailable


@dataclass(frozen=True)
class Pair:
    left: int
    right: str


def count(database: Database) -> int:
    with database.transaction() as tx:
        return int(tx.fetch_value("SELECT count(*) FROM note"))


@pytest.fixture(autouse=True)
def note(database: Database) -> None:
    with database.transaction() as tx:
        tx.execute("CREATE TABLE note (n integer PRIMARY KEY)")


def test_a_block_that_ends_well_is_committed_and_one_that_raises_is_not(database: Database) -> None:
    with database.transaction() as tx:
        assert tx.execute_many("INSERT INTO note VALUES (%s)", [(1,), (2,)]) == 2

    def fail() -> None:
        with database.transaction() as tx:
            tx.execute("INSERT INTO note VALUES (3)")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert count(database) == 2


def test_what_is_rehearsed_is_seen_in_it_and_never_kept(database: Database) -> None:
    with database.rehearsal() as tx:
        tx.execute("INSERT INTO note VALUES (1)")
        assert tx.fetch_value("SELECT count(*) FROM note") == 1
    assert count(database) == 0
    with pytest.raises(KeyError), database.rehearsal():
        raise KeyError


def test_rows_come_back_as_dicts_records_and_values(database: Database) -> None:
    with database.transaction() as tx:
        query = "SELECT 1 AS left, %(right)s AS right"
        assert tx.fetch_all(query, {"right": "r"}) == [{"left": 1, "right": "r"}]
        assert tx.fetch_as(Pair, query, {"right": "r"}) == [Pair(1, "r")]
        assert tx.fetch_one("SELECT 1 WHERE false") is None
        assert tx.fetch_value("SELECT 1 WHERE false") is None


def test_a_transaction_inside_a_transaction_is_refused(database: Database) -> None:
    with database.transaction(), pytest.raises(TransactionError, match="one unit of work"), database.transaction():
        pass
    assert count(database) == 0


def test_a_transaction_with_a_swallowed_error_never_looks_committed(database: Database) -> None:
    def swallow() -> None:
        with database.transaction() as tx:
            tx.execute("INSERT INTO note VALUES (1)")
            with contextlib.suppress(psycopg.errors.UniqueViolation):
                tx.execute("INSERT INTO note VALUES (1)")

    with pytest.raises(TransactionError):
        swallow()
    assert count(database) == 0


def test_sessions_are_utc_durable_named_and_bounded(db_url: str) -> None:
    with Database(db_url, application_name="isthmus test", statement_timeout=7) as db, db.transaction() as tx:
        shown = {
            name: tx.fetch_value("SELECT current_setting(%s)", (name,))
            for name in ("TimeZone", "synchronous_commit", "application_name", "statement_timeout")
        }
    assert shown == {
        "TimeZone": "UTC",
        "synchronous_commit": "on",
        "application_name": "isthmus test",
        "statement_timeout": "7s",
    }


def test_options_of_the_url_are_kept(db_url: str) -> None:
    url = make_conninfo(db_url, options="-c work_mem=5MB")
    with Database(url) as db, db.transaction() as tx:
        assert tx.fetch_value("SHOW work_mem") == "5MB"


def test_connections_that_died_in_the_pool_are_replaced_unnoticed(database: Database) -> None:
    with psycopg.connect(database.dsn, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert count(database) == 0


def test_a_session_that_was_opened_while_the_database_was_read_only_is_not_used_again(database: Database) -> None:
    name = psycopg.conninfo.conninfo_to_dict(database.dsn)["dbname"]
    with psycopg.connect(make_conninfo(database.dsn, dbname="postgres"), autocommit=True) as outside:
        outside.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        with Database(database.dsn, pool_size=1) as db:
            for _ in range(2):
                with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), db.transaction() as tx:
                    tx.execute("INSERT INTO note VALUES (1)")
            assert count(db) == 0
            db._pool.wait(5.0)  # the next one is opened, and still read-only
            outside.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
            with db.transaction() as tx:
                tx.execute("INSERT INTO note VALUES (1)")
            assert count(db) == 1


def test_a_statement_planned_before_a_migration_costs_its_session_and_not_the_next_attempt(db_url: str) -> None:
    with Database(db_url, pool_size=1) as db, psycopg.connect(db_url, autocommit=True) as migrating:
        for _ in range(3):
            assert count(db) == 0
            with db.transaction() as tx:
                tx.fetch_all("SELECT * FROM note")
        migrating.execute("ALTER TABLE note ADD COLUMN more text")
        with pytest.raises(psycopg.errors.FeatureNotSupported), db.transaction() as tx:
            tx.fetch_all("SELECT * FROM note")
        with db.transaction() as tx:
            assert tx.fetch_all("SELECT * FROM note") == []


@pytest.mark.parametrize(
    ("error", "is_spoilt"),
    [
        (psycopg.errors.UniqueViolation(), False),
        (psycopg.errors.InvalidTextRepresentation(), False),
        (psycopg.errors.DeadlockDetected(), False),
        (psycopg.errors.LockNotAvailable(), False),
        (psycopg.errors.QueryCanceled(), False),
        (psycopg.errors.UndefinedColumn(), False),
        (psycopg.errors.ReadOnlySqlTransaction(), True),
        (psycopg.errors.IdleInTransactionSessionTimeout(), True),
        (psycopg.errors.FeatureNotSupported(), True),
        (psycopg.errors.DiskFull(), True),
        (psycopg.errors.AdminShutdown(), True),
        (psycopg.OperationalError(), True),
        (ValueError(), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_only_errors_about_data_leave_a_session_as_good_as_before(error: Exception, is_spoilt: bool) -> None:
    assert session.breaks_session(error) is is_spoilt


def test_of_several_hosts_the_primary_is_looked_for_and_a_dead_one_is_noticed() -> None:
    told = psycopg.conninfo.conninfo_to_dict(session.connection_string("postgresql://isthmus@one,two/isthmus"))
    assert told["target_session_attrs"] == "read-write"
    assert told["tcp_user_timeout"] == "10000"
    told = psycopg.conninfo.conninfo_to_dict(
        session.connection_string("postgresql://isthmus@one/isthmus?connect_timeout=30")
    )
    assert "target_session_attrs" not in told
    assert told["connect_timeout"] == "30"


def test_a_connection_that_dies_in_use_is_told_apart_from_a_refusal(database: Database) -> None:
    with pytest.raises(psycopg.OperationalError) as gone, database.transaction() as tx:
        tx.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert is_unavailable(gone.value)
    with Database(database.dsn, statement_timeout=0.05) as hasty:
        with pytest.raises(psycopg.OperationalError) as refused, hasty.transaction() as tx:
            tx.execute("SELECT pg_sleep(5)")
        assert not is_unavailable(refused.value)
    assert not is_unavailable(ValueError())
    assert count(database) == 0


def test_a_ping_says_whether_the_database_answers(database: Database, db_url: str) -> None:
    assert database.ping()
    with Database(make_conninfo(db_url, host="/nowhere"), wait_for=0.1) as nowhere:
        assert not nowhere.ping()
        with pytest.raises(psycopg.OperationalError) as error, nowhere.transaction():
            pass
        assert is_unavailable(error.value)
