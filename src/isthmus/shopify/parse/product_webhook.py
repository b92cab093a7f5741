"""The body of a product webhook: up to 100 variants; with more it says only their names.

https://shopify.dev/docs/api/webhooks/2026-10?reference=toml#list-of-topics-products/update
"""

from msgspec import Struct

from isthmus.model.product import Product, Variant
from isthmus.shopify.parse.common_rest import rest_tags
from isthmus.shopify.parse.json import Count, Id, NeedsFetch, When, json_reader, to_utc, to_utc_or_none
from isthmus.shopify.parse.money import parse_plain_amount


class _Image(Struct, gc=False):
    src: str
    id: Id | None = None


class _Option(Struct, gc=False):
    name: str


class _Category(Struct, gc=False):
    full_name: str | None = None


class _Named(Struct, gc=False):
    admin_graphql_api_id: str


class _Variant(Struct, gc=False):
    id: Id
    title: str
    price: str
    compare_at_price: str | None = None
    sku: str | None = None
    barcode: str | None = None
    inventory_quantity: Count | None = None
    inventory_policy: str | None = None
    option1: str | None = None
    option2: str | None = None
    option3: str | None = None
    image_id: Id | None = None


class _Product(Struct, gc=False):
    id: Id
    title: str
    handle: str
    status: str
    updated_at: When
    created_at: When | None = None
    published_at: When | None = None
    vendor: str | None = None
    product_type: str | None = None
    category: _Category | None = None
    tags: str | None = None
    image: _Image | None = None
    images: list[_Image] = []
    options: list[_Option] = []
    variants: list[_Variant] = []
    variant_gids: list[_Named] = []


_read = json_reader(_Product)


def parse_product_webhook(body: bytes) -> Product | NeedsFetch:
    """Read one product body; a Hint when it left variants out, or when one of them is at or below zero.

    Then the product has to be read, because the body does not tell an empty shelf from a shelf that nobody counts.
    Raises RejectedError `storefront.unreadable_body` with the path of what is wrong.
    """
    raw = _read(body)
    if len(raw.variant_gids) > len(raw.variants):
        return NeedsFetch(raw.id, to_utc(raw.updated_at), "a product without all of its variants")
    if any(variant.inventory_quantity is None or variant.inventory_quantity <= 0 for variant in raw.variants):
        return NeedsFetch(raw.id, to_utc(raw.updated_at), "a product with a shelf that may be empty or not counted")
    pictures = {image.id: image.src for image in raw.images}
    names = [option.name for option in raw.options]
    return Product(
        id=raw.id,
        title=raw.title,
        handle=raw.handle,
        status=raw.status.upper(),
        created_at=to_utc(raw.created_at or raw.updated_at),
        updated_at=to_utc(raw.updated_at),
        published_at=to_utc_or_none(raw.published_at),
        vendor=raw.vendor or None,
        kind=raw.product_type or None,
        category=raw.category.full_name or None if raw.category is not None else None,
        tags=rest_tags(raw.tags),
        image_url=raw.image.src if raw.image is not None else None,
        variants=tuple([_variant(variant, names, pictures) for variant in raw.variants]),
    )


def _variant(variant: _Variant, names: list[str], pictures: dict[int | None, str]) -> Variant:
    values = (variant.option1, variant.option2, variant.option3)
    return Variant(
        id=variant.id,
        title=variant.title,
        price=parse_plain_amount(variant.price),
        compare_at=None if variant.compare_at_price is None else parse_plain_amount(variant.compare_at_price),
        sku=variant.sku or None,
        barcode=variant.barcode or None,
        stock=variant.inventory_quantity,
        sells_without_stock=(variant.inventory_policy or "").upper() == "CONTINUE",
        options=tuple([(name, value) for name, value in zip(names, values, strict=False) if value is not None]),
        image_url=pictures.get(variant.image_id) if variant.image_id is not None else None,
    )
