"""The bucket of query points, and what is said when it is empty or a query is too dear."""

from datetime import UTC, datetime, timedelta

import pytest

from admin_api import Admin
from sims.shopify.throttle import Bucket

AT = datetime(2026, 11, 23, tzinfo=UTC)
WIDE = "{ orders(first: 250) { nodes { lineItems(first: 20) { nodes { id } } } } }"
DEAR = "{ orders(first: 250) { nodes { lineItems(first: 250) { nodes { product { variants(first: 250) { nodes { id } } } } } } } }"  # noqa: E501


@pytest.mark.parametrize(("plan", "size", "rate"), [("Standard", 2000, 100), ("Plus", 20000, 1000), ("?", 2000, 100)])
def test_a_plan_has_its_bucket(plan: str, size: int, rate: int) -> None:
    status = Bucket.full(plan, AT).status(AT)
    assert status == {"maximumAvailable": size, "currentlyAvailable": size, "restoreRate": rate}


def test_points_flow_back_and_never_over_the_brim() -> None:
    bucket = Bucket.full("Standard", AT)
    assert bucket.take(2000, AT)
    assert not bucket.take(1, AT)
    assert not bucket.take(151, AT + timedelta(seconds=1.5))
    assert bucket.take(150, AT + timedelta(seconds=1.5))
    assert bucket.status(AT + timedelta(hours=1))["currentlyAvailable"] == 2000


def test_a_clock_set_back_restores_nothing() -> None:
    bucket = Bucket.full("Standard", AT)
    bucket.take(500, AT)
    assert bucket.status(AT - timedelta(hours=1))["currentlyAvailable"] == 1500


def test_what_was_not_used_is_refunded() -> None:
    admin = Admin.open(4, 4, 2)
    cost = admin.ask("{ products(first: 250) { nodes { id } } }")["extensions"]["cost"]
    assert cost["requestedQueryCost"] == 13
    assert cost["actualQueryCost"] < 13
    status = cost["throttleStatus"]
    assert status["currentlyAvailable"] == status["maximumAvailable"] - cost["actualQueryCost"]


def test_an_empty_bucket_says_throttled_with_200_and_without_data() -> None:
    admin = Admin.open(4, 4, 2)
    told = admin.ask(WIDE)
    while "data" in told:
        told = admin.ask(WIDE)
        assert admin.shopify.tape  # a frozen clock restores nothing, so this ends
    assert set(told) == {"errors", "extensions"}
    assert told["errors"] == [
        {
            "message": "Throttled",
            "extensions": {"code": "THROTTLED", "documentation": "https://shopify.dev/api/usage/rate-limits"},
        }
    ]
    cost = told["extensions"]["cost"]
    assert cost["actualQueryCost"] is None
    assert cost["requestedQueryCost"] > cost["throttleStatus"]["currentlyAvailable"]
    admin.clock.advance(20)
    assert "data" in admin.ask(WIDE)


def test_a_query_above_a_thousand_points_is_refused_before_it_runs() -> None:
    admin = Admin.open(4, 4, 2)
    error = admin.ask(DEAR)["errors"][0]
    assert error["extensions"]["code"] == "MAX_COST_EXCEEDED"
    assert error["extensions"]["maxCost"] == 1000
    assert error["message"].startswith(f"Query cost is {error['extensions']['cost']}, which exceeds")


def test_throttling_can_be_told_to_strike() -> None:
    admin = Admin.open(4, 4, 2)
    admin.turn(throttle=1.0)
    assert admin.ask("{ shop { name } }")["errors"][0]["message"] == "Throttled"
    assert admin.shopify.faults.injected["shopify.throttle"] == 1
