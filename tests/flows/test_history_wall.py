"""The 60-day wall: before a load, how many orders exist and how many of them can be seen."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from isthmus.db.pool import Database
from isthmus.flows.backfill.eta import estimate
from isthmus.flows.backfill.order_history_limit import assess_order_reach, read_order_reach
from isthmus.shopify.bulk import Edge, Reach
from scenes import AT, Town
from sims.neighbourhood import Sizes


def test_f73_orders_behind_the_wall_are_told_before_the_load(database: Database) -> None:
    """F73: without read_all_orders the shop counts only what can be seen; the newest number says how many there are."""
    town = Town(database, sizes=Sizes(customers=10, orders=40, products=4))
    open_door = read_order_reach(town.context, "uk")
    assert (open_door.sees_all, open_door.n_visible) == (True, len(town.sims.store("uk").orders))
    assert open_door.line == f"uk: {open_door.n_visible} orders, all there are"
    town.sims.faults.set({"shopify.dropped_scopes": "read_all_orders"})
    shut = read_order_reach(town.context, "uk")
    assert not shut.sees_all
    assert shut.n_visible < open_door.n_visible
    assert shut.n_there == open_door.n_visible
    assert shut.oldest_at is not None
    assert shut.oldest_at > AT - timedelta(days=61)
    assert "read_all_orders" in shut.line
    (done,) = [one for one in town.backfill(["order"]) if one.store == "uk"]
    assert (done.n, done.total) == (shut.n_visible, shut.n_visible)


@pytest.mark.parametrize(
    ("newest", "n_there"),
    [("#5012", 4012), ("SO-2026", 1026), ("EN1005UK", None), ("#gold", None), (None, None)],
)
def test_what_cannot_be_known_is_not_said(newest: str | None, n_there: int | None) -> None:
    told = assess_order_reach("uk", Reach(n_visible=900, sees_all=False, oldest=Edge(AT, "#4200"), newest=newest))
    assert told.n_there == n_there
    assert ("nobody tells" in told.line) == (n_there is None)


def test_the_end_of_sending_is_foretold_by_the_accounts_own_limit(database: Database) -> None:
    town = Town(database, sizes=Sizes(customers=10, orders=40, products=4))
    town.backfill()
    first = estimate(town.db, town.context)
    assert first.n_due > 50
    assert first.takes == timedelta(seconds=first.n_due / (100 * town.context.pace.push_per_second))
    town.come_to_rest()
    second = estimate(town.db, town.context, first)
    assert second.n_due == 0
    assert second.used is not None
    assert 0 < second.used <= 1
    assert "0 to send" in second.line


def test_in_shadow_mode_nothing_is_forecast_to_be_sent(database: Database) -> None:
    town = Town(database, sizes=Sizes(customers=10, orders=40, products=4))
    town.backfill()
    shadow = estimate(town.db, replace(town.context, is_live=False))
    assert shadow.n_due > 50
    assert shadow.line == f"nothing is sent in shadow mode ({shadow.n_due} would be)"
    assert "done about" in estimate(town.db, town.context).line
