"""Load the history of a connection, with settings resolved: where results lie, and in how many processes they go in."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from isthmus.flows.backfill import wall
from isthmus.flows.backfill.ahead import Ahead, ahead
from isthmus.flows.backfill.load import backfill
from isthmus.flows.backfill.progress import Progress
from isthmus.flows.backfill.wall import Wall
from isthmus.runtime.app import App
from isthmus.runtime.crew import Crew

LOOK_EVERY = timedelta(seconds=2)


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
            app.db,
            app.road(name),
            stores,
            kinds,
            folder=spool(app),
            since=since,
            again=again,
            bring=crew.bring,
            tell=tell,
        )


def walls(app: App, name: str, stores: Sequence[str]) -> list[Wall]:
    """How many orders each store has, and how many of them can be seen."""
    return [wall.look(app.road(name), store) for store in stores]


def sending(app: App, name: str) -> Callable[[], Ahead]:
    """Something to ask again and again what is still to be sent; it looks at most every two seconds."""
    last: list[Ahead] = []

    def look() -> Ahead:
        if not last or app.clock.now() - last[0].at >= LOOK_EVERY:
            last[:] = [ahead(app.db, app.road(name), last[0] if last else None)]
        return last[0]

    return look


def to_send(app: App, name: str) -> Ahead:
    """What is still to be sent now."""
    return ahead(app.db, app.road(name))


def spool(app: App) -> Path:
    """Where the results of bulk operations lie while they go in."""
    settings = app.settings
    return settings.backfill.spool_dir or settings.database.data_dir / "spool"
