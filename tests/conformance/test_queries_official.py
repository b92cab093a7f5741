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

from isthmus.shopify.documents import DOCUMENTS, Document
from isthmus.shopify.topics import SUBSCRIBED, enum_name
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


def test_every_topic_can_be_subscribed():
    topics = official().type_map["WebhookSubscriptionTopic"].values
    assert [name for name in SUBSCRIBED if enum_name(name) not in topics] == []
