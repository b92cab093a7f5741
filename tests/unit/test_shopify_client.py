"""What the client makes of a shop's answers: canned wire, frozen clock."""

import json
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from isthmus.kit.clock import FrozenClock
from isthmus.model.failure import BlockedError, Failure, RejectedError, TransientError
from isthmus.shopify import documents, errors
from isthmus.shopify.client import Credentials, Shopify

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
URL = "https://acme-uk.myshopify.com"
SECRET = "shhh-secret"
FULL = {"maximumAvailable": 2000, "currentlyAvailable": 1990, "restoreRate": 100}


def good(data=None, status=FULL, **extensions):
    cost = {"requestedQueryCost": 4, "actualQueryCost": 4, "throttleStatus": status}
    return httpx2.Response(200, json={"data": data or {"nodes": []}, "extensions": {"cost": cost, **extensions}})


def bad(code, message="no", data=None, **extensions):
    error = {"message": message, "path": ["nodes", 0, "email"], "extensions": {"code": code, **extensions}}
    cost = {"requestedQueryCost": 100, "actualQueryCost": None, "throttleStatus": {**FULL, "currentlyAvailable": 40}}
    body = {"errors": [error], "extensions": {"cost": cost}}
    return httpx2.Response(200, json=body if data is None else {**body, "data": data})


def token(value="shpat_1", lasts=86399):
    answer = {"access_token": value, "scope": "read_orders,read_customers", "expires_in": lasts}
    return httpx2.Response(200, json=answer)


class Wire:
    """Answers in order, and remembers what was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def __call__(self, request):
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def shop(wire, *, access_token="shpat_static", **more):  # noqa: S107
    clock = FrozenClock(AT)
    credentials = Credentials("id", SECRET, access_token)
    return Shopify(URL, "2026-10", credentials, clock, transport=httpx2.MockTransport(wire), **more), clock


def ask(client):
    return client.graphql(documents.CUSTOMERS, {"ids": ["gid://shopify/Customer/1"]})


def test_an_answer_gives_its_data():
    wire = Wire(good({"nodes": [None]}))
    client, _ = shop(wire)
    assert ask(client) == {"nodes": [None]}
    sent = wire.asked[0]
    assert str(sent.url) == f"{URL}/admin/api/2026-10/graphql.json"
    assert sent.headers["x-shopify-access-token"] == "shpat_static"
    body = json.loads(sent.content)
    assert (body["operationName"], body["variables"]) == ("Customers", {"ids": ["gid://shopify/Customer/1"]})


def test_a_token_is_granted_once_and_renewed_before_its_end():
    wire = Wire(token("first"), good(), good(), token("second"), good())
    client, clock = shop(wire, access_token=None)
    ask(client)
    ask(client)
    clock.advance(86399 - 299)
    ask(client)
    assert [request.headers.get("x-shopify-access-token") for request in wire.asked] == [
        None, "first", "first", None, "second",
    ]  # fmt: skip
    assert json.loads(wire.asked[0].content) == {
        "client_id": "id",
        "client_secret": SECRET,
        "grant_type": "client_credentials",
    }
    assert client.granted_scopes == ("read_orders", "read_customers")


def test_a_revoked_token_is_renewed_once():
    wire = Wire(token("first"), httpx2.Response(401), token("second"), good())
    client, _ = shop(wire, access_token=None)
    assert ask(client) == {"nodes": []}


def test_a_new_token_that_is_refused_too_blocks_the_connection():
    wire = Wire(token(), httpx2.Response(401), token(), httpx2.Response(401))
    client, _ = shop(wire, access_token=None)
    with pytest.raises(BlockedError, match=r"^storefront\.token_refused"):
        ask(client)


def test_refused_credentials_block_the_connection_without_telling_them():
    wire = Wire(httpx2.Response(400, json={"error": "invalid_client", "error_description": SECRET}))
    client, _ = shop(wire, access_token=None)
    with pytest.raises(BlockedError) as refusal:
        ask(client)
    assert refusal.value.code == "storefront.token_refused"
    assert SECRET not in str(refusal.value)
    assert SECRET not in repr(Credentials("id", SECRET))


NEVER, PASSING, SHUT = RejectedError, TransientError, BlockedError
STATUSES = [
    (301, SHUT, "storefront.moved"),
    (400, NEVER, "integration.query_refused"),
    (401, SHUT, "storefront.token_refused"),
    (402, SHUT, "storefront.shop_closed"),
    (403, SHUT, "storefront.access_denied"),
    (404, SHUT, "storefront.shop_closed"),
    (406, NEVER, "integration.query_refused"),
    (408, PASSING, "storefront.unavailable"),
    (413, NEVER, "integration.query_too_expensive"),
    (414, NEVER, "integration.query_refused"),
    (415, NEVER, "integration.query_refused"),
    (418, PASSING, "storefront.unexplained"),
    (422, NEVER, "integration.query_refused"),
    (423, SHUT, "storefront.shop_closed"),
    (425, PASSING, "storefront.unavailable"),
    (429, PASSING, "storefront.throttled"),
    (430, PASSING, "storefront.throttled"),
    (500, PASSING, "storefront.unavailable"),
    (501, NEVER, "integration.query_refused"),
    (502, PASSING, "storefront.unavailable"),
    (503, PASSING, "storefront.unavailable"),
    (504, PASSING, "storefront.unavailable"),
    (530, PASSING, "storefront.unavailable"),
    (540, PASSING, "storefront.unavailable"),
    (599, PASSING, "storefront.unavailable"),
]
ERRORS = [
    ("SHOP_INACTIVE", SHUT, "storefront.shop_closed"),
    ("INTERNAL_SERVER_ERROR", PASSING, "storefront.unavailable"),
    ("TIMEOUT", PASSING, "storefront.unavailable"),
    ("MAX_COST_EXCEEDED", NEVER, "integration.query_too_expensive"),
    ("MAX_INPUT_SIZE_EXCEEDED", NEVER, "integration.query_too_expensive"),
    ("BAD_REQUEST", NEVER, "integration.query_refused"),
    ("INVALID", NEVER, "integration.query_refused"),
    ("INVALID_VARIABLE", NEVER, "integration.query_refused"),
    ("RESOURCE_NOT_FOUND", NEVER, "integration.query_refused"),
    ("argumentLiteralsIncompatible", NEVER, "integration.query_refused"),
    ("argumentNotAccepted", NEVER, "integration.query_refused"),
    ("cannotSpreadFragment", NEVER, "integration.query_refused"),
    ("missingRequiredArguments", NEVER, "integration.query_refused"),
    ("missingRequiredInputObjectAttribute", NEVER, "integration.query_refused"),
    ("selectionMismatch", NEVER, "integration.query_refused"),
    ("undefinedField", NEVER, "integration.query_refused"),
    ("undefinedFragment", NEVER, "integration.query_refused"),
    ("undefinedType", NEVER, "integration.query_refused"),
    ("variableMismatch", NEVER, "integration.query_refused"),
    ("variableNotDefined", NEVER, "integration.query_refused"),
    ("variableNotUsed", NEVER, "integration.query_refused"),
    ("variableRequiresValidType", NEVER, "integration.query_refused"),
    ("SOMETHING_NEW", PASSING, "storefront.unexplained"),
]
DEEP = b"[" * 100_000 + b"]" * 100_000


def test_every_row_of_both_tables_is_tried_here():
    assert set(errors.STATUSES) <= {status for status, *_ in STATUSES}
    # Both are handled where the client meets them, and have tests of their own.
    assert set(errors.ERRORS) - {code for code, *_ in ERRORS} == {"ACCESS_DENIED", "THROTTLED"}


@pytest.mark.parametrize(
    ("answer", "failure", "code"),
    [
        *((httpx2.Response(status, headers={"location": "https://x.example/"}), *row) for status, *row in STATUSES),
        *((bad(code), *row) for code, *row in ERRORS),
        (httpx2.Response(200, content=b"<html>"), TransientError, "storefront.unavailable"),
        (httpx2.Response(200, content=b"[]"), TransientError, "storefront.unavailable"),
        (httpx2.Response(200, json={}), TransientError, "storefront.unavailable"),
        (httpx2.Response(200, content=DEEP), TransientError, "storefront.unavailable"),
        (httpx2.Response(200, content=b'{"data":{"a":' + DEEP + b"}}"), TransientError, "storefront.unavailable"),
        (httpx2.Response(200, content=b'{"data":"\xff"}'), TransientError, "storefront.unavailable"),
        (httpx2.ConnectError("no"), TransientError, "storefront.unavailable"),
        (httpx2.ReadTimeout("late"), TransientError, "storefront.unavailable"),
        (bad("ACCESS_DENIED", requiredAccess="`read_orders`"), BlockedError, "storefront.access_denied"),
        (
            bad("ACCESS_DENIED", "This app is not approved to access the Customer object.", {"nodes": [None]}),
            BlockedError,
            "storefront.protected_data_missing",
        ),
        (httpx2.Response(200, json={"errors": "odd"}), TransientError, "storefront.unexplained"),
        (httpx2.Response(200, json={"errors": [{"message": "odd"}]}), TransientError, "storefront.unexplained"),
        (
            httpx2.Response(200, json={"errors": [{"message": "odd", "extensions": None, "path": 1}]}),
            TransientError,
            "storefront.unexplained",
        ),
    ],
)
def test_an_answer_becomes_one_failure(answer, failure, code):
    client, _ = shop(Wire(answer))
    with pytest.raises(failure) as raised:
        ask(client)
    assert raised.value.code == code


def test_a_failure_repeats_nothing_of_the_answer():
    client, _ = shop(Wire(bad("INVALID_VARIABLE", "Variable for ada@example.com", {"nodes": None})))
    with pytest.raises(RejectedError) as raised:
        ask(client)
    assert raised.value.detail == "INVALID_VARIABLE at nodes.email"


@pytest.mark.parametrize(
    "answer", [bad("INVALID_VARIABLE"), httpx2.Response(502), httpx2.Response(200, content=b"<html>")]
)
def test_a_failure_names_the_request_that_support_can_find(answer):
    answer.headers["X-Request-ID"] = "8f1d-42"
    client, _ = shop(Wire(answer))
    with pytest.raises(Failure) as raised:
        ask(client)
    assert raised.value.detail.endswith("(request 8f1d-42)")


def test_a_request_id_that_is_none_is_not_repeated():
    client, _ = shop(Wire(httpx2.Response(502, headers={"x-request-id": "ada@example.com"})))
    with pytest.raises(TransientError) as raised:
        ask(client)
    assert raised.value.detail == "answered 502"


def test_a_moved_shop_says_where_it_went():
    client, _ = shop(Wire(httpx2.Response(301, headers={"location": "https://new.myshopify.com/admin/x"})))
    with pytest.raises(BlockedError, match=r"new\.myshopify\.com"):
        ask(client)


def test_retry_after_is_handed_on():
    client, _ = shop(Wire(httpx2.Response(429, headers={"retry-after": "7"})))
    with pytest.raises(TransientError) as raised:
        ask(client)
    assert raised.value.retry_after == timedelta(seconds=7)


def test_a_throttled_call_waits_for_its_points_and_tries_again():
    client, clock = shop(Wire(bad("THROTTLED"), good()))
    ask(client)
    assert clock.now() - AT == timedelta(seconds=0.6)  # 100 wanted, 40 there, 100 a second


def test_a_call_that_stays_throttled_is_put_off_within_its_patience():
    client, clock = shop(Wire(*[bad("THROTTLED")] * 9), patience=2.0)
    with pytest.raises(TransientError) as raised:
        ask(client)
    assert raised.value.code == "storefront.throttled"
    assert raised.value.retry_after is not None
    assert clock.now() - AT <= timedelta(seconds=2)


def test_a_call_waits_for_points_instead_of_being_throttled():
    nearly_empty = {"maximumAvailable": 2000, "currentlyAvailable": 1, "restoreRate": 100}
    client, clock = shop(Wire(good(status=nearly_empty), good()))
    ask(client)
    ask(client)
    assert clock.now() - AT == timedelta(seconds=0.03)  # 4 wanted, 1 there


def test_the_reserve_is_left_for_others():
    half = {"maximumAvailable": 2000, "currentlyAvailable": 1000, "restoreRate": 100}
    client, clock = shop(Wire(good(status=half), good()), reserve=1100.0)
    ask(client)
    ask(client)
    assert clock.now() - AT == timedelta(seconds=1.04)


def test_a_filter_that_was_not_understood_is_a_failure():
    search = [{"path": ["customers"], "query": "updated:>1", "warnings": [{"field": "updated", "message": "Invalid"}]}]
    client, _ = shop(Wire(good(search=search)))
    with pytest.raises(RejectedError, match=r"^integration\.search_ignored"):
        ask(client)


def test_a_filter_that_was_understood_is_none():
    client, _ = shop(Wire(good(search=[{"path": ["customers"], "query": "id:1", "parsed": {}}])))
    assert ask(client) == {"nodes": []}


def test_another_version_than_asked_for_is_told():
    told = []
    answer = good()
    answer.headers["X-Shopify-API-Version"] = "2026-01"
    client, _ = shop(Wire(answer), on_version=told.append)
    ask(client)
    assert (client.served_version, told) == ("2026-01", ["2026-01"])
