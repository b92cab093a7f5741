"""Any record that has custom fields, read for nothing but these: a node of `queries/metafields.graphql`.

https://shopify.dev/docs/api/admin-graphql/2026-10/interfaces/HasMetafields
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from isthmus.model.metafield import Metafield
from isthmus.shopify.parse import metafield
from isthmus.shopify.parse.common_graphql import Nodes
from isthmus.shopify.parse.json import json_converter


class _Record(Struct, gc=False):
    metafields: Nodes[metafield.Node]


_convert = json_converter(_Record)


def parse_metafield_node(node: dict[str, Any], keys: Sequence[str]) -> tuple[Metafield, ...]:
    """The fields of these keys; RejectedError `storefront.unreadable_body` with the path of what is wrong."""
    return metafield.requested_metafields(_convert(node).metafields.nodes, keys)
