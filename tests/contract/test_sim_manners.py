"""Answers that come late, a byte at a time or nested without end: what the client makes of the simulators' own."""

import pytest

from sims import manners
from sims.faults import Faults
from sims.wire import Response


@pytest.fixture
def faults() -> Faults:
    made = Faults()
    made.declare(manners.knobs("shopify"))
    return made


def test_an_answer_is_as_it_was_where_nothing_strikes(faults: Faults) -> None:
    answer = Response(200, {"A": "b"}, b"{}")
    assert manners.carried(faults, "shopify", answer) is answer


def test_what_strikes_changes_how_an_answer_comes(faults: Faults) -> None:
    faults.set({"shopify.p_late": 1.0, "shopify.late_by": 3.0, "shopify.p_drip": 1.0})
    got = manners.carried(faults, "shopify", Response(200, {}, b"{}"))
    assert (got.body, got.late, got.drip) == (b"{}", 3.0, 1.0)
    assert faults.injected == {"shopify.p_late": 1, "shopify.p_drip": 1}


def test_a_body_nested_without_end_is_valid_json_of_nothing(faults: Faults) -> None:
    faults.set({"shopify.p_deep_json": 1.0})
    body = manners.carried(faults, "shopify", Response(200)).body
    assert body.count(b"[") == body.count(b"]") == manners.DEEP == len(body) // 2
