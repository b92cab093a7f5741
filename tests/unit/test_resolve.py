"""The stated policy: whose an order is, and whose an account, each by a rule with a name."""

from pathlib import Path
from typing import Any

import pytest

from isthmus.identity.match import Link, people
from isthmus.identity.resolve import Answer, account, owner

POLICY = Path(__file__).parents[2] / "docs" / "howto" / "duplicates.md"

WHO = people(
    [
        Link("uk", 1, "uk:1", "ada@example.com"),
        Link("int", 7, "int:7", "ada@example.com"),
        Link("uk", 2, "uk:2", None),
        Link("uk", 3, "uk:3", "eva@example.com", ("uk", 2)),
    ]
)

ORDERS: list[tuple[dict[str, Any], tuple[Answer, str, str | None]]] = [
    ({"customer_id": 1}, (Answer.SAME, "store_customer", "uk:1")),
    ({"store": "int", "customer_id": 7}, (Answer.SAME, "store_customer", "uk:1")),
    ({"customer_id": 3}, (Answer.SAME, "store_customer", "uk:2")),
    ({"customer_id": 99}, (Answer.NEW, "unknown_customer", "uk:99")),
    ({"email": "ada@example.com"}, (Answer.SAME, "guest_address", "uk:1")),
    ({"email": "guest@example.com"}, (Answer.NEW, "guest", None)),
    ({"phone": "+447911123456"}, (Answer.AMBIGUOUS, "phone_alone", None)),
    ({}, (Answer.NEW, "nobody", None)),
]

ACCOUNTS: list[tuple[dict[str, Any], tuple[Answer, str, str]]] = [
    ({"own": ("int", 7), "email": "ada@example.com"}, (Answer.SAME, "address", "uk:1")),
    ({"own": ("uk", 3), "email": "eva@example.com", "merged": {("uk", 3)}}, (Answer.SAME, "merged", "uk:2")),
    ({"own": ("int", 7), "email": "ada@example.com", "is_shared": True}, (Answer.AMBIGUOUS, "shared_address", "uk:1")),
    ({"own": ("uk", 9), "email": "new@example.com"}, (Answer.NEW, "own_address", "uk:9")),
    ({"own": ("uk", 9), "phone": "+447911123456"}, (Answer.NEW, "phone_only", "uk:9")),
    ({"own": ("uk", 9)}, (Answer.NEW, "unreachable", "uk:9")),
]


@pytest.mark.parametrize(("given", "told"), ORDERS)
def test_every_order_has_an_owner_by_a_rule(given: dict[str, Any], told: tuple[Answer, str, str | None]) -> None:
    asked: dict[str, Any] = {"store": "uk", "customer_id": None, "email": None, "phone": None} | given
    found = owner(**asked, namespace=f"{asked['store']}:", who=WHO)
    assert (found.answer, found.rule, found.person) == told


@pytest.mark.parametrize(("given", "told"), ACCOUNTS)
def test_every_account_is_somebodys_by_a_rule(given: dict[str, Any], told: tuple[Answer, str, str]) -> None:
    asked: dict[str, Any] = {"email": None, "phone": None, "merged": set(), "is_shared": False} | given
    found = account(**asked, contact=":".join(map(str, asked["own"])), who=WHO)
    assert (found.answer, found.rule, found.person) == told


def test_the_stated_policy_names_every_rule() -> None:
    text = POLICY.read_text(encoding="utf-8")
    rules = {told[1] for _, told in ORDERS} | {told[1] for _, told in ACCOUNTS}
    assert {rule for rule in rules if f"`{rule}`" not in text} == set()
