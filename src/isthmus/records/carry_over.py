"""What a record keeps although its newest body no longer tells it."""

from collections.abc import Mapping, Sequence

import msgspec

from isthmus.model.checkout import Checkout
from isthmus.model.customer import Customer
from isthmus.model.metafield import Metafield, overlay_metafields
from isthmus.model.order import Fulfilment, Order
from isthmus.model.product import Product

Keys = Mapping[str, Sequence[str]]
"""The custom fields that are mapped, by the kind of record that has them."""


def carry_over_order(told: Order, known: Order | None, untold: Sequence[str] = ()) -> Order:
    """An order with what only we remember: its returns, where this shape cannot tell, where its lines came from,
    and what its body left out (`untold`).

    Shopify empties a line's product and variant when the product is deleted, and says so in no update of the order.
    What was sold stays sold: the line keeps the ids it was sold under.
    """
    if known is None:
        return told
    if untold:
        told = msgspec.structs.replace(told, **{name: getattr(known, name) for name in untold})
    if told.returns is None and known.returns is not None:
        told = msgspec.structs.replace(told, returns=known.returns)
    if any(parcel.delivery or parcel.pending for parcel in known.fulfilments):
        had = {parcel.id: parcel for parcel in known.fulfilments}
        parcels = tuple([_parcel(one, had.get(one.id)) for one in told.fulfilments])
        told = msgspec.structs.replace(told, fulfilments=parcels)
    if all(line.product_id is not None for line in told.lines):
        return told
    sold_as = {line.id: line for line in known.lines if line.product_id is not None}
    lines = tuple(
        msgspec.structs.replace(line, product_id=sold_as[line.id].product_id, variant_id=sold_as[line.id].variant_id)
        if line.product_id is None and line.id in sold_as
        else line
        for line in told.lines
    )
    return msgspec.structs.replace(told, lines=lines)


def _parcel(told: Fulfilment, known: Fulfilment | None) -> Fulfilment:
    """A parcel with how it travels, which is read for itself."""
    if known is None or told.delivery is not None:
        return told
    return msgspec.structs.replace(told, delivery=known.delivery, pending=known.pending)


def carry_over_checkout(told: Checkout, known: Checkout | None) -> Checkout:
    """A checkout with the contact details that a listing leaves out and its webhook told."""
    if known is None:
        return told
    return msgspec.structs.replace(
        told,
        email=told.email or known.email,
        phone=told.phone or known.phone,
        customer_id=told.customer_id or known.customer_id,
        cart_token=told.cart_token or known.cart_token,
        is_listed=told.is_listed and known.is_listed,
    )


def carry_over_customer(told: Customer, known: Customer | None, keys: Keys) -> Customer:
    """A customer with the custom fields that this reading did not ask for, and a request for their erasure."""
    if known is not None and known.redacted_at is not None:
        told = msgspec.structs.replace(told, redacted_at=known.redacted_at)
    if known is None or known.metafields is None:
        return told
    metafields = carry_over_metafields(known.metafields, told.metafields, keys.get("customer", ()))
    return told if metafields == told.metafields else msgspec.structs.replace(told, metafields=metafields)


def carry_over_product(told: Product, known: Product | None, keys: Keys) -> Product:
    """A product with the custom fields of its page and its variants that this shape cannot tell."""
    if known is None or not keys:
        return told
    had = {variant.id: variant.metafields for variant in known.variants}
    own = carry_over_metafields(known.metafields, told.metafields, keys.get("product", ()))
    variants = tuple(
        one
        if (theirs := carry_over_metafields(had.get(one.id), one.metafields, keys.get("variant", ()))) == one.metafields
        else msgspec.structs.replace(one, metafields=theirs)
        for one in told.variants
    )
    if own == told.metafields and variants == told.variants:
        return told
    return msgspec.structs.replace(told, metafields=own, variants=variants)


def carry_over_metafields(
    known: Sequence[Metafield] | None, told: Sequence[Metafield] | None, keys: Sequence[str]
) -> tuple[Metafield, ...] | None:
    """What is known of the fields that are mapped now, in the order they are asked for, once some were told again."""
    found = {field.key: field for field in overlay_metafields(known, told) or ()}
    return tuple(found[key] for key in keys if key in found) or None
