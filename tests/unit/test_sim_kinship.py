"""Accounts of one human, and humans who look like one: sown silently, labelled, the same for the same seed."""

from datetime import UTC, datetime

import msgspec
import pytest

from sims.clock import SimClock
from sims.control import Control
from sims.neighbourhood import Neighbourhood, Sizes
from sims.shopify import kinship, truth
from sims.wire import Request


def town() -> Neighbourhood:
    made = Neighbourhood(SimClock(datetime(2026, 11, 23, 9, 0, tzinfo=UTC), rate=0), 3, Sizes(120, 0, 3))
    made.subscribe("uk", "https://x.example/hooks", ["customers/create", "customers/update"])
    return made


def test_nothing_that_is_sown_fires_a_webhook() -> None:
    made = town()
    assert made.tie(1)
    assert not made.deliveries.pending


def test_the_same_seed_ties_the_same() -> None:
    assert town().tie(1, 2) == town().tie(1, 2)
    assert town().tie(1) != town().tie(2)


@pytest.mark.parametrize("sort", [*kinship.ONE_HUMAN, *kinship.SEVERAL])
def test_the_truth_tells_who_is_who(sort: str) -> None:
    made = town()
    (tie,) = made.tie(1, sorts=[sort])
    humans = {
        (domain, one["id"]): one["human"]
        for domain in made.world.stores
        for one in truth.truth(made.world, domain, "customers")
    }
    assert (len({humans[account] for account in tie.accounts}) == 1) is tie.is_one is (sort in kinship.ONE_HUMAN)
    assert len(tie.accounts) >= 2


def test_an_address_and_a_number_are_still_one_customers_in_a_store() -> None:
    """Shopify keeps both unique, so twins of one store differ in them."""
    made = town()
    made.tie(1, 2)
    for store in made.world.stores.values():
        emails = [one.email.strip().lower() for one in store.customers.values() if one.email]
        phones = [one.phone for one in store.customers.values() if one.phone]
        assert len(emails) == len(set(emails))
        assert len(phones) == len(set(phones))


def test_the_control_path_answers_with_labels() -> None:
    body = msgspec.json.encode({"seed": 1, "sorts": ["plus_tag", "family_number"]})
    told = Control(town()).handle(Request("POST", "/_sim/ties", {}, {}, body)).json()
    assert [(one["sort"], one["is_one"], len(one["accounts"])) for one in told["items"]] == [
        ("plus_tag", True, 2), ("family_number", False, 2),
    ]  # fmt: skip
