"""A product page and its variants as Ometria should say them: prices, stock, activity, and every attribute.

The platform replaces the whole list of attributes at every push
(https://support.ometria.com/support/solutions/articles/7000045353-merge), so it is always complete.
"""

from collections.abc import Iterable
from decimal import Decimal
from urllib.parse import quote

from isthmus.kit.money import quantize
from isthmus.mapping import fields, trim
from isthmus.mapping.rules import Rules
from isthmus.model.lane import Lane
from isthmus.model.product import Product, Variant
from isthmus.model.write import Kind, Write
from isthmus.ometria import wire

_NO_OPTION = "Default Title"
"""What Shopify calls the only variant of a product without options."""

_TYPES = frozenset({"vendor", "type", "category", "tag"})


def product(product: Product, rules: Rules, lane: Lane) -> list[Write]:
    """The desired state of a product and of its variants, the product first.

    Give it the whole product: variants that did not come along would lose their part of the product's attributes.
    Raises RejectedError `integration.record_too_large`.
    """
    return _writes(product, product.variants, rules, lane, is_active=is_active(product))


def retired(product: Product, rules: Rules, lane: Lane) -> list[Write]:
    """A product that is gone from the shop, from the last that was known of it: inactive with all its variants.

    It stays on the platform, since past orders point to it.
    """
    return _writes(product, product.variants, rules, lane, is_active=False)


def dropped(before: Product, after: Product, rules: Rules, lane: Lane) -> list[Write]:
    """The variants that a product lost between two states, inactive; none while `after` is not whole."""
    if not after.is_whole:
        return []
    left = {variant.id for variant in after.variants}
    return [
        _write(_variant(before, variant, rules, is_active=False), before, lane)
        for variant in before.variants
        if variant.id not in left
    ]


def is_active(product: Product) -> bool:
    """Whether it may be shown and recommended: active and published; an unlisted page is reached by its link only."""
    return product.status == "ACTIVE" and product.published_at is not None


def _writes(product: Product, variants: Iterable[Variant], rules: Rules, lane: Lane, *, is_active: bool) -> list[Write]:
    records = [_parent(product, rules, is_active=is_active)]
    records += [_variant(product, variant, rules, is_active=is_active) for variant in variants]
    return [_write(record, product, lane) for record in records]


def _write(record: wire.Product, product: Product, lane: Lane) -> Write:
    body, n_cut = trim.product(record)
    return Write(Kind.PRODUCT, record.id, body, lane, subject=f"product:{product.id}", n_cut=n_cut)


def _parent(product: Product, rules: Rules, *, is_active: bool) -> wire.Product:
    """The page: its price is that of its cheapest variant, and it is in stock when any variant is."""
    cheapest = min(product.variants, key=lambda variant: variant.price, default=None)
    price, special = _prices(cheapest, rules) if cheapest else (None, None)
    storefront = (rules.storefront_url or f"https://{rules.domain}").rstrip("/")
    url = f"{storefront}/products/{quote(product.handle)}"
    return wire.Product(
        id=rules.id_of("product", product.id),
        title=product.title,
        currency=rules.currency,
        is_variant=False,
        is_active=is_active,
        is_in_stock=any(is_in_stock(variant) for variant in product.variants),
        attributes=tuple(_attributes(product)),
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
    )


def _variant(product: Product, variant: Variant, rules: Rules, *, is_active: bool) -> wire.Product:
    """One variant: it has neither page nor listings of its own.

    ASSUMED: no field for the way back to the product is documented for this API, so it is a custom property.
    """
    price, special = _prices(variant, rules)
    has_name = variant.title and variant.title != _NO_OPTION
    return wire.Product(
        id=rules.id_of("product", variant.id),
        title=f"{product.title} – {variant.title}" if has_name else product.title,
        currency=rules.currency,
        is_variant=True,
        is_active=is_active,
        is_in_stock=is_in_stock(variant),
        attributes=tuple(_options([variant])),
        sku=variant.sku,
        price=price,
        special_price=special,
        image_url=variant.image_url or product.image_url,
        properties={"parent_id": rules.id_of("product", product.id)},
    )


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
        if given := fields.text(label):
            yield _attribute(type_, given)
    yield from (_attribute("tag", tag) for tag in fields.tags(product.tags, None))
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
