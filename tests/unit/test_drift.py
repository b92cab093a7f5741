"""Who is blamed for a difference, what a report may show of it, and when somebody looks for the next."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from isthmus.cases.catalogue import CATALOGUE
from isthmus.drift import mask
from isthmus.drift.attribute import (
    RULES,
    DriftFacts,
    DriftVerdict,
    NoDrift,
    Record,
    Repair,
    SideView,
    attribute_difference,
    cause_of_code,
)
from isthmus.drift.sql.findings import OWN
from isthmus.flows.reconcile import schedule
from isthmus.runs.sql.run_journal import Run

CALM = DriftFacts(
    kind="order",
    id="uk:1",
    store_look=SideView.THERE,
    record=Record.KNOWN,
    state="applied",
    platform_look=SideView.THERE,
)
"""All sides were looked at and agree."""

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def blamed(**changed: Any) -> DriftVerdict | NoDrift:
    return attribute_difference(replace(CALM, **changed))


@pytest.mark.parametrize(
    ("changed", "code", "repair"),
    [
        ({"store_path": "updated_at"}, "integration.missed_change", (Repair.READ,)),
        ({"record": Record.NONE, "state": None}, "integration.missed_change", (Repair.READ,)),
        ({"record": Record.GONE}, "integration.missed_change", (Repair.READ,)),
        ({"store_look": SideView.ABSENT}, "integration.missed_deletion", (Repair.READ,)),
        ({"mapped_path": "status"}, "integration.stale_mapping", (Repair.MAP,)),
        ({"mapped_path": "", "state": None}, "integration.stale_mapping", (Repair.MAP,)),
        ({"is_ours": False}, "integration.left_behind", ()),
        ({"state": "excluded"}, "integration.left_behind", ()),
        ({"store_path": "", "blamed": "storefront.unreadable_record"}, "storefront.unreadable_record", (Repair.READ,)),
        ({"state": "buried", "case_code": "storefront.consent_unknown_state"}, "storefront.consent_unknown_state", ()),
        ({"state": "buried", "case_code": "platform.refused"}, "platform.refused", ()),
        (
            {"state": "buried", "case_code": "platform.not_applied", "platform_look": SideView.ABSENT},
            "platform.not_applied",
            (Repair.SEND,),
        ),
        ({"platform_look": SideView.ABSENT}, "platform.not_applied", (Repair.SEND,)),
        ({"platform_look": SideView.ABSENT, "would_opt_in": True}, "platform.not_applied", ()),
        ({"platform_path": "status"}, "platform.differs", (Repair.SEND,)),
        ({"platform_path": "status", "is_written_later": True}, "platform.overwritten", (Repair.SEND,)),
        ({"platform_path": "marketing_optin", "would_opt_in": True}, "platform.differs", ()),
        ({"state": None, "record": Record.NONE, "store_look": SideView.ABSENT}, "platform.foreign_writer", ()),
        (
            {"state": None, "record": Record.NONE, "store_look": SideView.ABSENT, "twin": "uk:1"},
            "platform.duplicate_order",
            (),
        ),
    ],
)
def test_the_first_step_that_does_not_hold_is_blamed(changed: Any, code: str, repair: tuple[Repair, ...]) -> None:
    verdict = blamed(**changed)
    assert isinstance(verdict, DriftVerdict)
    assert (verdict.code, verdict.repair) == (code, repair)
    assert verdict.cause == CATALOGUE[code].cause


def test_what_differs_further_down_follows_from_what_differs_first() -> None:
    verdict = blamed(store_path="updated_at", mapped_path="status", platform_path="status")
    assert isinstance(verdict, DriftVerdict)
    assert verdict.code == "integration.missed_change"
    assert verdict.repair == (Repair.READ, Repair.SEND)


@pytest.mark.parametrize(
    ("changed", "standing"),
    [
        ({}, NoDrift.AGREED),
        ({"store_path": "updated_at", "is_young": True}, NoDrift.WAITING),
        ({"store_path": "updated_at", "is_told": True}, NoDrift.WAITING),
        ({"state": "due", "platform_path": "status"}, NoDrift.WAITING),
        ({"state": "accepted", "platform_look": SideView.ABSENT}, NoDrift.WAITING),
        ({"store_look": SideView.UNSEEN}, NoDrift.UNSEEN),
        ({"platform_look": SideView.UNSEEN}, NoDrift.UNSEEN),
        ({"store_look": SideView.ABSENT, "record": Record.GONE}, NoDrift.AGREED),
        ({"state": "excluded", "platform_look": SideView.ABSENT}, NoDrift.AGREED),
        ({"is_ours": False, "platform_look": SideView.ABSENT}, NoDrift.AGREED),
        ({"state": "buried", "case_code": "platform.differs"}, NoDrift.SETTLED),
        (
            {"state": None, "record": Record.NONE, "store_look": SideView.ABSENT, "platform_look": SideView.ABSENT},
            NoDrift.AGREED,
        ),
    ],
)
def test_only_what_was_looked_at_agrees(changed: Any, standing: NoDrift) -> None:
    assert blamed(**changed) is standing


def test_every_code_of_the_table_is_catalogued_under_the_layer_that_it_names() -> None:
    codes = {rule.code for rule in RULES if isinstance(rule.code, str)}
    assert codes == set(OWN) - {"integration.repair_returns"}, "that one is found by comparing runs"
    assert {code: cause_of_code(code) for code in codes} == {code: CATALOGUE[code].cause.value for code in codes}


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        ("email", "jane.doe@example.co.uk", "j***@e***.uk"),
        ("phone_number", "+447700900123", "+44********23"),
        ("firstname", "Zoë", "Z***"),
        ("customer.lastname", "Nova", "N***"),
        ("billing_address.postcode", "AB1 2CD", "A***"),
        ("status", "complete", "complete"),
        ("lineitems.0.total", Decimal("12.50"), "12.50"),
        ("lineitems.0.sku", "MUG-1", "MUG-1"),
        ("coupon_code", "jane@example.com", "j***@e***.com"),
        ("is_valid", True, True),
        ("lineitems", [{}, {}], "2 of them"),
        ("properties", {"city": "Leeds"}, "…"),
        ("store_ids.0", "acme.myshopify.com", "acme.myshopify.com"),
        ("lastname", None, None),
    ],
)
def test_a_value_is_shown_without_whoever_it_names(path: str, value: Any, shown: Any) -> None:
    assert mask.mask_value(path, value) == shown


def test_a_value_is_found_by_its_path() -> None:
    record = {"lineitems": [{"total": 1}, {"total": 2}]}
    assert mask.value_at(record, "lineitems.1.total") == 2
    assert mask.value_at(record, "lineitems.7.total") is None
    assert mask.value_at(record, "customer.email") is None
    assert mask.value_at(record, "") is record


# When ----------------------------------------------------------------------------------------------------------------


def ran(at: datetime) -> Run:
    return Run(1, "reconcile", {}, "done", "", None, 0, None, at, at, at, None, None, None)


@pytest.mark.parametrize(
    ("last", "now", "is_due"),
    [
        (NOON - timedelta(days=1), NOON, True),  # it slept through the night
        (NOON.replace(hour=2, minute=41), NOON, False),
        (NOON.replace(hour=2, minute=39), NOON.replace(hour=2, minute=40), True),
        (NOON - timedelta(days=1), NOON.replace(hour=2, minute=39), False),
        (None, NOON, False),  # connected by day: the first night comes first
        (None, NOON.replace(hour=2, minute=45), True),
    ],
)
def test_everything_is_compared_once_a_night(last: datetime | None, now: datetime, is_due: bool) -> None:
    assert schedule.is_full_run_done(ran(last) if last else None, now, time(2, 40)) is is_due


def test_a_light_run_begins_where_the_one_before_began() -> None:
    every = timedelta(hours=1)
    assert schedule.incremental_request(ran(NOON - timedelta(minutes=59)), NOON, every) is None
    asked = schedule.incremental_request(ran(NOON - timedelta(minutes=61)), NOON, every)
    assert asked is not None
    assert asked.since == NOON - timedelta(minutes=61) - schedule.OVERLAP
