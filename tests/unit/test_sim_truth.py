"""The truth a checker reads about the simulated store."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from sims.clock import SimClock
from sims.shopify import truth, world
from sims.shopify.state import World

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def made() -> World:
    return world.build(3, 60, 200, 60, SimClock(NOW, 0.0))


@pytest.mark.parametrize("kind", sorted(truth.KINDS))
def test_every_kind_is_plain_json_with_an_id(made: World, kind: str) -> None:
    told = truth.truth(made, "acme-int.myshopify.com", kind)
    assert json.loads(json.dumps(told)) == told
    assert all(isinstance(one["id"], int) for one in told)


def test_a_store_is_found_by_domain_and_by_short_name(made: World) -> None:
    assert truth.truth(made, "uk", "orders") == truth.truth(made, "acme-uk.myshopify.com", "orders")


def test_orders_tell_their_money_to_the_penny(made: World) -> None:
    for one in truth.truth(made, "uk", "orders"):
        assert Decimal(one["net_payment"]) == Decimal(one["received"]) - Decimal(one["refunded"])
        assert Decimal(one["outstanding"]) == Decimal(one["current_total"]) - Decimal(one["net_payment"])
        assert Decimal(one["total"]).as_tuple().exponent == -2


def test_an_unknown_kind_is_an_error(made: World) -> None:
    with pytest.raises(KeyError):
        truth.truth(made, "uk", "weather")
