"""The job engine's own tables: installed once, then brought along by the migrations that its package ships."""

import time
from collections.abc import Callable
from datetime import datetime
from importlib.resources.abc import Traversable
from pathlib import Path

import procrastinate

from isthmus.db import migrate as migrations
from isthmus.db.pool import Database, Tx

UNRECORDED_UP_TO = "03.04.00_50_post_add_retry_failed_job_procedure.sql"
"""What every database had that was made before applied migrations were recorded (procrastinate 3.10)."""


def engine_migrations() -> dict[str, Traversable]:
    """The migrations of the installed engine, by name, in order."""
    return list_folder(Path(procrastinate.schema.SchemaManager.get_migrations_path()))


def list_folder(folder: Traversable) -> dict[str, Traversable]:
    files = [file for file in folder.iterdir() if file.name.endswith(".sql")]
    return {file.name: file for file in sorted(files, key=lambda one: one.name)}


def migrate_engine(
    db: Database,
    now: datetime,
    files: dict[str, Traversable] | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> list[str]:
    """Install the tables or apply what is missing, one transaction each; what was done."""
    wanted = engine_migrations() if files is None else files
    done: list[str] = []
    while (name := migrations.retry_while_locked(lambda: _next(db, now, wanted), wait)) is not None:
        done.append(name)
    return done


def missing_migrations(db: Database) -> list[str]:
    """The engine's migrations that the database lacks."""
    with db.transaction() as tx:
        if tx.fetch_value("SELECT to_regclass('engine_migration')") is None:
            return list(engine_migrations())
        applied = _applied(tx)
    return [name for name in engine_migrations() if name not in applied]


def _next(db: Database, now: datetime, files: dict[str, Traversable]) -> str | None:
    with db.transaction() as tx:
        migrations.begin_migration(tx)
        if tx.fetch_value("SELECT to_regclass('procrastinate_jobs')") is None:
            tx.connection.execute(procrastinate.schema.SchemaManager.get_schema(), prepare=False)
            _record(tx, list(files), now)
            return "the job engine's own tables"
        applied = _applied(tx)
        if not applied:
            applied = {name for name in files if name <= UNRECORDED_UP_TO}
            _record(tx, sorted(applied), now)
        name = next((name for name in files if name not in applied), None)
        if name is not None:
            tx.connection.execute(files[name].read_bytes(), prepare=False)
            _record(tx, [name], now)
        return None if name is None else f"the job engine's {name.removesuffix('.sql')}"


def _applied(tx: Tx) -> set[str]:
    return {row["name"] for row in tx.fetch_all("SELECT name FROM engine_migration")}


def _record(tx: Tx, names: list[str], now: datetime) -> None:
    tx.execute("INSERT INTO engine_migration (name, applied_at) SELECT unnest(%s::text[]), %s", (names, now))


ENQUEUE = """
INSERT INTO procrastinate_jobs (queue_name, task_name, priority, queueing_lock, args)
VALUES ('default', %(task)s, 0, %(key)s, %(args)s)
ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING
"""
"""What the engine's own function does for one job (procrastinate_defer_jobs_v1), but for a job that is waiting already:
there it raises an error, of which PostgreSQL's log would hold one for every event in normal work."""
