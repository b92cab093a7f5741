"""A reading answers that a record is there, is absent, or cannot be seen; a null alone proves nothing."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import msgspec
import pytest

from isthmus.kit.clock import FrozenClock
from isthmus.model.failure import BlockedError, TransientError
from isthmus.model.reading import (
    ABSENT,
    OUT_OF_SIGHT,
    Absent,
    Blindness,
    CannotSee,
    Found,
    is_certainly_visible,
    judge_by_dates,
)
from isthmus.shopify.client import Credentials, Shopify
from isthmus.shopify.reads import Reads

NOW = datetime(2026, 11, 30, tzinfo=UTC)
YOUNG, OLD = NOW - timedelta(days=57, hours=23), NOW - timedelta(days=58)

Answer = dict[str, Any]


def reads(answer: Callable[[str, list[str]], Answer]) -> Reads:
    """A shop that answers as told, by operation and ids."""

    def respond(request: httpx2.Request) -> httpx2.Response:
        asked = msgspec.json.decode(request.read())
        return httpx2.Response(200, json=answer(asked["operationName"], asked["variables"]["ids"]))

    client = Shopify(
        "https://acme-uk.myshopify.com", "2026-10", Credentials(access_token="shpat_x"), FrozenClock(NOW),
        transport=httpx2.MockTransport(respond),
    )  # fmt: skip
    return Reads(client)


def sight(nodes: list[Any], *scopes: str) -> Answer:
    installed = {"accessScopes": [{"handle": scope} for scope in ("read_orders", *scopes)]}
    return {"data": {"nodes": nodes, "currentAppInstallation": installed}}


@pytest.mark.parametrize(
    ("scopes", "answer"), [(("read_all_orders",), ABSENT), ((), OUT_OF_SIGHT)], ids=["all orders", "60 days"]
)
def test_a_null_order_is_absent_only_to_an_app_that_sees_all_orders(scopes: tuple[str, ...], answer: object) -> None:
    def shop(operation: str, ids: list[str]) -> Answer:
        return sight([None], *scopes) if operation == "Sight" else {"data": {"nodes": [None]}}

    assert reads(shop).orders([7]) == {7: answer}


def test_an_order_that_is_null_and_there_a_moment_later_cannot_be_seen() -> None:
    def shop(operation: str, ids: list[str]) -> Answer:
        there = sight([{"id": ids[0]}], "read_all_orders")
        return there if operation == "Sight" else {"data": {"nodes": [None]}}

    assert reads(shop).orders([7]) == {7: CannotSee(Blindness.CHANGED)}


def test_a_null_with_an_error_on_its_path_is_not_absent_and_the_others_are_answered() -> None:
    def shop(operation: str, ids: list[str]) -> Answer:
        where = {"message": "Internal error", "path": ["nodes", 1], "extensions": {"code": "INTERNAL_SERVER_ERROR"}}
        return {"data": {"nodes": [None, None]}, "errors": [where]}

    found = reads(shop).customers([1, 2])
    assert found[1] == ABSENT
    unseen = found[2]
    assert isinstance(unseen, CannotSee)
    assert unseen.reason is Blindness.ERROR
    assert isinstance(unseen.failure, TransientError)


def test_an_error_inside_a_record_makes_the_whole_record_unseen() -> None:
    def shop(operation: str, ids: list[str]) -> Answer:
        where = {"message": "x", "path": ["nodes", 0, "tags"], "extensions": {"code": "TIMEOUT"}}
        return {"data": {"nodes": [{"id": ids[0]}]}, "errors": [where]}

    assert isinstance(reads(shop).customers([1])[1], CannotSee)


@pytest.mark.parametrize("path", [["nodes", 0, "email"], ["nodes"], ["currentAppInstallation"], None])
def test_a_denied_field_or_an_error_elsewhere_answers_for_no_record(path: list[Any] | None) -> None:
    code = "ACCESS_DENIED" if path and len(path) > 1 else "INTERNAL_SERVER_ERROR"

    def shop(operation: str, ids: list[str]) -> Answer:
        error = {"message": "x", "extensions": {"code": code}} | ({"path": path} if path else {})
        return {"data": {"nodes": [None, None]}, "errors": [error]}

    with pytest.raises((BlockedError, TransientError)):
        reads(shop).customers([1, 2])


@pytest.mark.parametrize(
    ("created_at", "processed_at", "is_absent"),
    [
        (YOUNG, YOUNG, True),
        (YOUNG, OLD, False),
        (OLD, YOUNG, False),
        (None, YOUNG, False),
        (YOUNG, None, False),
        (None, None, False),
    ],
)
def test_without_all_orders_a_null_is_absent_only_if_both_dates_are_known_and_young(
    created_at: datetime | None, processed_at: datetime | None, *, is_absent: bool
) -> None:
    assert is_certainly_visible(created_at, processed_at, NOW) is is_absent
    assert isinstance(judge_by_dates(OUT_OF_SIGHT, created_at, processed_at, NOW), Absent) is is_absent


@pytest.mark.parametrize("answer", [Found(1), ABSENT, CannotSee(Blindness.ERROR), CannotSee(Blindness.CHANGED)])
def test_dates_change_no_other_answer(answer: Found[int] | Absent | CannotSee) -> None:
    assert judge_by_dates(answer, YOUNG, YOUNG, NOW) == answer
