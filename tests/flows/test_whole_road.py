"""From a seeded merchant to an equal platform, in one process with a clock that only moves when told."""

import pytest

from isthmus.db.pool import Database
from scenes import Town


@pytest.fixture
def town(database: Database) -> Town:
    return Town(database)


def test_a_loaded_store_is_equal_on_both_sides(town: Town) -> None:
    town.load()
    town.come_to_rest()
    found = town.compare()
    assert found.differences == ()
    assert sum(found.n_equal.values()) > 30


def test_a_life_told_by_webhooks_ends_equal_on_both_sides(town: Town) -> None:
    town.load()
    town.come_to_rest()
    for _ in range(15):
        town.sims.live(4)
        town.pass_time(3)
        town.work()
    town.come_to_rest()
    assert town.compare().differences == ()
