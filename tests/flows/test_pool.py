"""Transactions: whole or not at all, never nested, and patient with a database that is coming back."""

import contextlib
from dataclasses import dataclass

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from isthmus.db.pool import Database, TransactionError, is_away


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


def test_a_connection_that_dies_in_use_is_told_apart_from_a_refusal(database: Database) -> None:
    with pytest.raises(psycopg.OperationalError) as gone, database.transaction() as tx:
        tx.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert is_away(gone.value)
    with Database(database.dsn, statement_timeout=0.05) as hasty:
        with pytest.raises(psycopg.OperationalError) as refused, hasty.transaction() as tx:
            tx.execute("SELECT pg_sleep(5)")
        assert not is_away(refused.value)
    assert not is_away(ValueError())
    assert count(database) == 0


def test_a_ping_says_whether_the_database_answers(database: Database, db_url: str) -> None:
    assert database.ping()
    with Database(make_conninfo(db_url, host="/nowhere"), wait_for=0.1) as nowhere:
        assert not nowhere.ping()
        with pytest.raises(psycopg.OperationalError) as error, nowhere.transaction():
            pass
        assert is_away(error.value)
