"""Merging customers in the simulated shop is answered as the real Admin API was captured answering it."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from captures import Replay, bare, price, revive
from sources import find

from isthmus.kit import ids
from isthmus.kit.clock import FrozenClock
from isthmus.model.reading import ABSENT
from isthmus.shopify.client import Credentials, Shopify
from isthmus.shopify.reads import Reads

FOLDER = find("live-captures/customers")
pytestmark = pytest.mark.skipif(FOLDER is None, reason="the captured answers are not on this machine")

ARGUMENTS = "$one: ID!, $two: ID!, $override: CustomerMergeOverrideFields"
GIVEN = "customerOneId: $one, customerTwoId: $two, overrideFields: $override"
MERGED = "{ resultingCustomerId job { id done } userErrors { field message code } }"
PREVIEWED = """{
    resultingCustomerId
    defaultFields {
      firstName lastName displayName email { emailAddress } phoneNumber { phoneNumber } note tags
    }
    alternateFields { firstName lastName email { emailAddress } phoneNumber { phoneNumber } }
    blockingFields { note tags }
    customerMergeErrors { errorFields message }
  }"""
STATUS = "{ jobId resultingCustomerId status customerMergeErrors { errorFields message } }"
PLACE = "{ nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }"
CUSTOMER = f"""{{
    id firstName lastName displayName email note tags numberOfOrders
    defaultEmailAddress {{ emailAddress }} defaultPhoneNumber {{ phoneNumber }} defaultAddress {{ id }}
    addressesV2(first: 5) {PLACE}
    addressesV2Reverse: addressesV2(first: 5, reverse: true) {PLACE}
    metafields(first: 5) {PLACE}
    metafieldsReverse: metafields(first: 5, reverse: true) {PLACE}
    orders(first: 5) {PLACE}
    ordersFiltered: orders(first: 5, query: $orderQuery) {PLACE}
    lastOrder {{ id }} createdAt updatedAt
  }}"""
NAMED = "{ id email defaultEmailAddress { emailAddress } }"

DOCUMENTS = {
    "preview": f"query Preview({ARGUMENTS}) {{ customerMergePreview({GIVEN}) {PREVIEWED} }}",
    "merge": f"mutation Merge({ARGUMENTS}) {{ customerMerge({GIVEN}) {MERGED} }}",
    "status": f"query Status($jobId: ID!) {{ customerMergeJobStatus(jobId: $jobId) {STATUS} }}",
    "read": f"""query Read(
      $one: ID!, $two: ID!, $emailOne: String!, $emailTwo: String!, $jobId: ID!, $orderQuery: String
    ) {{
      source: customer(id: $one) {CUSTOMER}
      result: customer(id: $two) {CUSTOMER}
      byEmailOne: customerByIdentifier(identifier: {{ emailAddress: $emailOne }}) {NAMED}
      byEmailTwo: customerByIdentifier(identifier: {{ emailAddress: $emailTwo }}) {NAMED}
      customersCount {{ count precision }}
      mergeStatus: customerMergeJobStatus(jobId: $jobId) {STATUS}
    }}""",
    # The words of captured errors name the operation, and the place in its text.
    "missingArgument": "#graphql\n  mutation CustomerMergeMissingArgument($one: ID!) {\n"
    f"    customerMerge(customerOneId: $one) {MERGED}\n  }}",
    "blankLiteralIds": "#graphql\n  mutation CustomerMergeBlankLiteralIds {\n"
    f'    customerMerge(customerOneId: "", customerTwoId: "") {MERGED}\n  }}',
}
WRONG = {
    "missingArgument": "missingArgument",
    "blankLiteralIds": "blankLiteralIds",
    "selfPreview": "preview",
    "selfMerge": "merge",
    "unknownCustomer": "merge",
    "duplicatedUnknownCustomer": "merge",
}


def captured() -> dict[str, Any]:
    assert FOLDER is not None
    read: dict[str, Any] = json.loads((FOLDER / "customer-merge-parity.json").read_text())
    return read


def made(whole: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        whole["precondition"][name]["response"]["data"]["customerCreate"]["customer"]
        for name in ("createOne", "createTwo")
    ]


def begun(whole: dict[str, Any]) -> Replay:
    """A shop with both customers, and an app that may merge them."""
    replay = Replay.begin()
    replay.shopify.faults.set({"shopify.extra_scopes": "write_customer_merge"})
    for shown in made(whole):
        revive(replay, shown)
    return replay


def compare(replay: Replay, step: dict[str, Any], ours: dict[str, Any], *, priced: bool = True) -> list[str]:
    """Where an answer differs from the captured one, its price among it."""
    answer = step["response"]
    differs = [] if not priced or price(answer) in (None, price(ours)) else [f"{price(answer)} != {price(ours)}"]
    return differs + replay.differences(bare(answer), bare(ours))


def test_a_merge_is_previewed_asked_for_carried_out_and_read_alike() -> None:
    whole = captured()
    replay = begun(whole)
    before = replay.ask("{ customersCount { count } }", {})["data"]["customersCount"]["count"]
    wrong = compare(replay, whole["preview"], replay.ask(DOCUMENTS["preview"], whole["preview"]["variables"]))
    wrong += compare(replay, whole["mutation"], replay.ask(DOCUMENTS["merge"], whole["mutation"]["variables"]))
    for poll in whole["statusPolls"]:
        wrong += compare(replay, poll, replay.ask(DOCUMENTS["status"], poll["variables"]))
    wrong += compare(replay, whole["status"], replay.ask(DOCUMENTS["status"], whole["status"]["variables"]))
    after = whole["downstreamRead"]
    ours = replay.ask(DOCUMENTS["read"], after["variables"])
    counted = ours["data"]["customersCount"]
    assert counted["count"] == before - 1
    counted["count"] = after["response"]["data"]["customersCount"]["count"]  # other people of that shop
    wrong += compare(replay, after, ours, priced=False)  # how long its pages were was not captured
    assert not wrong, "\n".join(wrong)
    assert replay.compared > 90


def test_what_cannot_be_merged_is_refused_alike() -> None:
    whole = captured()
    replay, validation = begun(whole), whole["validation"]
    assert set(validation) == set(WRONG)
    wrong = []
    for name, kind in WRONG.items():
        step = validation[name]
        wrong += [f"{name}: {each}" for each in compare(replay, step, replay.ask(DOCUMENTS[kind], step["variables"]))]
    assert not wrong, "\n".join(wrong)


def test_the_readings_beside_the_merge_are_answered_alike() -> None:
    whole = captured()
    replay, n = begun(whole), 0
    for call in whole["upstreamCalls"]:
        answer = call["response"]["body"]
        ours = replay.ask(call["query"], call["variables"])
        if call["operationName"] == "CustomerCountHydrate":
            assert bare(ours)["data"]["customersCount"]["precision"] == "EXACT"
        else:
            assert replay.differences(bare(answer), bare(ours)) == [], call["operationName"]
        n += 1
    assert n == 5


def test_the_customers_were_made_as_they_are_read() -> None:
    """What was captured of making the two is what the simulated shop says of them."""
    whole = captured()
    replay = begun(whole)
    for shown in made(whole):
        text = f"query Read($id: ID!, $orderQuery: String) {{ customer(id: $id) {CUSTOMER} }}"
        ours = replay.ask(text, {"id": shown["id"], "orderQuery": "email:nobody@example.com"})
        assert replay.differences(shown, ours["data"]["customer"]) == []


def test_whom_the_shop_answers_as_null_reads_as_gone_by_our_client() -> None:
    """A merge's loser read null in the capture, as a stranger does; the captured answer of two nulls is given to us."""
    whole, asked = captured(), [10948590338354, 999999999999999]
    assert whole["downstreamRead"]["response"]["data"]["source"] is None
    nulls = {"data": {"nodes": [None, None]}}
    (answer,) = [body for call in whole["upstreamCalls"] if (body := call["response"]["body"])["data"] == nulls["data"]]

    def respond(request: httpx2.Request) -> httpx2.Response:
        numbers = [ids.numeric_id(gid) for gid in json.loads(request.read())["variables"]["ids"]]
        assert numbers == asked
        return httpx2.Response(200, json=answer)

    client = Shopify(
        "https://acme-uk.myshopify.com", "2026-10", Credentials(access_token="shpat_x"),
        FrozenClock(datetime(2026, 11, 23, tzinfo=UTC)), transport=httpx2.MockTransport(respond),
    )  # fmt: skip
    assert Reads(client).customers(asked) == dict.fromkeys(asked, ABSENT)


def test_no_part_of_the_capture_is_left_out() -> None:
    """Making and deleting the two customers is no merge, and the shop cannot be asked for it."""
    whole = captured()
    assert set(whole) - {"accessScopes", "precondition", "cleanup"} == {
        "preview", "mutation", "status", "statusPolls", "downstreamRead", "validation", "upstreamCalls",
    }  # fmt: skip
    assert {call["operationName"] for call in whole["upstreamCalls"]} == {
        "CustomerMergeHydrate", "CustomerMergeAttachedHydrate", "CustomerCountHydrate",
    }  # fmt: skip
