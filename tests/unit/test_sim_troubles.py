"""Troubles sown into the simulated APIs: silent, labelled, the same for the same seed."""

from datetime import UTC, datetime

import msgspec
import pytest

from sims.clock import SimClock
from sims.control import Control
from sims.neighbourhood import Neighbourhood, Sizes
from sims.ometria import dump
from sims.shopify.troubles import SORTS
from sims.wire import Request


def town() -> Neighbourhood:
    made = Neighbourhood(SimClock(datetime(2026, 11, 23, 9, 0, tzinfo=UTC), rate=0), 3, Sizes(150, 100, 60))
    made.subscribe("uk", "https://x.example/hooks", ["customers/update", "orders/updated", "products/update"])
    return made


def test_nothing_that_is_sown_fires_a_webhook():
    made = town()
    assert {one.sort for one in made.sow(1)} >= {"duplicate_email", "no_sku", "guest_orders"}
    assert not made.deliveries.pending


def test_the_same_seed_sows_the_same():
    assert town().sow(1, 2) == town().sow(1, 2)
    assert town().sow(1) != town().sow(2)


@pytest.mark.parametrize("sort", SORTS)
def test_a_sort_hits_records_that_are_there(sort: str):
    made = town()
    (one,) = made.sow(1, sorts=[sort])
    if one.sort != "tag_spelling":
        there = {str(number) for store in made.world.stores.values() for number in getattr(store, one.kind)}
        assert set(one.ids) <= there


def test_consent_is_set_apart_only_for_people_the_platform_knows():
    made = town()
    assert made.sow(1, sorts=["consent_against_will"]) == []
    made.ometria.turn({"native_importer": True})
    made.import_natively()
    (one,) = made.sow(1, sorts=["consent_against_will"])
    (store,) = [store for store in made.world.stores.values() if int(one.ids[0]) in store.customers]
    customer = store.customers[int(one.ids[0])]
    assert customer.email_consent.state == "UNSUBSCRIBED"
    (profile,) = [one for one in dump.items(made.ometria.account, "profiles") if one["email"] == customer.email]
    assert profile["marketing_optin"] == "EXPLICITLY_OPTEDIN"


def test_the_control_path_answers_with_labels():
    body = msgspec.json.encode({"seed": 1, "each": 2, "sorts": ["no_email"]})
    told = Control(town()).handle(Request("POST", "/_sim/troubles", {}, {}, body)).json()
    assert [(one["sort"], one["kind"], len(one["ids"])) for one in told["items"]] == [("no_email", "customers", 1)] * 2
