"""History by bulk operations: all of it, once, behind everything else, and nothing of it is ever an occasion."""

import pytest

from isthmus.db.pool import Database
from scenes import Town
from sims.neighbourhood import Sizes


@pytest.fixture
def town(database: Database) -> Town:
    return Town(database, sizes=Sizes(customers=20, orders=40, products=6))


def test_a_load_brings_everything_and_both_sides_are_equal(town: Town) -> None:
    done = town.backfill()
    assert {(one.store, one.kind) for one in done} == {
        (store, kind) for store in town.road.shops for kind in ("product", "customer", "order")
    }
    assert all(one.is_done and not one.is_failed and one.n == one.total for one in done)
    town.come_to_rest()
    assert town.compare().differences == ()
    assert town.compare().n_equal["order"] > 0
