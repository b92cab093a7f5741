"""From a seeded merchant to an equal platform, in one process with a clock that only moves when told."""

from random import Random

import pytest

from isthmus.db.pool import Database
from isthmus.flows.compare import ERASED
from isthmus.shopify import topics
from scenes import Town
from sims.shopify.life import people


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
    # Rare things, so that each is met whatever the dice say.
    dice = Random(1)
    for store in town.sims.world.stores.values():
        town.sims.subscribe(store.shop.domain, "https://isthmus.example/hooks/shopify", [*topics.COMPLIANCE])
        for deed in (people.an_address_is_emptied, people.a_number_is_taken_back, people.an_erasure_is_asked_for):
            with town.sims.world.lock:
                happened = (deed(town.sims.world, store, dice, town.clock.now()) for _ in range(100))
                town.sims.deliveries.take(next(filter(None, happened)))
            town.pass_time(3)
            town.work()
    town.come_to_rest()
    found = town.compare()
    assert found.differences == ()
    assert found.n_excluded[ERASED] == len(town.sims.world.stores)
