"""The stated policy: whose an order is, and whose an account, each by a rule with a name."""

from pathlib import Path
from typing import Any

import pytest

from isthmus.identity.match import Link, assign_survivors
from isthmus.identity.resolve import Resolution, customer_account, order_owner

POLICY = Path(__file__).parents[2] / "docs" / "howto" / "duplicates.md"

WHO = assign_survivors(
    [
        Link("uk", 1, "uk:1", "ada@example.com"),
        Link("int", 7, "int:7", "ada@example.com"),
        Link("uk", 2, "uk:2", None),
        Link("uk", 3, "uk:3", "eva@example.com", ("uk", 2)),
    ]
)

ORDERS: list[tuple[dict[str, Any], tuple[Resolution, str, str | None]]] = [
    ({"customer_id": 1}, (Resolution.SAME, "store_customer", "uk:1")),
    ({"store": "int", "customer_id": 7}, (Resolution.SAME, "store_customer", "uk:1")),
    ({"customer_id": 3}, (Resolution.SAME, "store_customer", "uk:2")),
    ({"customer_id": 99}, (Resolution.NEW, "unknown_customer", "uk:99")),
    ({"email": "ada@example.com"}, (Resolution.SAME, "guest_address", "uk:1")),
    ({"email": "guest@example.com"}, (Resolution.NEW, "guest", None)),
    ({"phone": "+447911123456"}, (Resolution.AMBIGUOUS, "phone_alone", None)),
    ({}, (Resolution.NEW, "nobody", None)),
]

ACCOUNTS: list[tuple[dict[str, Any], tuple[Resolution, str, str]]] = [
    ({"own": ("int", 7), "email": "ada@example.com"}, (Resolution.SAME, "address", "uk:1")),
    ({"own": ("uk", 3), "email": "eva@example.com", "merged": {("uk", 3)}}, (Resolution.SAME, "merged", "uk:2")),
    (
        {"own": ("int", 7), "email": "ada@example.com", "is_shared": True},
        (Resolution.AMBIGUOUS, "shared_address", "uk:1"),
    ),
    ({"own": ("uk", 9), "email": "new@example.com"}, (Resolution.NEW, "own_address", "uk:9")),
    ({"own": ("uk", 9), "phone": "+447911123456"}, (Resolution.NEW, "phone_only", "uk:9")),
    ({"own": ("uk", 9)}, (Resolution.NEW, "unreachable", "uk:9")),
]


@pytest.mark.parametrize(("given", "told"), ORDERS)
def test_every_order_has_an_owner_by_a_rule(given: dict[str, Any], told: tuple[Resolution, str, str | None]) -> None:
    asked: dict[str, Any] = {"store": "uk", "customer_id": None, "email": None, "phone": None} | given
    found = order_owner(**asked, namespace=f"{asked['store']}:", who=WHO)
    assert (found.answer, found.rule, found.person) == told


@pytest.mark.parametrize(("given", "told"), ACCOUNTS)
def test_every_account_is_somebodys_by_a_rule(given: dict[str, Any], told: tuple[Resolution, str, str]) -> None:
    asked: dict[str, Any] = {"email": None, "phone": None, "merged": set(), "is_shared": False} | given
    found = customer_account(**asked, contact=":".join(map(str, asked["own"])), who=WHO)
    assert (found.answer, found.rule, found.person) == told


def test_the_stated_policy_names_every_rule() -> None:
    text = POLICY.read_text(encoding="utf-8")
    rules = {told[1] for _, told in ORDERS} | {told[1] for _, told in ACCOUNTS}
    assert {rule for rule in rules if f"`{rule}`" not in text} == set()
