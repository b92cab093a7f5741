"""Our table of topics, held against Shopify's own list and samples."""

import json

import pytest
from sources import need

from isthmus.shopify import topics

NAMELESS = {"returns/process", "checkouts/delete"}
"""Topics whose published sample names no record that we know."""


def listed() -> dict[str, dict]:
    return {row["topic"]: row for row in json.loads(need("topics-2026-10.json").read_text())}


@pytest.mark.parametrize("name", sorted(set(topics.TOPICS) - set(topics.COMPLIANCE)))
def test_a_topic_is_spelt_as_shopify_spells_it(name):
    row = listed()[name]
    assert row["enum"] == topics.topic_enum_name(name)


@pytest.mark.parametrize("name", [row.name for row in topics.TOPICS.values() if row.scopes])
def test_one_of_our_scopes_lets_an_app_subscribe(name):
    assert set(topics.TOPICS[name].scopes) & set(listed()[name]["any_of_scopes"])


@pytest.mark.parametrize("name", sorted(set(topics.TOPICS) - NAMELESS))
def test_a_published_body_names_its_record(name):
    sample = json.loads((need("webhook-samples-2026-07") / f"{name}.json").read_text())["response"]
    assert topics.record_of_body(name, json.dumps(sample).encode()) is not None
