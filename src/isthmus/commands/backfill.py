"""Load the history of a connection, with settings resolved: where results lie, and in how many processes they go in."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from isthmus.app.context import App
from isthmus.app.import_workers import ImportWorkers
from isthmus.flows.backfill import order_history_limit
from isthmus.flows.backfill.eta import Ahead, estimate
from isthmus.flows.backfill.load import backfill
from isthmus.flows.backfill.order_history_limit import OrderReach
from isthmus.flows.backfill.progress import Progress

CHECK_EVERY = timedelta(seconds=2)


def run_backfill(
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
    with ImportWorkers(app, name) as crew:
        return backfill(
            app.db,
            app.context(name),
            stores,
            kinds,
            folder=spool_folder(app),
            since=since,
            again=again,
            bring=crew.bring,
            tell=tell,
        )


def order_history_limits(app: App, name: str, stores: Sequence[str]) -> list[OrderReach]:
    """How many orders each store has, and how many of them can be seen."""
    return [order_history_limit.read_order_reach(app.context(name), store) for store in stores]


def backlog_estimator(app: App, name: str) -> Callable[[], Ahead]:
    """Something to ask again and again what is still to be sent; it looks at most every two seconds."""
    last: list[Ahead] = []

    def look() -> Ahead:
        if not last or app.clock.now() - last[0].at >= CHECK_EVERY:
            last[:] = [estimate(app.db, app.context(name), last[0] if last else None)]
        return last[0]

    return look


def read_backlog_estimate(app: App, name: str) -> Ahead:
    """What is still to be sent now."""
    return estimate(app.db, app.context(name))


def spool_folder(app: App) -> Path:
    """Where the results of bulk operations lie while they go in."""
    settings = app.settings
    return settings.backfill.spool_dir or settings.database.data_dir / "spool"
