"""Carry a takeover out for a stored connection."""

from collections.abc import Callable

from isthmus.app.context import App
from isthmus.flows.reconcile.run_context import RunProgress
from isthmus.flows.takeover.apply_decision import run_takeover
from isthmus.flows.takeover.forecast import Forecast, forecast_going_live


def take_over(app: App, name: str, *, dry_run: bool, tell: Callable[[RunProgress], None]) -> Forecast:
    """List and match; with `dry_run` only tell what follows from what was listed before."""
    context = app.context(name)
    return forecast_going_live(app.db, context) if dry_run else run_takeover(app.db, context, tell=tell)
