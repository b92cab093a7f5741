"""The database at the version that this isthmus needs."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from isthmus.db import migrate as migrations
from isthmus.db import place
from isthmus.db.migrate import SchemaTooOld
from isthmus.db.migrate import wanted as _wanted
from isthmus.flows.prune import make_days
from isthmus.kit.explain import ConfigError
from isthmus.runtime import engine
from isthmus.runtime.app import App
from isthmus.runtime.settings import DatabaseSettings, Settings


@cache
def wanted() -> int:
    """The schema version that this isthmus needs."""
    return _wanted()


def migrate(app: App) -> tuple[list[str], int]:
    """Apply what is missing; the names of what was applied, and the version reached."""
    applied = migrations.migrate(app.db)
    make_days(app.db, app.clock.now())
    applied += engine.migrate(app.db, app.clock.now())
    return applied, migrations.current(app.db)


def is_current(app: App) -> bool:
    """Whether this isthmus can work with the database: nothing is missing, and nothing newer is in the way."""
    try:
        check(app, with_engine=True)
    except (SchemaTooOld, migrations.SchemaTooNew):
        return False
    return True


def check(app: App, *, with_engine: bool = False) -> None:
    """Raise SchemaTooNew or SchemaTooOld where this isthmus cannot work with the database; a role needs the engine."""
    migrations.schema(app.db).check(wanted())
    if with_engine and engine.missing(app.db):
        raise SchemaTooOld("the job engine's tables are older than the engine; run `isthmus migrate`")


def is_installed(settings: Settings) -> bool:
    """Whether there is a database to connect to, or the embedded one was made."""
    if settings.database.address() is not None:
        return True
    home = place.remembered(settings.database.data_dir.absolute())
    return home is not None and (home / "cluster").exists()


def must_be_installed(settings: Settings) -> None:
    """Raise ConfigError where the embedded database was never made: reading must not make an empty one."""
    if not is_installed(settings):
        raise ConfigError(
            f"no installation here: there is no database in {settings.database.data_dir.absolute()}; start the command"
            " where isthmus.toml is, or name that with --config; isthmus serve, migrate and connect make a new one"
        )


@contextlib.contextmanager
def passing(database: DatabaseSettings) -> Iterator[DatabaseSettings]:
    """Settings of an embedded database that is removed at the end."""
    home = Path(tempfile.mkdtemp(prefix="isthmus-dry-run-"))
    home.chmod(0o711)  # root's database server runs as another user, who must get in
    try:
        yield database.model_copy(update={"data_dir": home / "data"})
    finally:
        shutil.rmtree(home, ignore_errors=True)
