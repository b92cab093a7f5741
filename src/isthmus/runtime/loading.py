"""Load the history of a connection, with settings resolved: where results lie, and in how many processes they go in."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from isthmus.flows.backfill.load import backfill
from isthmus.flows.backfill.progress import Progress
from isthmus.runtime.app import App
from isthmus.runtime.crew import Crew


def load(
    app: App,
    name: str,
    stores: Sequence[str],
    kinds: Sequence[str],
    *,
    since: datetime | None,
    again: bool,
    tell: Callable[[Progress], None],
) -> list[Progress]:
    """Load these kinds of these stores; how each ended."""
    with Crew(app, name) as crew:
        return backfill(
            app.db, app.road(name), stores, kinds,
            folder=spool(app), since=since, again=again, bring=crew.bring, tell=tell,
        )  # fmt: skip


def spool(app: App) -> Path:
    """Where the results of bulk operations lie while they go in."""
    settings = app.settings
    return settings.backfill.spool_dir or settings.database.data_dir / "spool"
