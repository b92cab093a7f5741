"""Bring the database to this version of isthmus by plain numbered SQL files, each applied once and never edited.

Upgrades expand, then contract, so that programs of two versions can work side by side. Each file says which of the two
it does, and the oldest program that works with the schema it makes, by the schema version that such a program knows:

    -- kind: expand
    -- compatible from: 0011

A program works with a newer schema as long as that is so, and refuses one that was contracted since.
"""

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

import psycopg

from isthmus.db.pool import Database, Tx

# An arbitrary number that every isthmus agrees on: "isth" in ASCII.
LOCK = 0x69737468
NAME = re.compile(r"(\d{4})_(\w+)\.sql")
DECLARED_AFTER = 11
"""Older files say nothing; none of them is ever missing where a program of today runs."""
KIND = re.compile(r"^-- kind: (expand|contract)$", re.MULTILINE)
COMPATIBLE_FROM = re.compile(r"^-- compatible from: (\d{4})$", re.MULTILINE)

LOCK_WITHIN = "2s"
"""How long a statement of a migration waits for a table: everybody who comes later waits behind it."""
WAITS = (0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 5.0, 10.0, 10.0, 10.0, 15.0, 15.0, 30.0, 30.0, 30.0)
"""Seconds between attempts to get the lock: about three minutes in all."""


class SchemaTooNew(RuntimeError):  # noqa: N818 - says what is the matter
    """A newer isthmus has been at this database; this one would not understand it."""


class SchemaTooOld(RuntimeError):  # noqa: N818 - says what is the matter
    """The database lacks what this isthmus needs."""


class MigrationsDiffer(RuntimeError):  # noqa: N818 - says what is the matter
    """The files do not continue what was applied: one was edited, renamed, numbered twice, or is missing."""


class MigrationBlocked(RuntimeError):  # noqa: N818 - says what is the matter
    """A migration did not get its lock: somebody reads or writes the table for long."""


@dataclass(frozen=True)
class Migration:
    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def kind(self) -> str | None:
        """`expand` or `contract`; None where the file does not say."""
        found = KIND.search(self.text)
        return found[1] if found else None

    @property
    def compatible_from(self) -> int:
        """The oldest program that works with the schema this makes; without a word of it, only one that knows it."""
        found = COMPATIBLE_FROM.search(self.text)
        return int(found[1]) if found else self.version


@dataclass(frozen=True)
class Schema:
    """The schema of a database, as far as a program must know it."""

    version: int
    compatible_from: int

    def check(self, known: int) -> None:
        """Raise SchemaTooNew or SchemaTooOld where a program that knows the schema `known` cannot work with this."""
        if self.version < known:
            there = f"is at schema {self.version}" if self.version else "is empty"
            raise SchemaTooOld(f"the database {there}, this isthmus needs {known}; run `isthmus migrate`")
        if self.compatible_from > known:
            raise SchemaTooNew(
                f"the database is at schema {self.version}, this isthmus knows {known}; install a newer isthmus"
            )


def migrations_folder() -> Traversable:
    """The folder of migrations that this isthmus brings along."""
    return files("isthmus.db") / "migrations"


def list_migrations(folder: Traversable | None = None) -> list[Migration]:
    """The migrations in `folder`, numbered 1, 2, 3 … without a gap."""
    found = []
    for file in (migrations_folder() if folder is None else folder).iterdir():
        if match := NAME.fullmatch(file.name):
            text = file.read_bytes().decode().replace("\r\n", "\n")
            found.append(Migration(int(match[1]), match[2], text))
    found.sort(key=lambda migration: migration.version)
    for place, migration in enumerate(found, start=1):
        if migration.version != place:
            raise MigrationsDiffer(f"migration {place:04} is missing or there twice, before {migration.name}")
    return found


def required_version(folder: Traversable | None = None) -> int:
    """The schema version that this isthmus needs."""
    return len(list_migrations(folder))


def current_version(db: Database) -> int:
    """The schema version of the database; 0 if it was never migrated."""
    return read_schema(db).version


def read_schema(db: Database) -> Schema:
    """The schema of the database."""
    with db.transaction() as tx:
        return read_schema_in_transaction(tx)


def read_schema_in_transaction(tx: Tx) -> Schema:
    """As `schema`, within a transaction. A version that does not say what it is compatible with is so with itself."""
    if tx.fetch_value("SELECT to_regclass('schema_version')") is None:
        return Schema(0, 0)
    row = tx.fetch_one("""
        SELECT coalesce(max(version), 0) AS version,
               coalesce(max(coalesce((to_jsonb(v) ->> 'compatible_from')::integer, version)), 0) AS compatible_from
        FROM schema_version v""")
    return Schema(**row) if row else Schema(0, 0)


def migrate(db: Database, folder: Traversable | None = None, wait: Callable[[float], None] = time.sleep) -> list[str]:
    """Apply what is missing, each file in a transaction of its own, one process at a time; the names of what was
    applied. What was applied before one fails stays applied.

    Raises MigrationBlocked when a table is not to be had for minutes.
    """
    migrations = list_migrations(folder)
    applied: list[str] = []
    while (name := retry_while_locked(lambda: _next(db, migrations), wait)) is not None:
        applied.append(name)
    return applied


def retry_while_locked(step: Callable[[], str | None], wait: Callable[[float], None]) -> str | None:
    """Take a step of a migration, again and again while others hold what it must lock."""
    for pause in (*WAITS, None):
        try:
            return step()
        except psycopg.errors.LockNotAvailable as error:
            if pause is None:
                raise MigrationBlocked(
                    "a table that the migration changes is in use by a long transaction; end that, or run "
                    "`isthmus migrate` again later. Nothing of the migration under way was kept"
                ) from error
            wait(pause)
    raise AssertionError("the last pause is None")


def begin_migration(tx: Tx) -> None:
    """What every migration begins with: alone, however long it takes, but never long in front of others."""
    tx.execute("SET LOCAL statement_timeout = 0")
    tx.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
    tx.execute("SELECT set_config('lock_timeout', %s, true)", (LOCK_WITHIN,))


def _next(db: Database, migrations: list[Migration]) -> str | None:
    """Apply the first that is missing; its name, None where all are there."""
    with db.transaction() as tx:
        begin_migration(tx)
        _make_list(tx)
        missing = migrations[_agreed(tx, migrations) :]
        if not missing:
            return None
        migration = missing[0]
        tx.connection.execute(migration.text.encode(), prepare=False)
        tx.execute(
            "INSERT INTO schema_version (version, name, checksum, compatible_from) VALUES (%s, %s, %s, %s)",
            (migration.version, migration.name, migration.checksum, migration.compatible_from),
        )
    return f"{migration.version:04}_{migration.name}"


def _make_list(tx: Tx) -> None:
    if tx.fetch_value("SELECT to_regclass('schema_version')") is None:
        tx.execute("""
            CREATE TABLE schema_version (
                version integer PRIMARY KEY,
                name text NOT NULL,
                checksum text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now(),
                compatible_from integer
            )""")
    elif not tx.fetch_value("""
            SELECT count(*) FROM pg_attribute
            WHERE attrelid = to_regclass('schema_version') AND attname = 'compatible_from'"""):
        tx.execute("ALTER TABLE schema_version ADD COLUMN compatible_from integer")


def _agreed(tx: Tx, migrations: list[Migration]) -> int:
    """How many migrations are applied already, once it is sure that they are these."""
    rows = tx.fetch_all("SELECT version, name, checksum FROM schema_version ORDER BY version")
    there = read_schema_in_transaction(tx)
    if there.version > len(migrations):
        there.check(len(migrations))
    for row, migration in zip(rows, migrations, strict=False):
        if (row["version"], row["name"], row["checksum"]) != (migration.version, migration.name, migration.checksum):
            raise MigrationsDiffer(
                f"migration {row['version']:04}_{row['name']} is not the one that was applied; "
                "put the released file back and make a new one for the change"
            )
    return min(len(rows), len(migrations))
