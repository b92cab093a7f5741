"""Migrations: in order, once, by one process at a time, and never on a schema that is not theirs."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from isthmus.db.migrate import LOCK, MigrationsDiffer, SchemaTooNew, available, current, migrate, wanted
from isthmus.db.pool import Database

FIRST = "CREATE TABLE shelf (book text); INSERT INTO shelf VALUES ('100% wool');"
SECOND = "ALTER TABLE shelf ADD COLUMN read_on date;"


@pytest.fixture
def empty(db_url: str) -> Iterator[Database]:
    """A database that was never migrated."""
    with psycopg.connect(db_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    with Database(db_url, pool_size=4) as db:
        yield db


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_first_shelf.sql").write_text(FIRST)
    (tmp_path / "0002_reading.sql").write_text(SECOND)
    (tmp_path / "README.md").write_text("not a migration")
    return tmp_path


def test_all_that_is_missing_is_applied_in_order_and_only_once(empty: Database, folder: Path) -> None:
    assert current(empty) == 0
    assert migrate(empty, folder) == ["0001_first_shelf", "0002_reading"]
    assert migrate(empty, folder) == []
    assert current(empty) == wanted(folder) == 2
    with empty.transaction() as tx:
        assert tx.fetch_one("SELECT * FROM shelf") == {"book": "100% wool", "read_on": None}


def test_a_later_version_continues_where_the_earlier_one_stopped(empty: Database, folder: Path) -> None:
    (folder / "0002_reading.sql").rename(folder / "later")
    assert migrate(empty, folder) == ["0001_first_shelf"]
    (folder / "later").rename(folder / "0002_reading.sql")
    assert migrate(empty, folder) == ["0002_reading"]


def test_processes_that_migrate_at_once_apply_each_file_once(empty: Database, folder: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        applied = list(threads.map(lambda _: migrate(empty, folder), range(4)))
    assert sorted(map(len, applied)) == [0, 0, 0, 2]


def test_a_migration_waits_for_the_one_that_is_under_way(empty: Database, folder: Path) -> None:
    with ThreadPoolExecutor(1) as thread:
        with empty.transaction() as tx:
            tx.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            migrating = thread.submit(migrate, empty, folder)
            waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = "
            waits += "(SELECT oid FROM pg_database WHERE datname = current_database())"
            while not tx.fetch_value(waits):
                assert not migrating.done()
            assert tx.fetch_value("SELECT to_regclass('shelf')") is None
        assert len(migrating.result()) == 2


def test_a_newer_schema_is_refused(empty: Database, folder: Path) -> None:
    migrate(empty, folder)
    (folder / "0002_reading.sql").unlink()
    with pytest.raises(SchemaTooNew, match="at schema 2, this isthmus knows 1; install a newer isthmus"):
        migrate(empty, folder)


def test_an_edited_migration_is_refused(empty: Database, folder: Path) -> None:
    migrate(empty, folder)
    (folder / "0001_first_shelf.sql").write_text(FIRST + " -- better")
    with pytest.raises(MigrationsDiffer, match="0001_first_shelf is not the one that was applied"):
        migrate(empty, folder)


def test_other_line_endings_are_not_an_edit(empty: Database, folder: Path) -> None:
    (folder / "0002_reading.sql").write_bytes(b"SELECT 1;\nSELECT 2;\n")
    migrate(empty, folder)
    (folder / "0002_reading.sql").write_bytes(b"SELECT 1;\r\nSELECT 2;\r\n")
    assert migrate(empty, folder) == []


def test_a_failing_migration_leaves_the_database_as_it_was(empty: Database, folder: Path) -> None:
    (folder / "0002_reading.sql").write_text("ALTER TABLE shelve ADD COLUMN typo text;")
    with pytest.raises(psycopg.errors.UndefinedTable):
        migrate(empty, folder)
    assert current(empty) == 0


@pytest.mark.parametrize("name", ["0004_gap.sql", "0002_twin.sql"])
def test_numbers_with_a_gap_or_a_twin_are_refused(folder: Path, name: str) -> None:
    (folder / name).write_text("SELECT 1;")
    with pytest.raises(MigrationsDiffer):
        available(folder)


def test_the_shipped_migrations_bring_an_empty_database_to_the_wanted_version(empty: Database) -> None:
    assert len(migrate(empty)) == wanted() > 0
    assert current(empty) == wanted()
