"""A product page and its variants as Ometria should say them: prices, stock, activity, and every attribute.

Ometria replaces the whole list of attributes at every push
(https://support.ometria.com/support/solutions/articles/7000045353-merge), so it is always complete.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from urllib.parse import quote

from msgspec import Struct

from isthmus.kit.money import quantize
from isthmus.mapping import custom, fields, trim
from isthmus.mapping.rules import Rules
from isthmus.model.lane import Lane
from isthmus.model.product import Product, Variant
from isthmus.model.shared_property import UNHELD, SharedProperty
from isthmus.model.write import RecordKind, Write
from isthmus.ometria import wire

_NO_OPTION = "Default Title"
"""What Shopify calls the only variant of a product without options."""

_TYPES = frozenset({"vendor", "type", "category", "tag"})

Helds = Mapping[str, SharedProperty]
"""What Ometria holds in properties that are not ours alone, by the id of the record there."""

_NONE: Helds = MappingProxyType({})


def map_product(product: Product, rules: Rules, lane: Lane, helds: Helds = _NONE) -> list[Write]:
    """The desired state of a product and of its variants, the product first.

    Give it the whole product: variants that did not come along would lose their part of the product's attributes.
    Raises RejectedError `integration.record_too_large`.
    """
    return _writes(product, rules, lane, helds, is_active=is_active(product))


def map_removed_product(product: Product, rules: Rules, lane: Lane, helds: Helds = _NONE) -> list[Write]:
    """A product that is gone from the shop, from the last that was known of it: inactive with all its variants.

    It stays in Ometria, since past orders point to it.
    """
    return _writes(product, rules, lane, helds, is_active=False)


def map_removed_variants(
    before: Product, after: Product, rules: Rules, lane: Lane, helds: Helds = _NONE
) -> list[Write]:
    """The variants that a product lost between two states, inactive; none while `after` is not whole."""
    if not after.is_whole:
        return []
    left = {variant.id for variant in after.variants}
    return [
        _write(*_variant(before, variant, rules, helds, is_active=False), before, lane)
        for variant in before.variants
        if variant.id not in left
    ]


def is_active(product: Product) -> bool:
    """Whether it may be shown and recommended: active and published; an unlisted page is reached by its link only."""
    return product.status == "ACTIVE" and product.published_at is not None


def product_record_ids(product: Product, rules: Rules) -> list[str]:
    """What the records of a product are called in Ometria: the page, then its variants."""
    return [rules.id_of("product", number) for number in (product.id, *(one.id for one in product.variants))]


def _writes(product: Product, rules: Rules, lane: Lane, helds: Helds, *, is_active: bool) -> list[Write]:
    records = [_parent(product, rules, helds, is_active=is_active)]
    records += [_variant(product, variant, rules, helds, is_active=is_active) for variant in product.variants]
    return [_write(*record, product, lane) for record in records]


class _Own(Struct, frozen=True):
    """The properties of a page or a variant, what of them is to be remembered as ours, and how many were cut."""

    properties: wire.Properties
    ours: Mapping[str, object] | None
    n_cut: int


def _write(record: wire.ProductBody, own: _Own, product: Product, lane: Lane) -> Write:
    body, n_cut = trim.trim_product(record)
    return Write(
        RecordKind.PRODUCT,
        record.id,
        body,
        lane,
        subject=f"product:{product.id}",
        n_cut=own.n_cut + n_cut,
        ours=own.ours,
    )


def _own(of: Product | Variant, owner: str, rules: Rules, held: SharedProperty, before: wire.Properties) -> _Own:
    """Properties of our own with the custom fields behind them, cleared as this platform clears, as far as they fit."""
    own = custom.map_properties(of.metafields, owner, rules, held)
    cleared = {"null": None, "empty": ""}
    asked = {
        name: cleared[rules.clear] if value is None else value
        for name, value in own.properties.items()
        if value is not None or rules.clear in cleared
    }
    fitted = fields.fit_properties(before | asked)
    ours = custom.own_values(held, own, fitted.properties)
    return _Own(fitted.properties, ours, own.n_cut + fitted.n_cut)


def _parent(product: Product, rules: Rules, helds: Helds, *, is_active: bool) -> tuple[wire.ProductBody, _Own]:
    """The page: its price is that of its cheapest variant, and it is in stock when any variant is."""
    cheapest = min(product.variants, key=lambda variant: variant.price, default=None)
    price, special = _prices(cheapest, rules) if cheapest else (None, None)
    storefront = (rules.storefront_url or f"https://{rules.domain}").rstrip("/")
    url = f"{storefront}/products/{quote(product.handle)}"
    id_ = rules.id_of("product", product.id)
    own = _own(product, "product", rules, helds.get(id_, UNHELD), {})
    record = wire.ProductBody(
        id=id_,
        title=product.title,
        currency=rules.currency,
        is_variant=False,
        is_active=is_active,
        is_in_stock=any(is_in_stock(variant) for variant in product.variants),
        attributes=(*_attributes(product), *custom.map_attributes(product.metafields, "product", rules)),
        sku=product.variants[0].sku if len(product.variants) == 1 else None,
        price=price,
        special_price=special,
        url=url,
        image_url=product.image_url,
        listings=(
            wire.Listing(
                store=rules.store_id,
                title=product.title,
                url=url,
                currency=rules.currency,
                is_active=is_active,
                image_url=product.image_url,
                price=price,
                special_price=special,
            ),
        ),
        properties=own.properties or None,
    )
    return record, own


def _variant(
    product: Product, variant: Variant, rules: Rules, helds: Helds, *, is_active: bool
) -> tuple[wire.ProductBody, _Own]:
    """One variant: it has neither page nor listings of its own.

    ASSUMED: no field for the way back to the product is documented for this API, so it is a custom property.
    """
    price, special = _prices(variant, rules)
    has_name = variant.title and variant.title != _NO_OPTION
    id_ = rules.id_of("product", variant.id)
    parent: wire.Properties = {"parent_id": rules.id_of("product", product.id)}
    own = _own(variant, "variant", rules, helds.get(id_, UNHELD), parent)
    record = wire.ProductBody(
        id=id_,
        title=f"{product.title} – {variant.title}" if has_name else product.title,
        currency=rules.currency,
        is_variant=True,
        is_active=is_active,
        is_in_stock=is_in_stock(variant),
        attributes=(*_options([variant]), *custom.map_attributes(variant.metafields, "variant", rules)),
        sku=variant.sku,
        price=price,
        special_price=special,
        image_url=variant.image_url or product.image_url,
        properties=own.properties,
    )
    return record, own


def is_in_stock(variant: Variant) -> bool:
    """Whether it can be bought now: stock is left, is not counted, or does not matter."""
    return variant.stock is None or variant.stock > 0 or variant.sells_without_stock


def _prices(variant: Variant, rules: Rules) -> tuple[Decimal, Decimal | None]:
    """Price and special price: a higher compare-at price is the price, and what is asked now is special."""
    price = quantize(variant.price, rules.currency)
    if variant.compare_at is not None and variant.compare_at > variant.price:
        return quantize(variant.compare_at, rules.currency), price
    return price, None


def _attributes(product: Product) -> Iterable[wire.Attribute]:
    for type_, label in (("vendor", product.vendor), ("type", product.kind), ("category", product.category)):
        if given := fields.clean_text(label):
            yield _attribute(type_, given)
    yield from (_attribute("tag", tag) for tag in fields.map_tags(product.tags, None))
    yield from _options(product.variants)


def _options(variants: Iterable[Variant]) -> Iterable[wire.Attribute]:
    """Every value of every option once, in the order of the variants."""
    seen = set()
    for variant in variants:
        for name, value in variant.options:
            attribute = _attribute(_option_type(name), value.strip())
            if value.strip() not in ("", _NO_OPTION) and (attribute.type, attribute.id) not in seen:
                seen.add((attribute.type, attribute.id))
                yield attribute


def _option_type(name: str) -> str:
    """An option's name as a type of attribute, kept apart from our own types."""
    type_ = "_".join(name.casefold().split())
    return f"option_{type_}" if type_ in _TYPES else type_


def _attribute(type_: str, label: str) -> wire.Attribute:
    return wire.Attribute(type_, label.casefold(), label)
