"""The webhook subscription API of the simulated shop answers as the real one was captured answering."""

import json
from typing import Any

import pytest
from captures import Call, Replay, calls, document_of
from sources import find

FOLDER = find("live-captures/webhooks")
FILES = sorted(FOLDER.glob("*.json")) if FOLDER is not None else []

needs_captures = pytest.mark.skipif(FOLDER is None, reason="the captured answers are not on this machine")

WRITTEN = {
    "webhook-subscription-bogus-topic.graphql": 'mutation WebhookSubscriptionBogusTopic {\n  webhookSubscriptionCreate(topic: NOT_A_REAL_TOPIC, webhookSubscription: {uri: "https://example.com/x"}) { userErrors { message } }\n}',  # noqa: E501
    "webhook-subscription-hidden-topic.graphql": 'mutation WebhookSubscriptionHiddenTopic {\n  webhookSubscriptionCreate(topic: CUSTOMER_INTERACTIONS, webhookSubscription: {uri: "https://example.com/x"}) { userErrors { message } }\n}',  # noqa: E501
    "webhook-subscription-missing-create-topic.graphql": 'mutation MissingCreateWebhookTopic {\n  webhookSubscriptionCreate(webhookSubscription: {uri: "https://example.com/x"}) { userErrors { message } }\n}',  # noqa: E501
    "webhook-subscription-null-update-input.graphql": 'mutation NullUpdateWebhookInput {\n  webhookSubscriptionUpdate(id: "gid://shopify/WebhookSubscription/1", webhookSubscription: null) { userErrors { message } }\n}',  # noqa: E501
    "webhook-subscription-invalid-sort-key.graphql": "query InvalidWebhookSubscriptionSortKey {\n  webhookSubscriptions(first: 1, sortKey: TOPIC) { nodes { id } }\n}",  # noqa: E501
    "webhook-subscription-catalog-read.graphql": "query Catalog($first: Int!, $missingQuery: String, $unknownId: ID!) { webhookSubscriptions(first: $first) { nodes { id } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } webhookSubscriptionsCount { count precision } filteredCount: webhookSubscriptionsCount(query: $missingQuery) { count precision } unknown: webhookSubscription(id: $unknownId) { id } }",  # noqa: E501
    "webhook-subscription-validation-branches.graphql": "mutation Branches($unknownId: ID!, $unknownUpdateInput: WebhookSubscriptionInput!) { updateUnknown: webhookSubscriptionUpdate(id: $unknownId, webhookSubscription: $unknownUpdateInput) { webhookSubscription { id } userErrors { field message } } deleteUnknown: webhookSubscriptionDelete(id: $unknownId) { deletedWebhookSubscriptionId userErrors { field message } } createMissingUri: webhookSubscriptionCreate(topic: SHOP_UPDATE, webhookSubscription: {format: JSON}) { webhookSubscription { id } userErrors { field message } } }",  # noqa: E501
    "webhook-subscription-uri-validation.graphql": "mutation Uris($baselineTopic: WebhookSubscriptionTopic!, $baselineWebhookSubscription: WebhookSubscriptionInput!) { "  # noqa: E501
    + " ".join(
        f'{alias}: webhookSubscriptionCreate(topic: SHOP_UPDATE, webhookSubscription: {{uri: "{uri}"}}) {{ webhookSubscription {{ id }} userErrors {{ field message }} }}'  # noqa: E501
        for alias, uri in (
            ("createHttpUriRejected", "http://example.com/hook"),
            ("createInternalDomainRejected", "https://localhost/hook"),
            ("createShopifyDomainRejected", "https://example.myshopify.com/hook"),
        )
    )
    + " baselineCreate: webhookSubscriptionCreate(topic: $baselineTopic, webhookSubscription: $baselineWebhookSubscription) { webhookSubscription { id } userErrors { field message } } }",  # noqa: E501
}
"""Documents whose text the capture left out but whose answer tells it: literals stand in the error messages."""

OUT_OF_REACH = {
    "customer-create": "customers are not created through this API by the simulated shop",
    "customer-delete": "customers are not deleted through this API by the simulated shop",
    "schema-probe": "the probe's introspection document was left out",
    "webhook-subscription-metafield-namespaces-resolution": "the document was left out",
}
"""Captured calls that cannot be made again, by a part of their document's name, and why."""


def variable_document(call: Call) -> str | None:
    """Write the document of a call that was refused for its variables: its root field begins the document's name."""
    if "errors" not in call.answer or "webhookSubscription" not in call.variables:
        return None
    root = call.document.partition("-")[0]
    if not root.endswith(("SubscriptionCreate", "SubscriptionUpdate")):
        return None
    head = {"pubSub": "PubSub", "eventBridge": "EventBridge"}
    prefix = next((told for start, told in head.items() if root.startswith(start)), "")
    first = "$topic: WebhookSubscriptionTopic!" if root.endswith("Create") else "$id: ID!"
    name = "topic" if root.endswith("Create") else "id"
    return (
        f"mutation Replayed(\n  {first}\n  $webhookSubscription: {prefix}WebhookSubscriptionInput!\n) "
        f"{{ {root}({name}: ${name}, webhookSubscription: $webhookSubscription) {{ userErrors {{ message }} }} }}"
    )


def out_of_reach(call: Call) -> str | None:
    """Return why a call cannot be made again."""
    return next((why for part, why in OUT_OF_REACH.items() if part in call.document), None)


@needs_captures
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_captured_file_is_answered_alike(path: Any) -> None:
    replay = Replay.begin()
    found = list(calls(json.loads(path.read_text())))
    created = {_created(call): call for call in found if _created(call)}
    done: set[str] = set()
    wrong: list[str] = []

    def make(call: Call) -> None:
        once = json.dumps([call.document, call.variables, call.answer], sort_keys=True)
        if call.where in done or out_of_reach(call) or ("Delete" in call.document and once in done):
            return  # some files tell a deletion twice
        done.update((call.where, once))
        for value in call.variables.values():  # a file's order is by section, not by time
            if isinstance(value, str) and value in created and value not in replay.names:
                make(created[value])
        document = WRITTEN.get(call.document) or document_of(call) or variable_document(call)
        assert document is not None, f"{call.where}: no document for {call.document}"
        told = replay.ask(document, call.variables)
        wrong.extend(f"{call.where}{each}" for each in _compare(replay, call, told))

    for call in sorted(found, key=_stage):
        make(call)
    assert not wrong, "\n".join(wrong)
    assert done or all(out_of_reach(call) for call in found)


@needs_captures
@pytest.mark.parametrize(
    ("where", "why"),
    [
        (f"{path.stem}: {call.where}", out_of_reach(call))
        for path in FILES
        for call in calls(json.loads(path.read_text()))
        if out_of_reach(call)
    ],
)
def test_a_captured_call_is_out_of_reach(where: str, why: str) -> None:
    pytest.skip(f"{where}: {why}")


def _stage(call: Call) -> int:
    """Order a file's calls as they were made: it keeps them by section."""
    if "leanup" in call.where:
        return 2
    return 0 if call.where.startswith("setup") else 1


def _compare(replay: Replay, call: Call, told: dict[str, Any]) -> list[str]:
    if "errors" in call.answer:
        captured, answered = call.answer["errors"], told.get("errors", [])
        for each in (*captured, *answered):
            each.pop("locations", None)  # they point into documents we do not have
        return replay.differences(_without_lists(captured), _without_lists(answered), ".errors")
    if "errors" in told:
        return [f".errors: {told['errors']}"]
    return replay.differences(call.answer["data"], told["data"], ".data")


def _created(call: Call) -> str | None:
    data = call.answer.get("data") or {}
    for root, answer in data.items():
        if root.endswith("SubscriptionCreate") and isinstance(answer, dict) and answer.get("webhookSubscription"):
            number: str = answer["webhookSubscription"]["id"]
            return number
    return None


def _without_lists(told: Any) -> Any:
    """Cut the list of accepted values off a message: the topics of then are not the topics of now."""
    if isinstance(told, str):
        return told.partition(" to be one of: ")[0]
    if isinstance(told, dict):
        return {key: _without_lists(value) for key, value in told.items()}
    return [_without_lists(each) for each in told] if isinstance(told, list) else told
