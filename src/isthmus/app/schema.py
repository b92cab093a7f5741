"""The database at the version that this isthmus needs."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from isthmus.app import engine
from isthmus.app.context import App
from isthmus.app.settings import DatabaseSettings, Settings
from isthmus.db import migrate as migrations
from isthmus.db import server_location
from isthmus.db.migrate import SchemaTooOld
from isthmus.db.migrate import required_version as _wanted
from isthmus.flows.prune import create_partitions
from isthmus.kit.config_errors import ConfigError


@cache
def required_version() -> int:
    """The schema version that this isthmus needs."""
    return _wanted()


def migrate_database(app: App) -> tuple[list[str], int]:
    """Apply what is missing; the names of what was applied, and the version reached."""
    applied = migrations.migrate(app.db)
    create_partitions(app.db, app.clock.now())
    applied += engine.migrate_engine(app.db, app.clock.now())
    return applied, migrations.current_version(app.db)


def is_schema_compatible(app: App) -> bool:
    """Whether this isthmus can work with the database: nothing is missing, and nothing newer is in the way."""
    try:
        require_compatible_schema(app, with_engine=True)
    except (SchemaTooOld, migrations.SchemaTooNew):
        return False
    return True


def require_compatible_schema(app: App, *, with_engine: bool = False) -> None:
    """Raise SchemaTooNew or SchemaTooOld where this isthmus cannot work with the database; a role needs the engine."""
    migrations.read_schema(app.db).check(required_version())
    if with_engine and engine.missing_migrations(app.db):
        raise SchemaTooOld("the job engine's tables are older than the engine; run `isthmus migrate`")


def is_installed(settings: Settings) -> bool:
    """Whether there is a database to connect to, or the embedded one was made."""
    if settings.database.address() is not None:
        return True
    home = server_location.existing_location(settings.database.data_dir.absolute())
    return home is not None and (home / "cluster").exists()


def require_installation(settings: Settings) -> None:
    """Raise ConfigError where the embedded database was never made: reading must not make an empty one."""
    if not is_installed(settings):
        raise ConfigError(
            f"no installation here: there is no database in {settings.database.data_dir.absolute()}; start the command"
            " where isthmus.toml is, or name that with --config; isthmus serve, migrate and connect make a new one"
        )


@contextlib.contextmanager
def temporary_settings(database: DatabaseSettings) -> Iterator[DatabaseSettings]:
    """Settings of an embedded database that is removed at the end."""
    home = Path(tempfile.mkdtemp(prefix="isthmus-dry-run-"))
    home.chmod(0o711)  # root's database server runs as another user, who must get in
    try:
        yield database.model_copy(update={"data_dir": home / "data"})
    finally:
        shutil.rmtree(home, ignore_errors=True)
