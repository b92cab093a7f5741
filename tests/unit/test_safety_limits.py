"""How much may change by inference or by our own rules before a person must look."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from isthmus.safety.earlier import restrict_to_fields
from isthmus.safety.final import FINAL
from isthmus.safety.limits import ChangeGroup, PlanCause, Recent, change_limit, count_within_limit, reason_to_stop

SHARE = 0.005


def group(**changed: object) -> ChangeGroup:
    known = {"store": "uk", "kind": "customer", "cause": PlanCause.ABSENCE, "n": 1, "n_sent": 100}
    return ChangeGroup(**(known | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("n_sent", "most"), [(0, 5), (100, 5), (1_000, 5), (1_199, 5), (1_200, 6), (1_400, 7), (40_000, 200)]
)
def test_the_limit_is_five_or_the_share_of_what_was_sent(n_sent: int, most: int) -> None:
    assert change_limit(n_sent, SHARE) == most
    assert reason_to_stop(group(n=most, n_sent=n_sent), SHARE) is None
    assert reason_to_stop(group(n=most + 1, n_sent=n_sent), SHARE) is not None


def test_what_changed_lately_counts_in_each_window() -> None:
    assert reason_to_stop(group(n=2, recent=(Recent(3), Recent(3))), SHARE) is None
    day = reason_to_stop(group(n=3, recent=(Recent(3), Recent(3))), SHARE)
    assert day is not None
    assert "24 hours" in day
    week = reason_to_stop(group(n=1, recent=(Recent(0), Recent(5))), SHARE)
    assert week is not None
    assert "7 days" in week


def test_nothing_to_change_never_stops() -> None:
    assert reason_to_stop(group(n=0, recent=(Recent(99), Recent(99))), SHARE) is None


def test_more_than_three_orders_over_one_percent_of_the_net_stop() -> None:
    orders = group(kind="order", n=4, n_sent=10_000, net_mills=10_001, net_90d_mills=1_000_000)
    why = reason_to_stop(orders, SHARE)
    assert why is not None
    assert "1%" in why
    assert reason_to_stop(replace(orders, net_mills=10_000), SHARE) is None
    assert reason_to_stop(replace(orders, n=3), SHARE) is None
    assert reason_to_stop(replace(orders, kind="product"), SHARE) is None


def test_orders_that_changed_before_count_with_their_money() -> None:
    orders = group(kind="order", n=1, n_sent=10_000, net_mills=2_000, net_90d_mills=1_000_000)
    assert reason_to_stop(replace(orders, recent=(Recent(3, 9_000), Recent(3, 9_000))), SHARE) is not None
    assert reason_to_stop(replace(orders, recent=(Recent(2, 9_000), Recent(2, 9_000))), SHARE) is None


def test_event_by_event_the_first_pass_and_the_rest_stop() -> None:
    assert count_within_limit(group(), [0] * 20, SHARE) == 5
    assert count_within_limit(group(recent=(Recent(4), Recent(4))), [0] * 20, SHARE) == 1
    assert count_within_limit(group(recent=(Recent(5), Recent(5))), [0], SHARE) == 0
    orders = group(kind="order", n_sent=10_000, net_90d_mills=1_000_000)
    assert count_within_limit(orders, [4_000] * 20, SHARE) == 3
    assert count_within_limit(orders, [1_000] * 20, SHARE) == 10


def test_only_merges_and_custom_events_are_final() -> None:
    assert set(FINAL) == {"merge", "custom_event"}
    assert all(FINAL.values())


def test_the_platforms_record_is_kept_in_the_fields_that_we_send() -> None:
    ours = {
        "@type": "order", "id": "uk:1", "status": "complete", "note": "x", "customer": {"email": "a@b.example"},
        "lineitems": [{"sku": "a", "quantity": 1}, {"sku": "b", "total": 2}], "tax": 2.5,
    }  # fmt: skip
    theirs = {
        "@type": "stored", "id": "uk:1", "status": "odd", "internal": 7, "tax": "3.10",
        "customer": {"email": "c@d.example", "profile": 9}, "lineitems": [{"sku": "z", "quantity": 3, "seq": 1}],
    }  # fmt: skip
    assert restrict_to_fields(ours, theirs) == {
        "@type": "order", "id": "uk:1", "status": "odd", "note": None, "customer": {"email": "c@d.example"},
        "lineitems": [{"sku": "z", "quantity": 3, "total": None}], "tax": Decimal("3.10"),
    }  # fmt: skip
