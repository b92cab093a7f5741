"""The database at the version that this isthmus needs."""

from isthmus.db import migrate as migrations
from isthmus.db.migrate import wanted as wanted
from isthmus.flows.prune import make_days
from isthmus.runtime import tasks
from isthmus.runtime.app import App


def migrate(app: App) -> tuple[list[str], int]:
    """Apply what is missing; the names of what was applied, and the version reached."""
    applied = migrations.migrate(app.db)
    make_days(app.db, app.clock.now())
    if tasks.install(app.db):
        applied.append("the job engine's own tables")
    return applied, migrations.current(app.db)


def is_current(app: App) -> bool:
    """Whether nothing is missing."""
    return migrations.current(app.db) == wanted() and tasks.is_installed(app.db)
