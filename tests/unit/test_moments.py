"""Which parcels travel, what waits for a reading, what an import tells, and what a contact says of somebody gone."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from isthmus.mapping import contact, custom_event
from isthmus.mapping.rules import CUSTOM_EVENTS, Rules
from isthmus.model.customer import ChannelConsent, Customer
from isthmus.model.lane import Lane
from isthmus.model.order import Address, Amount, Fulfilment, Order

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TEN = Amount(Decimal("10.00"), Decimal("10.00"))
RULES = Rules(
    store="uk", namespace="uk:", domain="acme-uk.myshopify.com", currency="GBP", live_since=NOW - timedelta(days=30),
    event_names=dict(zip(CUSTOM_EVENTS, CUSTOM_EVENTS, strict=True)), event_max_age=timedelta(days=2),
)  # fmt: skip
SOMEWHERE = Address(city="London")


def order(*parcels: Fulfilment, **changed: Any) -> Order:
    made = Order(
        id=1, name="#1", created_at=NOW - timedelta(hours=1), processed_at=NOW - timedelta(hours=1), updated_at=NOW,
        currency="GBP", presentment_currency="GBP", total=TEN, current_total=TEN, outstanding=Decimal(0), lines=(),
        financial_status="PAID", email="ada@example.com", customer_id=7, shipping_method="Post",
        shipping_address=SOMEWHERE, fulfilments=parcels,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changed)


def parcel(number: int = 1, **changed: Any) -> Fulfilment:
    at = NOW - timedelta(minutes=10 - number)
    made = Fulfilment(id=number, status="success", created_at=at, updated_at=at, delivery="SHIPPING")
    return msgspec.structs.replace(made, **changed)


def told(placed: Order, **asked: Any) -> dict[str, str | None]:
    """The moments of an order by their ids, each with why it must not fire."""
    return {write.id: write.excluded for write in custom_event.events_of_order(placed, RULES, NOW, **asked)}


@pytest.mark.parametrize(
    ("delivery", "address", "method", "needs_shipping", "expected"),
    [
        ("SHIPPING", SOMEWHERE, "Post", True, True),
        ("LOCAL", SOMEWHERE, None, True, True),
        ("PICKUP_POINT", None, "Point", True, True),
        ("PICK_UP", SOMEWHERE, "Post", True, False),
        ("RETAIL", SOMEWHERE, "Post", True, False),
        ("SHIPPING", SOMEWHERE, "Post", False, False),
        ("SHIPPING", None, None, True, False),
        (None, SOMEWHERE, "Post", True, None),
        (None, SOMEWHERE, None, True, None),
        (None, None, None, True, False),
        (None, SOMEWHERE, "Post", False, False),
        (custom_event.UNREADABLE, SOMEWHERE, "Post", True, True),
        (custom_event.UNREADABLE, SOMEWHERE, None, True, False),
        (custom_event.UNREADABLE, None, "Post", True, False),
    ],
)
def test_what_travels(
    delivery: str | None, address: Address | None, method: str | None, *, needs_shipping: bool, expected: bool | None
) -> None:
    one = parcel(delivery=delivery, requires_shipping=needs_shipping)
    placed = order(one, shipping_address=address, shipping_method=method)
    assert custom_event.travels(placed, one) is expected
    assert ("uk:fulfilment-1-shipped" in told(placed)) is (expected is True)  # what has to be read is told after that


def test_only_what_travels_is_a_moment_and_what_is_recalled_ends_nothing() -> None:
    parcels = (
        parcel(1, status="cancelled", shipment="delivered"),
        parcel(2, shipment="delivered"),
        parcel(3, delivery="PICK_UP", shipment="ready_for_pickup"),
        parcel(4, delivery="RETAIL", shipment="delivered"),
        parcel(5, status="failure", shipment="delayed"),
        parcel(6, delivery=None),
    )
    assert set(told(order(*parcels))) == {
        "uk:fulfilment-2-shipped", "uk:fulfilment-2-delivered", "uk:fulfilment-3-ready_for_pickup",
        "uk:fulfilment-5-failure", "uk:fulfilment-5-delayed",
    }  # fmt: skip


def test_what_happened_to_a_parcel_of_which_nobody_said_how_it_travels_is_pending() -> None:
    first = parcel(1, delivery=None, shipment="delivered")
    placed = order(first, parcel(2))
    found = custom_event.mark_undecided(placed, None, RULES, NOW)
    assert [one.pending for one in found.fulfilments] == [("fulfilment-1-shipped", "fulfilment-1-delivered"), ()]
    # What was pending is told once it is read, though the state before showed it.
    read = msgspec.structs.replace(first, delivery="SHIPPING")
    assert set(told(order(read, parcel(2)), was=found)) == {"uk:fulfilment-1-shipped", "uk:fulfilment-1-delivered"}
    assert told(order(read, parcel(2)), was=order(read, parcel(2))) == {}


@pytest.mark.parametrize(
    ("placed", "was", "rules"),
    [
        (order(parcel(delivery=None), is_test=True), None, RULES),
        (order(parcel()), None, RULES),  # it is known how it travels
        (order(parcel(delivery=None)), order(parcel(delivery=None)), RULES),  # told before
        (order(parcel(delivery=None, status="pending")), None, RULES),
        (order(parcel(delivery=None)), None, msgspec.structs.replace(RULES, live_since=NOW)),
        (order(parcel(delivery=None)), None, msgspec.structs.replace(RULES, event_names=dict.fromkeys(CUSTOM_EVENTS))),
        (order(parcel(delivery=None, created_at=NOW - timedelta(days=3))), None, RULES),
    ],
)
def test_nothing_is_pending_of_what_could_not_be_an_event(placed: Order, was: Order | None, rules: Rules) -> None:
    assert custom_event.mark_undecided(placed, was, rules, NOW) is placed


@pytest.mark.parametrize(
    ("placed_before", "happened_after", "why"),
    [
        (timedelta(days=2), timedelta(), None),
        (timedelta(days=2, seconds=1), timedelta(), "told by the import of the order"),
        (timedelta(days=400), timedelta(hours=23, minutes=59), "told by the import of the order"),
        (timedelta(days=400), timedelta(hours=24), None),
    ],
)
def test_what_an_import_tells_is_none_of_its_first_day(
    placed_before: timedelta, happened_after: timedelta, why: str | None
) -> None:
    created = NOW - timedelta(hours=25)
    sent = parcel(created_at=created + happened_after)
    placed = order(sent, created_at=created, processed_at=created - placed_before)
    assert told(placed) == {"uk:fulfilment-1-shipped": why}


@pytest.mark.parametrize(
    ("at", "why"),
    [
        (NOW - timedelta(days=2), None),
        (NOW - timedelta(days=2, seconds=1), "older than 2d"),
        (NOW - timedelta(days=31), "before going live"),
    ],
)
def test_how_old_a_moment_may_be(at: datetime, why: str | None) -> None:
    assert told(order(parcel(created_at=at))) == {"uk:fulfilment-1-shipped": why}


def test_a_moment_of_the_second_of_going_live_is_one() -> None:
    rules = msgspec.structs.replace(RULES, event_max_age=timedelta(days=60))
    assert rules.live_since is not None
    for at, why in ((rules.live_since, None), (rules.live_since - timedelta(seconds=1), "before going live")):
        (write,) = custom_event.events_of_order(order(parcel(created_at=at)), rules, NOW)
        assert write.excluded == why


def test_a_moment_is_of_its_order() -> None:
    placed = order(cancelled_at=NOW, cancel_reason=None)
    (write,) = custom_event.events_of_order(placed, RULES, NOW, person="uk:7")
    said = msgspec.json.decode(write.body or b"")
    assert said["properties"] == {"order_id": "uk:1", "order_name": "#1"}
    (write,) = custom_event.events_of_order(msgspec.structs.replace(placed, cancel_reason="FRAUD"), RULES, NOW)
    assert msgspec.json.decode(write.body or b"")["properties"]["reason"] == "fraud"


YES = ChannelConsent("SUBSCRIBED", updated_at=NOW)


@pytest.mark.parametrize(
    ("asked", "optin", "sms", "forced"),
    [
        ({}, "EXPLICITLY_OPTEDOUT", False, None),
        ({"has_heir": True}, "NOT_SPECIFIED", False, None),  # nobody has the number
        ({"has_heir": True, "has_heir_of_phone": True}, "NOT_SPECIFIED", None, None),
        ({"has_heir_of_phone": True}, "EXPLICITLY_OPTEDOUT", None, None),
        ({"was_forced": True}, "EXPLICITLY_OPTEDOUT", False, True),
        ({"was_forced": True, "has_heir": True}, "NOT_SPECIFIED", False, None),
        ({"was_forced": True, "force": "never"}, "EXPLICITLY_OPTEDOUT", False, None),
        ({"email": None, "sms": None}, "NOT_SPECIFIED", None, None),
        ({"email": None, "sms": None, "was_opted_in": True}, "EXPLICITLY_OPTEDOUT", None, None),
        ({"email": None, "sms": None, "was_opted_in_sms": True}, "NOT_SPECIFIED", False, None),
    ],
)
def test_what_the_contact_of_somebody_gone_says(
    asked: dict[str, Any], optin: str, sms: bool | None, forced: bool | None
) -> None:
    given = {"was_opted_in": False, "has_heir": False, **asked}
    who = Customer(
        7, NOW, NOW, "ada@example.com", "+447911123456", country_code="GB",
        email_consent=given.pop("email", YES), sms_consent=given.pop("sms", YES),
    )  # fmt: skip
    rules = msgspec.structs.replace(RULES, force=given.pop("force", "when_refused"))
    write = contact.map_retired_contact(who, "uk:7", rules, Lane.REALTIME, **given)
    said = msgspec.json.decode(write.body or b"")
    allowed = said.get("channels", {}).get("sms", {}).get("allow_marketing")
    assert (said["marketing_optin"], allowed, said.get("@force_optin")) == (optin, sms, forced)
    assert write.is_retired
