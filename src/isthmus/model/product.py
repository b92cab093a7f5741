"""A product page and the variants that can be put in a basket."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from isthmus.model.metafield import Metafield


class Variant(Struct, frozen=True, gc=False, omit_defaults=True):
    """`options` pairs option name and value in the product's order; `stock` is None where stock is not tracked."""

    id: int
    title: str
    price: Decimal
    compare_at: Decimal | None = None
    sku: str | None = None
    barcode: str | None = None
    stock: int | None = None
    sells_without_stock: bool = False
    options: tuple[tuple[str, str], ...] = ()
    image_url: str | None = None
    metafields: tuple[Metafield, ...] | None = None


class Product(Struct, frozen=True, gc=False, omit_defaults=True):
    """`status` is ACTIVE, ARCHIVED, DRAFT or UNLISTED. `is_whole` is False when only some variants came along.

    `metafields` holds the custom fields that were asked for; None was never read, here and of a variant.
    """

    id: int
    title: str
    handle: str
    status: str
    created_at: datetime
    updated_at: datetime
    published_at: datetime | None = None
    vendor: str | None = None
    kind: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    image_url: str | None = None
    variants: tuple[Variant, ...] = ()
    is_whole: bool = True
    metafields: tuple[Metafield, ...] | None = None
