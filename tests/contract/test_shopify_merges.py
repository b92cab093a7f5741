"""Merging customers: who is kept, what is told, what stands in the way; and what our client makes of the webhook.

shopify.dev/docs/api/admin-graphql/2026-10/mutations/customerMerge; what no document or capture says is assumed.
"""

import json
from typing import Any

import pytest
from shopify_shop import AT, Shop

from isthmus.model.reading import ABSENT, found_record
from isthmus.shopify.topics import records_of_body
from sims.shopify.state import Customer, EmailConsent, gid

MERGE = """mutation Merge($one: ID!, $two: ID!, $override: CustomerMergeOverrideFields) {
  customerMerge(customerOneId: $one, customerTwoId: $two, overrideFields: $override) {
    resultingCustomerId job { id done } userErrors { field message code }
  }
}"""
PREVIEW = """query Preview($one: ID!, $two: ID!, $override: CustomerMergeOverrideFields) {
  customerMergePreview(customerOneId: $one, customerTwoId: $two, overrideFields: $override) {
    resultingCustomerId blockingFields { note tags } customerMergeErrors { errorFields message }
  }
}"""
STATUS = """query Status($job: ID!) {
  customerMergeJobStatus(jobId: $job) { status resultingCustomerId customerMergeErrors { errorFields message } }
  job(id: $job) { done }
}"""
MERGEABLE = """query Mergeable($id: ID!) {
  customer(id: $id) { mergeable { isMergeable reason errorFields mergeInProgress { jobId status } } }
}"""


@pytest.fixture
def shop() -> Shop:
    made = Shop()
    made.town.faults.set({"shopify.extra_scopes": "write_customer_merge"})
    return made


def pair(shop: Shop) -> tuple[Customer, Customer]:
    """Two alike: nothing but the order they are named in says who is kept."""
    one, two = [each for each in shop.store.customers.values() if each.email][:2]
    for each in (one, two):
        each.state, each.email_consent, each.tags = "DISABLED", EmailConsent(), []
        each.merge_blockers, each.note = (), None
    return one, two


def merge(shop: Shop, one: Customer, two: Customer, **override: Any) -> dict[str, Any]:
    named = {"one": gid("Customer", one.id), "two": gid("Customer", two.id), "override": override or None}
    answer: dict[str, Any] = shop.ask(MERGE, **named)["data"]["customerMerge"]
    return answer


def previewed(shop: Shop, one: Customer, two: Customer, **override: Any) -> dict[str, Any]:
    named = {"one": gid("Customer", one.id), "two": gid("Customer", two.id), "override": override or None}
    answer: dict[str, Any] = shop.ask(PREVIEW, **named)["data"]["customerMergePreview"]
    return answer


def status(shop: Shop, job: str) -> tuple[str, bool]:
    answer = shop.ask(STATUS, job=job)["data"]
    return answer["customerMergeJobStatus"]["status"], answer["job"]["done"]


def told_merges(shop: Shop) -> list[dict[str, Any]]:
    return [json.loads(body) for topic, body in shop.webhooks() if topic == "customers/merge"]


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ({}, {}, "two"),
        ({"email": None}, {}, "two"),
        ({}, {"email": None}, "one"),
        ({"email": None}, {"email": None}, "two"),
        ({"state": "ENABLED"}, {"email_consent": EmailConsent("SUBSCRIBED")}, "one"),
        ({"email_consent": EmailConsent("SUBSCRIBED")}, {}, "one"),
        ({"email_consent": EmailConsent("PENDING")}, {"state": "INVITED"}, "one"),
        ({"state": "INVITED"}, {}, "one"),
        ({"email_consent": EmailConsent("UNSUBSCRIBED")}, {}, "two"),
    ],
)
def test_who_is_kept(shop: Shop, first: dict[str, Any], second: dict[str, Any], kept: str) -> None:
    """The description of the customerMerge mutation"""
    one, two = pair(shop)
    for who, changes in ((one, first), (two, second)):
        shop.store.unindex_customer(who)
        for name, value in changes.items():
            setattr(who, name, value)
        shop.store.index_customer(who)
    expected = gid("Customer", {"one": one, "two": two}[kept].id)
    assert previewed(shop, one, two)["resultingCustomerId"] == expected
    assert merge(shop, one, two)["resultingCustomerId"] == expected


def test_whose_email_is_asked_for_is_kept_and_so_is_every_field_that_is(shop: Shop) -> None:
    """CustomerMergeOverrideFields"""
    one, two = pair(shop)
    one.first_name, two.first_name, one.tags, two.tags = "Ada", "Bo", ["a"], ["b"]
    asked = {"customerIdOfEmailToKeep": gid("Customer", one.id), "note": "both"}
    asked["customerIdOfFirstNameToKeep"] = gid("Customer", two.id)
    assert merge(shop, one, two, **asked)["resultingCustomerId"] == gid("Customer", one.id)
    shop.wait(2)
    shop.ask("{ shop { id } }")
    assert (one.first_name, one.note, one.tags, two.merged_into) == ("Bo", "both", ["a", "b"], one.id)
    assert shop.store.by_email.get(str(two.email).strip().lower()) is None


def test_a_merge_takes_its_time_and_is_told_when_it_is_done(shop: Shop) -> None:
    """customerMergeJobStatus, and the topic customers/merge"""
    one, two = pair(shop)
    answer = merge(shop, one, two)
    job = answer["job"]["id"]
    assert (answer["userErrors"], answer["job"]["done"]) == ([], False)
    assert status(shop, job) == ("REQUESTED", False)
    shop.wait(1)
    assert status(shop, job) == ("IN_PROGRESS", False)
    doing = shop.ask(MERGEABLE, id=gid("Customer", one.id))["data"]["customer"]["mergeable"]
    assert (doing["isMergeable"], doing["errorFields"]) == (False, ["MERGE_IN_PROGRESS"])
    assert doing["mergeInProgress"] == {"jobId": job, "status": "IN_PROGRESS"}
    assert shop.webhooks() == []
    shop.wait(1)
    assert status(shop, job) == ("COMPLETED", True)
    (told,) = told_merges(shop)
    assert told == {
        "admin_graphql_api_customer_kept_id": gid("Customer", two.id),
        "admin_graphql_api_customer_deleted_id": gid("Customer", one.id),
        "admin_graphql_api_job_id": job,
        "status": "completed",
        "errors": [],
    }
    assert records_of_body("customers/merge", json.dumps(told).encode()) == (
        ("customer", str(two.id)), ("customer", str(one.id)),
    )  # fmt: skip
    found = shop.reads.customers([one.id, two.id])
    assert found[one.id] == ABSENT
    kept = found_record(found[two.id])
    assert kept is not None
    assert kept.email == two.email
    assert shop.consents.find([str(one.email), str(two.email)]) == {one.email: None, two.email: two.id}


@pytest.mark.parametrize("knob", ["shopify.p_merge_fails", "shopify.merge_fails"])
def test_f67_a_merge_that_failed_is_told_with_both_names_and_leaves_both_there(shop: Shop, knob: str) -> None:
    """The published sample of customers/merge is of a failed one"""
    one, two = pair(shop)
    shop.town.faults.set({knob: [one.id] if knob == "shopify.merge_fails" else 1.0})
    job = merge(shop, one, two)["job"]["id"]
    shop.wait(2)
    assert status(shop, job) == ("FAILED", True)
    (told,) = told_merges(shop)
    (why,) = told.pop("errors")
    assert told == {
        "admin_graphql_api_customer_kept_id": gid("Customer", two.id),
        "admin_graphql_api_customer_deleted_id": gid("Customer", one.id),
        "admin_graphql_api_job_id": job,
        "status": "failed",
    }
    assert (why["customer_ids"], why["field"]) == ([one.id], "merge_in_progress")
    assert {name for _, name in records_of_body("customers/merge", json.dumps(told).encode())} == {
        str(one.id),
        str(two.id),
    }
    assert ABSENT not in shop.reads.customers([one.id, two.id]).values()


def test_who_is_in_a_merge_or_gone_by_then_makes_another_one_fail(shop: Shop) -> None:
    """assumed; the sample's error is merge_in_progress"""
    one, two = pair(shop)
    third = [each for each in shop.store.customers.values() if each.email][2]
    third.email_consent, third.state = EmailConsent(), "DISABLED"
    first = merge(shop, one, two)["job"]["id"]
    second = merge(shop, one, third)["job"]["id"]
    shop.wait(2)
    assert [status(shop, job)[0] for job in (first, second)] == ["COMPLETED", "FAILED"]
    third_job = merge(shop, two, third)["job"]["id"]
    shop.store.drop_customer(two)
    shop.wait(2)
    assert status(shop, third_job)[0] == "FAILED"
    assert [each["errors"][0]["field"] for each in told_merges(shop) if each["errors"]] == [
        "merge_in_progress", "deleted_at",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("blocker", "code"), [("SUBSCRIPTIONS", "INVALID_CUSTOMER"), ("GIFT_CARDS", "CUSTOMER_HAS_GIFT_CARDS")]
)
def test_what_stands_in_the_way_is_said_before_and_refused(shop: Shop, blocker: str, code: str) -> None:
    """CustomerMergeErrorFieldType and CustomerMergeErrorCode"""
    one, two = pair(shop)
    two.merge_blockers = (blocker,)
    seen = shop.ask(MERGEABLE, id=gid("Customer", two.id))["data"]["customer"]["mergeable"]
    assert (seen["isMergeable"], seen["errorFields"], bool(seen["reason"])) == (False, [blocker], True)
    assert [each["errorFields"] for each in previewed(shop, one, two)["customerMergeErrors"]] == [[blocker]]
    answer = merge(shop, one, two)
    assert (answer["job"], [(each["field"], each["code"]) for each in answer["userErrors"]]) == (
        None, [(["customerTwoId"], code)],
    )  # fmt: skip


def test_too_long_a_note_blocks_and_an_override_helps(shop: Shop) -> None:
    """CustomerMergePreviewBlockingFields: over 5000 characters, over 250 tags"""
    one, two = pair(shop)
    one.note, two.note = "x" * 3000, "y" * 3000
    blocked = previewed(shop, one, two)["blockingFields"]
    assert len(blocked["note"]) == 6001
    assert merge(shop, one, two)["userErrors"][0]["code"] == "INVALID_CUSTOMER"
    assert merge(shop, one, two, note="short")["userErrors"] == []


def test_overrides_name_one_of_the_two_and_what_they_have(shop: Shop) -> None:
    """CustomerMergeErrorCode"""
    one, two = pair(shop)
    two.phone = None
    third = [each for each in shop.store.customers.values() if each.email][2]
    for wanted, code in (
        ({"customerIdOfLastNameToKeep": gid("Customer", third.id)}, "OVERRIDE_ATTRIBUTE_INVALID"),
        ({"customerIdOfPhoneNumberToKeep": gid("Customer", two.id)}, "MISSING_OVERRIDE_ATTRIBUTE"),
    ):
        (error,) = merge(shop, one, two, **wanted)["userErrors"]
        assert (error["field"], error["code"]) == (["overrideFields", *wanted], code)


def test_merging_wants_its_scope(shop: Shop) -> None:
    """shopify.dev/docs/api/usage/access-scopes"""
    one, two = pair(shop)
    shop.town.faults.set({"shopify.extra_scopes": ""})
    named = {"one": gid("Customer", one.id), "two": gid("Customer", two.id), "override": None}
    (error,) = shop.ask(MERGE, **named)["errors"]
    assert error["extensions"]["code"] == "ACCESS_DENIED"
    shop.town.faults.set({"shopify.dropped_scopes": "read_customer_merge"})
    assert shop.ask(PREVIEW, **named)["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"


def test_everything_of_the_lost_one_goes_to_the_kept_one(shop: Shop) -> None:
    """captured: tags and notes; the rest is assumed"""
    one, two = pair(shop)
    shop.store.unindex_customer(two)
    two.phone = None
    shop.store.unindex_customer(one)
    one.phone, one.note, two.note = "+447700900555", "was one", "was two"
    shop.store.index_customer(one)
    shop.store.index_customer(two)
    places = [each.id for each in (*two.addresses, *one.addresses)]
    merge(shop, one, two)
    shop.wait(2)
    shop.ask("{ shop { id } }")
    assert (two.phone, two.note, [each.id for each in two.addresses]) == ("+447700900555", "was two was one", places)
    assert two.updated_at >= AT
