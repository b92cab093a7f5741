"""Bring the database to this version of isthmus by plain numbered SQL files, each applied once and never edited."""

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from isthmus.db.pool import Database, Tx

# An arbitrary number that every isthmus agrees on: "isth" in ASCII.
LOCK = 0x69737468
NAME = re.compile(r"(\d{4})_(\w+)\.sql")


class SchemaTooNew(RuntimeError):  # noqa: N818 - says what is the matter
    """A newer isthmus has been at this database; this one would not understand it."""


class MigrationsDiffer(RuntimeError):  # noqa: N818 - says what is the matter
    """The files do not continue what was applied: one was edited, renamed, numbered twice, or is missing."""


@dataclass(frozen=True)
class Migration:
    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def shipped() -> Traversable:
    """The folder of migrations that this isthmus brings along."""
    return files("isthmus.db") / "migrations"


def available(folder: Traversable | None = None) -> list[Migration]:
    """The migrations in `folder`, numbered 1, 2, 3 … without a gap."""
    found = []
    for file in (shipped() if folder is None else folder).iterdir():
        if match := NAME.fullmatch(file.name):
            text = file.read_bytes().decode().replace("\r\n", "\n")
            found.append(Migration(int(match[1]), match[2], text))
    found.sort(key=lambda migration: migration.version)
    for place, migration in enumerate(found, start=1):
        if migration.version != place:
            raise MigrationsDiffer(f"migration {place:04} is missing or there twice, before {migration.name}")
    return found


def wanted(folder: Traversable | None = None) -> int:
    """The schema version that this isthmus needs."""
    return len(available(folder))


def current(db: Database) -> int:
    """The schema version of the database; 0 if it was never migrated."""
    with db.transaction() as tx:
        return max((version for version, _, _ in _applied(tx)), default=0)


def migrate(db: Database, folder: Traversable | None = None) -> list[str]:
    """Apply what is missing, all or nothing, one process at a time; the names of what was applied."""
    migrations = available(folder)
    with db.transaction() as tx:
        tx.execute("SET LOCAL statement_timeout = 0")
        tx.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        tx.execute("""
            CREATE TABLE IF NOT EXISTS schema_version (
                version integer PRIMARY KEY,
                name text NOT NULL,
                checksum text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now()
            )""")
        missing = migrations[_agreed(_applied(tx), migrations) :]
        for migration in missing:
            tx.connection.execute(migration.text.encode(), prepare=False)
            tx.execute(
                "INSERT INTO schema_version (version, name, checksum) VALUES (%s, %s, %s)",
                (migration.version, migration.name, migration.checksum),
            )
    return [f"{migration.version:04}_{migration.name}" for migration in missing]


def _applied(tx: Tx) -> list[tuple[int, str, str]]:
    if tx.fetch_value("SELECT to_regclass('schema_version')") is None:
        return []
    rows = tx.fetch_all("SELECT version, name, checksum FROM schema_version ORDER BY version")
    return [(row["version"], row["name"], row["checksum"]) for row in rows]


def _agreed(applied: list[tuple[int, str, str]], migrations: list[Migration]) -> int:
    """How many migrations are applied already, once it is sure that they are these."""
    if applied and applied[-1][0] > len(migrations):
        raise SchemaTooNew(
            f"the database is at schema {applied[-1][0]}, this isthmus knows {len(migrations)}; install a newer isthmus"
        )
    for (version, name, checksum), migration in zip(applied, migrations, strict=False):
        if (version, name, checksum) != (migration.version, migration.name, migration.checksum):
            raise MigrationsDiffer(
                f"migration {version:04}_{name} is not the one that was applied; "
                "put the released file back and make a new one for the change"
            )
    return len(applied)
