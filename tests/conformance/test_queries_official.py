"""Every GraphQL operation we send, held against Shopify's own published schema."""

from functools import cache

import pytest
from graphql import (
    GraphQLSchema,
    NoDeprecatedCustomRule,
    OperationDefinitionNode,
    build_schema,
    parse,
    specified_rules,
    validate,
)
from sources import need

from isthmus.shopify import documents
from isthmus.shopify.batched_operations import batch_operations
from isthmus.shopify.documents import DOCUMENTS, Document
from isthmus.shopify.topics import SUBSCRIBED, topic_enum_name
from sims.shopify.cost import Price

FILES = sorted({document.file for document in DOCUMENTS})
SINGLE_QUERY_MAX = 1000


@cache
def official() -> GraphQLSchema:
    return build_schema(need("admin_2026-10.graphql").read_text(), assume_valid=True)


def text(file: str) -> str:
    return next(document for document in DOCUMENTS if document.file == file).text


@pytest.mark.parametrize("file", FILES)
def test_a_file_of_operations_is_valid_and_asks_for_nothing_deprecated(file):
    found = validate(official(), parse(text(file)), [*specified_rules, NoDeprecatedCustomRule])
    assert [error.message for error in found] == []


@pytest.mark.parametrize("file", FILES)
def test_every_operation_of_a_file_is_one_that_we_know(file):
    written = [one.name.value for one in parse(text(file)).definitions if isinstance(one, OperationDefinitionNode)]
    known = [document.operation for document in DOCUMENTS if document.file == file]
    assert sorted(written) == sorted(known)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.operation)
def test_an_operation_costs_what_we_say_and_fits(document: Document):
    tree = parse(document.text)
    operation = next(
        one
        for one in tree.definitions
        if isinstance(one, OperationDefinitionNode) and one.name.value == document.operation
    )
    assert Price(official(), tree, {}).requested(operation) == document.cost
    assert document.cost <= SINGLE_QUERY_MAX
    assert document.batch <= 250


@pytest.mark.parametrize(
    ("parts", "verb"),
    [
        ([documents.EMAIL_CONSENT] * 20, "mutation"),
        ([documents.SMS_CONSENT, documents.EMAIL_CONSENT, documents.SMS_CONSENT], "mutation"),
        ([documents.BY_ADDRESS] * 50, "query"),
    ],
)
def test_many_operations_in_one_are_valid_and_cost_their_sum(parts: list[Document], verb: str):
    together = batch_operations(parts, verb)
    tree = parse(together.text)
    found = validate(official(), tree, [*specified_rules, NoDeprecatedCustomRule])
    assert [error.message for error in found] == []
    (operation,) = [one for one in tree.definitions if isinstance(one, OperationDefinitionNode)]
    assert operation.name.value == together.operation
    assert Price(official(), tree, {}).requested(operation) == together.cost <= SINGLE_QUERY_MAX


@pytest.mark.parametrize("n", [1, 5, 10, 50])
@pytest.mark.parametrize("document", [one for one in DOCUMENTS if one.places], ids=lambda document: document.operation)
def test_custom_fields_cost_what_we_say(document: Document, n: int):
    tree = parse(document.text)
    operation = next(
        one
        for one in tree.definitions
        if isinstance(one, OperationDefinitionNode) and one.name.value == document.operation
    )
    asked = document.with_fields(*[n] * len(document.places))
    assert Price(official(), tree, {"n": n, "nOfVariant": n}).requested(operation) == asked.cost
    assert asked.cost <= SINGLE_QUERY_MAX


def test_every_topic_can_be_subscribed():
    topics = official().type_map["WebhookSubscriptionTopic"].values
    assert [name for name in SUBSCRIBED if topic_enum_name(name) not in topics] == []
