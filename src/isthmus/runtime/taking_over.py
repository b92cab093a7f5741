"""Carry a takeover out for a stored connection."""

from collections.abc import Callable

from isthmus.flows.reconcile.held import Step
from isthmus.flows.takeover.carry_out import carry_out
from isthmus.flows.takeover.forecast import Forecast, forecast
from isthmus.runtime.app import App


def take_over(app: App, name: str, *, dry_run: bool, tell: Callable[[Step], None]) -> Forecast:
    """List and match; with `dry_run` only tell what follows from what was listed before."""
    road = app.road(name)
    return forecast(app.db, road) if dry_run else carry_out(app.db, road, tell=tell)
