"""What trouble with an order holds its owner, which is told, and when it is over."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from isthmus.mapping import service_hold
from isthmus.mapping.rules import DEFAULT_HOLD, Rules
from isthmus.model.order import Amount, Fulfilment, Order, Refund, Return
from isthmus.model.service_hold import ServiceHoldState

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
RULES = Rules(store="uk", namespace="uk:", domain="acme-uk.myshopify.com", currency="GBP")
TEN = Amount(Decimal("10.00"), Decimal("10.00"))
NO_MONEY = Amount(Decimal(0), Decimal(0))


def ago(**time: float) -> datetime:
    return NOW - timedelta(**time)


def order(**changed: Any) -> Order:
    made = Order(
        id=1, name="#1", created_at=ago(days=60), processed_at=ago(days=60), updated_at=NOW, currency="GBP",
        presentment_currency="GBP", total=TEN, current_total=TEN, outstanding=Decimal(0), lines=(),
        financial_status="PAID",
    )  # fmt: skip
    return msgspec.structs.replace(made, **changed)


def parcel(n: int = 1, **changed: Any) -> Fulfilment:
    made = Fulfilment(id=n, status="success", created_at=ago(days=20 - n), updated_at=ago(days=1))
    return msgspec.structs.replace(made, **changed)


def refund(at: datetime, returned: Amount = TEN) -> Refund:
    return Refund(id=1, created_at=at, returned=returned)


def back(status: str, at: datetime | None) -> Return:
    return Return(id=1, status=status, created_at=at)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, None),
        ({"cancelled_at": ago(days=1)}, ("cancelled", 6)),
        ({"cancelled_at": ago(days=7)}, None),
        ({"cancelled_at": ago(days=1), "is_test": True}, None),
        ({"refunds": (refund(ago(days=2)),)}, ("refund", 5)),
        ({"refunds": (refund(ago(days=8)),)}, None),
        ({"refunds": (refund(ago(days=2), NO_MONEY),)}, ("refund", 5)),  # asked for, and not moved yet
        ({"refunds": (refund(ago(days=2), NO_MONEY),), "financial_status": "PENDING"}, None),  # took units off it
        ({"returns": (back("requested", ago(days=3)),)}, ("return", 27)),
        ({"returns": (back("open", ago(days=3)),)}, ("return", 27)),
        ({"returns": (back("open", ago(days=31)),)}, None),
        ({"returns": (back("open", None),), "created_at": ago(days=4)}, ("return", 26)),
        *(({"returns": (back(over, ago(days=1)),)}, None) for over in ("closed", "declined", "canceled")),
        *(
            ({"fulfilments": (parcel(shipment=word),)}, ("fulfilment", 13))
            for word in ("delayed", "failure")
        ),
        *(({"fulfilments": (parcel(status=word),)}, ("fulfilment", 13)) for word in ("error", "failure")),
        *(({"fulfilments": (parcel(shipment=word),)}, None) for word in (None, "in_transit", "delivered")),
        ({"fulfilments": (parcel(shipment="delayed", status="cancelled"),)}, None),
        ({"fulfilments": (parcel(shipment="delayed", updated_at=ago(days=14)),)}, None),
        ({"fulfilments": (parcel(1, shipment="failure"), parcel(2, shipment="delivered"))}, None),
        ({"fulfilments": (parcel(1, shipment="delivered"), parcel(2, shipment="failure"))}, ("fulfilment", 13)),
        ({"fulfilments": (parcel(1, shipment="failure"), parcel(2, shipment="in_transit"))}, ("fulfilment", 13)),
        # The one that lasts longest; of two that end together the first by name of REASONS.
        ({"cancelled_at": ago(days=1), "refunds": (refund(ago(days=1)),)}, ("cancelled", 6)),
        ({"cancelled_at": ago(hours=1), "refunds": (refund(ago(days=1)),)}, ("cancelled", 7 - 1 / 24)),
        ({"returns": (back("open", ago(days=29)),), "refunds": (refund(ago(days=1)),)}, ("refund", 6)),
    ],
)  # fmt: skip
def test_what_holds_and_how_long(changed: dict[str, Any], expected: tuple[str, float] | None) -> None:
    wanted = None if expected is None else ServiceHoldState(expected[0], NOW + timedelta(days=expected[1]))
    assert service_hold.hold_of_order(order(**changed), RULES, NOW) == wanted


def test_who_deletes_an_order_ends_its_trouble() -> None:
    cancelled = order(cancelled_at=ago(days=1))
    assert service_hold.hold_of_order(cancelled, RULES, NOW, is_deleted=True) is None


def test_a_trouble_that_is_switched_off_holds_nobody() -> None:
    rules = msgspec.structs.replace(RULES, hold_for={"cancelled": timedelta(hours=30)})
    both = order(cancelled_at=ago(days=1), refunds=(refund(ago(hours=1)),))
    assert service_hold.hold_of_order(both, rules, NOW) == ServiceHoldState("cancelled", NOW + timedelta(hours=6))
    assert service_hold.hold_of_order(both, msgspec.structs.replace(RULES, hold_for={}), NOW) is None


def test_it_is_over_at_its_last_second_and_told_in_whole_ones() -> None:
    cancelled = order(cancelled_at=ago(days=7, microseconds=-1500))
    assert service_hold.hold_of_order(cancelled, RULES, NOW) is None  # less than a second is left
    cancelled = order(cancelled_at=ago(days=7, seconds=-2, microseconds=-5))
    assert service_hold.hold_of_order(cancelled, RULES, NOW) == ServiceHoldState(
        "cancelled", NOW + timedelta(seconds=2)
    )


def test_every_trouble_has_its_time_by_default() -> None:
    assert set(DEFAULT_HOLD) == set(service_hold.REASONS)
