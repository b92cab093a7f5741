"""A Product node of `queries/products.graphql`, with every variant.

https://shopify.dev/docs/api/admin-graphql/2026-10/objects/Product
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from isthmus.model.metafield import Metafield
from isthmus.model.product import Product, Variant
from isthmus.shopify.parse import metafield
from isthmus.shopify.parse.common_graphql import GraphqlImage, Nodes, graphql_tags, image_url, number_of_gid
from isthmus.shopify.parse.json import When, json_converter, json_reader, to_utc, to_utc_or_none
from isthmus.shopify.parse.money import parse_plain_amount


class _Category(Struct, gc=False, rename="camel"):
    full_name: str


class _Option(Struct, gc=False):
    name: str
    value: str


class _Item(Struct, gc=False):
    tracked: bool


class _Variant(Struct, gc=False, rename="camel"):
    id: str
    title: str
    price: str
    compare_at_price: str | None
    sku: str | None
    barcode: str | None
    inventory_quantity: int | None
    inventory_policy: str
    inventory_item: _Item
    selected_options: list[_Option]
    media: Nodes[GraphqlImage]
    metafields: Nodes[metafield.Node] | None = None


class _Product(Struct, gc=False, rename="camel"):
    id: str
    title: str
    handle: str
    status: str
    created_at: When
    updated_at: When
    published_at: When | None
    vendor: str
    product_type: str
    tags: list[str]
    category: _Category | None
    featured_media: GraphqlImage | None
    variants: Nodes[_Variant]
    metafields: Nodes[metafield.Node] | None = None


_convert = json_converter(_Product)
_read = json_reader(_Product)


def parse_product_node(node: dict[str, Any], keys: Sequence[str] = (), variant_keys: Sequence[str] = ()) -> Product:
    """Read one product node whose variants are complete, with the custom fields of these keys.

    Raises RejectedError `storefront.unreadable_body` with the path of what is wrong.
    """
    return _told(_convert(node), keys, variant_keys)


def parse_product_json(body: bytes, keys: Sequence[str] = (), variant_keys: Sequence[str] = ()) -> Product:
    """Read one product node written as JSON; fails like `parse`."""
    return _told(_read(body), keys, variant_keys)


def _told(raw: _Product, keys: Sequence[str], variant_keys: Sequence[str]) -> Product:
    return Product(
        id=number_of_gid(raw.id),
        title=raw.title,
        handle=raw.handle,
        status=raw.status,
        created_at=to_utc(raw.created_at),
        updated_at=to_utc(raw.updated_at),
        published_at=to_utc_or_none(raw.published_at),
        vendor=raw.vendor or None,
        kind=raw.product_type or None,
        category=raw.category.full_name or None if raw.category is not None else None,
        tags=graphql_tags(raw.tags),
        image_url=image_url(raw.featured_media),
        variants=tuple([_variant(variant, variant_keys) for variant in raw.variants.nodes]),
        metafields=_fields(raw.metafields, keys),
    )


def _fields(told: Nodes[metafield.Node] | None, keys: Sequence[str]) -> tuple[Metafield, ...] | None:
    return metafield.requested_metafields(told.nodes, keys) if told is not None and keys else None


def _variant(variant: _Variant, keys: Sequence[str]) -> Variant:
    media = variant.media.nodes
    return Variant(
        id=number_of_gid(variant.id),
        title=variant.title,
        price=parse_plain_amount(variant.price),
        compare_at=None if variant.compare_at_price is None else parse_plain_amount(variant.compare_at_price),
        sku=variant.sku or None,
        barcode=variant.barcode or None,
        stock=variant.inventory_quantity if variant.inventory_item.tracked else None,
        sells_without_stock=variant.inventory_policy == "CONTINUE",
        options=tuple([(option.name, option.value) for option in variant.selected_options]),
        image_url=image_url(media[0]) if media else None,
        metafields=_fields(variant.metafields, keys),
    )
