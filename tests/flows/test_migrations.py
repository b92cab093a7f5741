"""Migrations: in order, once, by one process at a time, and never on a schema that is not theirs."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from isthmus.app import engine
from isthmus.db.migrate import (
    LOCK,
    WAITS,
    MigrationBlocked,
    MigrationsDiffer,
    SchemaTooNew,
    SchemaTooOld,
    current_version,
    list_migrations,
    migrate,
    read_schema,
    required_version,
)
from isthmus.db.pool import Database
from scenes import AT

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
    assert current_version(empty) == 0
    assert migrate(empty, folder) == ["0001_first_shelf", "0002_reading"]
    assert migrate(empty, folder) == []
    assert current_version(empty) == required_version(folder) == 2
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
    assert sorted(name for names in applied for name in names) == ["0001_first_shelf", "0002_reading"]


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


def test_a_failing_migration_leaves_the_database_as_the_one_before_made_it(empty: Database, folder: Path) -> None:
    (folder / "0002_reading.sql").write_text("ALTER TABLE shelf ADD COLUMN half text; ALTER TABLE shelve ADD x text;")
    with pytest.raises(psycopg.errors.UndefinedTable):
        migrate(empty, folder)
    assert current_version(empty) == 1
    with empty.transaction() as tx:
        assert tx.fetch_one("SELECT * FROM shelf") == {"book": "100% wool"}


@pytest.mark.parametrize("name", ["0004_gap.sql", "0002_twin.sql"])
def test_numbers_with_a_gap_or_a_twin_are_refused(folder: Path, name: str) -> None:
    (folder / name).write_text("SELECT 1;")
    with pytest.raises(MigrationsDiffer):
        list_migrations(folder)


def test_the_shipped_migrations_bring_an_empty_database_to_the_wanted_version(empty: Database) -> None:
    assert len(migrate(empty)) == required_version() > 0
    assert current_version(empty) == required_version()


# -- two versions of the program side by side ----------------------------------------------------------------------

EXPAND = "-- kind: expand\n-- compatible from: 0002\n\nALTER TABLE shelf ADD COLUMN title text;"
CONTRACT = "-- kind: contract\n-- compatible from: 0003\n\nALTER TABLE shelf DROP COLUMN book;"


@pytest.fixture
def upgraded(empty: Database, folder: Path) -> Path:
    """A database that a newer program expanded: two files the older one knows, and one it does not."""
    (folder / "0003_title.sql").write_text(EXPAND)
    migrate(empty, folder)
    return folder


def test_a_file_says_whether_it_expands_or_contracts_and_from_which_program_it_is_compatible(upgraded: Path) -> None:
    (upgraded / "0004_no_book.sql").write_text(CONTRACT)
    files = list_migrations(upgraded)
    assert [(file.kind, file.compatible_from) for file in files] == [
        (None, 1), (None, 2), ("expand", 2), ("contract", 3)
    ]  # fmt: skip


def test_a_program_works_with_a_newer_schema_that_only_expanded(empty: Database, upgraded: Path) -> None:
    assert read_schema(empty).version == 3
    read_schema(empty).check(2)
    (upgraded / "0003_title.sql").unlink()
    assert migrate(empty, upgraded) == []
    assert current_version(empty) == 3


def test_a_program_refuses_a_schema_that_contracted_since_and_one_that_is_older(
    empty: Database, upgraded: Path
) -> None:
    (upgraded / "0004_no_book.sql").write_text(CONTRACT)
    migrate(empty, upgraded)
    with pytest.raises(SchemaTooNew, match="at schema 4, this isthmus knows 2"):
        read_schema(empty).check(2)
    read_schema(empty).check(3)
    read_schema(empty).check(4)
    with pytest.raises(SchemaTooOld, match="at schema 4, this isthmus needs 5; run `isthmus migrate`"):
        read_schema(empty).check(5)


def test_a_list_of_migrations_from_before_compatibility_was_declared_is_brought_along(
    empty: Database, folder: Path
) -> None:
    migrate(empty, folder)
    with empty.transaction() as tx:
        tx.execute("ALTER TABLE schema_version DROP COLUMN compatible_from")
    assert (read_schema(empty).version, read_schema(empty).compatible_from) == (2, 2)
    (folder / "0003_title.sql").write_text(EXPAND)
    assert migrate(empty, folder) == ["0003_title"]
    assert (read_schema(empty).version, read_schema(empty).compatible_from) == (3, 2)


# -- a migration behind a long reader ------------------------------------------------------------------------------


def test_a_migration_behind_a_long_reader_lets_others_pass_and_is_tried_again(empty: Database, folder: Path) -> None:
    (folder / "0002_reading.sql").rename(folder / "later")
    migrate(empty, folder)
    (folder / "later").rename(folder / "0002_reading.sql")
    waited: list[float] = []
    with psycopg.connect(empty.dsn) as reader, psycopg.connect(empty.dsn, autocommit=True) as other:
        reader.execute("SELECT * FROM shelf")

        def wait(seconds: float) -> None:
            waited.append(seconds)
            other.execute("SET statement_timeout = '1s'; SELECT * FROM shelf")  # nobody queues in front of it
            if len(waited) == 2:
                reader.rollback()

        assert migrate(empty, folder, wait) == ["0002_reading"]
    assert waited == [0.2, 0.5]


def test_a_reader_that_never_ends_is_said_in_one_line_and_nothing_is_kept(
    empty: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isthmus.db.migrate.LOCK_WITHIN", "10ms")
    (folder / "0002_reading.sql").rename(folder / "later")
    migrate(empty, folder)
    (folder / "later").rename(folder / "0002_reading.sql")
    waited: list[float] = []
    with psycopg.connect(empty.dsn) as reader:
        reader.execute("SELECT * FROM shelf")
        with pytest.raises(MigrationBlocked, match="in use by a long transaction"):
            migrate(empty, folder, waited.append)
    assert waited == list(WAITS)
    assert current_version(empty) == 1


# -- the job engine's own tables -----------------------------------------------------------------------------------


def test_the_job_engines_own_migrations_are_run_each_once(empty: Database, tmp_path: Path) -> None:
    migrate(empty)
    assert engine.missing_migrations(empty) == list(engine.engine_migrations())
    assert engine.migrate_engine(empty, AT) == ["the job engine's own tables"]
    assert engine.migrate_engine(empty, AT) == []
    assert engine.missing_migrations(empty) == []
    newer = tmp_path / "newer"
    newer.mkdir()
    (newer / "03.99.00_01_pre_note.sql").write_text("ALTER TABLE procrastinate_jobs ADD COLUMN note text;")
    (newer / "README.md").write_text("not a migration")
    files = engine.engine_migrations() | engine.list_folder(newer)
    assert engine.migrate_engine(empty, AT, files) == ["the job engine's 03.99.00_01_pre_note"]
    assert engine.migrate_engine(empty, AT, files) == []


def test_tables_of_an_engine_from_before_its_migrations_were_recorded_lack_what_came_since(empty: Database) -> None:
    migrate(empty)
    engine.migrate_engine(empty, AT)
    with empty.transaction() as tx:
        tx.execute("DELETE FROM engine_migration")
    assert engine.migrate_engine(empty, AT) == [
        f"the job engine's {name.removesuffix('.sql')}"
        for name in engine.engine_migrations()
        if name > engine.UNRECORDED_UP_TO
    ]
    assert engine.missing_migrations(empty) == []
