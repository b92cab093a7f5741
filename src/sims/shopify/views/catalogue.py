"""Products and variants as the Admin API shows them."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from sims.shopify.pages import Page, encode, whole
from sims.shopify.state import Image, gid
from sims.shopify.state import Product as Record
from sims.shopify.state import Variant as VariantRecord
from sims.shopify.views.metafields import WithMetafields
from sims.shopify.views.plain import always, count, dated, identified, money, numbered, own, price
from sims.shopify.views.sight import Sight

_TAG = re.compile(r"<[^>]+>")


class Product(WithMetafields):
    """A product with its variants."""

    __slots__ = ("record", "sight")
    type_name: ClassVar[str] = "Product"
    owner_type: ClassVar[str] = "PRODUCT"

    def __init__(self, sight: Sight, record: Record) -> None:
        self.sight, self.record = sight, record

    id = identified("Product")
    legacy_resource_id = numbered()
    title = own("title")
    handle = own("handle")
    status = own("status")
    vendor = own("vendor")
    product_type = own("product_type")
    tags = own("tags")
    description_html = own("body_html")
    is_gift_card = own("is_gift_card")
    created_at = dated("created_at")
    updated_at = dated("updated_at")
    published_at = dated("published_at")
    template_suffix = online_store_preview_url = always(None)
    tracks_inventory = always(True)
    has_only_default_variant = property(lambda self: len(self.record.variants) == 1)
    has_out_of_stock_variants = property(
        lambda self: any(each.inventory_quantity <= 0 for each in self.record.variants)
    )
    total_inventory = property(lambda self: sum(each.inventory_quantity for each in self.record.variants))
    variants_count = property(lambda self: count(len(self.record.variants)))
    media_count = property(lambda self: count(len(self.record.images)))
    default_cursor = property(lambda self: encode((self.record.id, self.record.id)))

    def description(self, truncate_at: int | None = None) -> str:
        return _TAG.sub("", self.record.body_html)[:truncate_at]

    @property
    def online_store_url(self) -> str | None:
        """Where the product is sold; null unless it is published."""
        one = self.record
        if one.status not in ("ACTIVE", "UNLISTED") or one.published_at is None:
            return None
        return f"https://{self.sight.store.shop.domain}/products/{one.handle}"

    @property
    def seo(self) -> dict[str, Any]:
        return {"title": None, "description": None}

    @property
    def category(self) -> dict[str, Any] | None:
        if self.record.category is None:
            return None
        number, full_name = self.record.category
        names = full_name.split(" > ")
        return {
            "__typename": "TaxonomyCategory",
            "id": number,
            "name": names[-1],
            "fullName": full_name,
            "level": len(names),
            "isLeaf": True,
            "isRoot": len(names) == 1,
            "isArchived": False,
            "parentId": None if len(names) == 1 else number.rsplit("-", 1)[0],
            "ancestorIds": [],
            "childrenIds": [],
        }

    def options(self, first: int | None = None) -> list[dict[str, Any]]:
        one = self.record
        return [
            {
                "__typename": "ProductOption",
                "id": gid("ProductOption", one.id + n),
                "name": name,
                "position": n,
                "values": list(values),
                "optionValues": [_option_value(one, n, value) for value in values],
            }
            for n, (name, values) in enumerate(one.options[:first], 1)
        ]

    @property
    def price_range_v2(self) -> dict[str, Any]:
        prices = [each.price for each in self.record.variants]
        currency = self.sight.store.shop.currency
        return {
            "minVariantPrice": money(min(prices), currency),
            "maxVariantPrice": money(max(prices), currency),
        }

    @property
    def compare_at_price_range(self) -> dict[str, Any] | None:
        prices = [each.compare_at_price for each in self.record.variants if each.compare_at_price is not None]
        if not prices:
            return None
        currency = self.sight.store.shop.currency
        return {
            "minVariantCompareAtPrice": money(min(prices), currency),
            "maxVariantCompareAtPrice": money(max(prices), currency),
        }

    def variants(self, sort_key: str = "POSITION", **asked: Any) -> Page:
        mine = {each.id: each for each in self.record.variants}
        return self.sight.find("variants", mine, self._variant, {}, None, sort_key, is_whole=False, **asked)

    def _variant(self, record: VariantRecord) -> ProductVariant:
        return ProductVariant(self.sight, record)

    @property
    def featured_media(self) -> dict[str, Any] | None:
        return media(self.record, self.record.images[0]) if self.record.images else None

    def media(self, query: str | None = None, sort_key: str = "POSITION", **asked: Any) -> Page:  # noqa: ARG002
        return whole(self.record.images, lambda each: media(self.record, each), **asked)


class ProductVariant(WithMetafields):
    """One buyable version of a product."""

    __slots__ = ("record", "sight")
    type_name: ClassVar[str] = "ProductVariant"
    owner_type: ClassVar[str] = "PRODUCTVARIANT"

    def __init__(self, sight: Sight, record: VariantRecord) -> None:
        self.sight, self.record = sight, record

    id = identified("ProductVariant")
    legacy_resource_id = numbered()
    title = own("title")
    sku = own("sku")
    barcode = own("barcode")
    position = own("position")
    taxable = own("taxable")
    inventory_quantity = own("inventory_quantity")
    inventory_policy = own("inventory_policy")
    created_at = dated("created_at")
    updated_at = dated("updated_at")
    price = property(lambda self: price(self.record.price))
    default_cursor = property(lambda self: encode((self.record.id, self.record.id)))
    sellable_online_quantity = property(lambda self: max(0, self.record.inventory_quantity))

    @property
    def display_name(self) -> str:
        return f"{self.product.record.title} - {self.record.title}"

    @property
    def compare_at_price(self) -> str | None:
        amount = self.record.compare_at_price
        return None if amount is None else price(amount)

    @property
    def available_for_sale(self) -> bool:
        one = self.record
        return bool(one.inventory_quantity > 0 or one.inventory_policy == "CONTINUE")

    @property
    def selected_options(self) -> list[dict[str, Any]]:
        parent = self.product.record
        return [
            {"name": name, "value": value, "optionValue": _option_value(parent, n, value)}
            for n, ((name, _), value) in enumerate(zip(parent.options, self.record.options, strict=False), 1)
        ]

    @property
    def inventory_item(self) -> dict[str, Any]:
        one = self.record
        return {
            "__typename": "InventoryItem",
            "id": gid("InventoryItem", one.inventory_item_id),
            "legacyResourceId": str(one.inventory_item_id),
            "sku": one.sku,
            "tracked": True,
            "requiresShipping": one.requires_shipping,
            "unitCost": None,
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
        }

    @property
    def product(self) -> Product:
        return Product(self.sight, self.sight.store.products[self.record.product_id])

    def media(self, **asked: Any) -> Page:
        parent = self.product.record
        mine = [each for each in parent.images if each.id == self.record.image_id]
        return whole(mine, lambda each: media(parent, each), **asked)


def media(product: Record, one: Image) -> dict[str, Any]:
    """Write a picture of a product."""
    picture = {"id": gid("ImageSource", one.id), "url": one.url, "altText": one.alt, "width": 1200, "height": 1600}
    at = dated_text(product)
    return {
        "__typename": "MediaImage",
        "id": gid("MediaImage", one.id),
        "alt": one.alt,
        "mediaContentType": "IMAGE",
        "status": "READY",
        "preview": {"image": picture, "status": "READY"},
        "image": picture,
        "mimeType": "image/jpeg",
        "createdAt": at,
        "updatedAt": at,
    }


def dated_text(product: Record) -> str:
    """Write when a product's pictures came: with the product."""
    return f"{product.created_at:%Y-%m-%dT%H:%M:%SZ}"


def _option_value(product: Record, position: int, value: str) -> dict[str, Any]:
    values = list(product.options[position - 1][1])
    at = values.index(value) if value in values else 0
    return {
        "__typename": "ProductOptionValue",
        "id": gid("ProductOptionValue", product.id + position * 100 + at),
        "name": value,
        "hasVariants": any(value in each.options for each in product.variants),
    }
