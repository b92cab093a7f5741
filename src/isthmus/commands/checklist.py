"""Evaluate the operating checklist of a connection, with settings and the machine at hand."""

import shutil

from msgspec import Struct

from isthmus.app.context import App
from isthmus.commands import check_config_changes
from isthmus.config_changes.result import CheckOutcome
from isthmus.ops.alerting_queries.facts import Setup, gather_facts
from isthmus.ops.checklist import LISTS, ChecklistLine, evaluate_checklist

REACHED_BY = "storefront.moved"
"""The verdict that only a store that answered can have."""


class Checklist(Struct, frozen=True):
    """Every line, the most urgent first, and the stores that could not be reached."""

    lines: list[ChecklistLine]
    unreached: list[str]


def run_checklist(app: App, name: str, which: str) -> Checklist:
    """Go through the daily or the monthly list; the daily one looks at Shopify and Ometria first."""
    unreached: list[str] = []
    if which == "daily":
        verdicts = check_config_changes.check_config_changes(app, name)
        unreached = [
            one.store for one in verdicts if one.code == REACHED_BY and one.answer is CheckOutcome.COULD_NOT_LOOK
        ]
    return Checklist(
        evaluate_checklist(LISTS[which], gather_facts(app.db, name, app.clock.now(), _setup(app, name))), unreached
    )


def _setup(app: App, name: str) -> Setup:
    config = app.connected(name).config
    settings = app.settings
    keep = settings.retention
    disk = None
    if settings.database.address() is None:
        usage = shutil.disk_usage(settings.database.data_dir)
        disk = (usage.free, usage.total)
    return Setup(
        versions={store.name: store.api_version for store in config.stores},
        by_api=tuple(store.name for store in config.stores if store.subscriptions == "api"),
        poll_every=config.lanes.poll_every,
        enrichment_every=config.lanes.enrichment_every,
        retention={"events": keep.events, "attempts": keep.attempts, "cases": keep.cases},
        is_told=settings.notify.url is not None,
        disk=disk,
        trouble=app.trouble(name),
    )
