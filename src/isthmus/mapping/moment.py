"""What happened, told once: the custom events that an order's or a basket's state shows.

Every function here is a pure reading of states. An id is derived from what happened, never from when we looked, so
that seeing a state again names the same moments again, and whoever keeps them keeps the first. What the state before
showed already has not happened now.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from isthmus.kit.duration import spell
from isthmus.kit.email import normalise
from isthmus.kit.ids import keyed_hash
from isthmus.kit.money import ZERO, quantize
from isthmus.mapping import fields
from isthmus.mapping.order import net
from isthmus.mapping.rules import Rules
from isthmus.model.checkout import Checkout
from isthmus.model.lane import Lane
from isthmus.model.order import Fulfilment, Order
from isthmus.model.write import Kind, Write
from isthmus.ometria import limits, wire

TROUBLE = frozenset({"error", "failure", "delayed", "on_hold"})
"""Words of a fulfilment or of its carrier that mean it is not going to plan
(https://shopify.dev/docs/api/admin-graphql/latest/enums/FulfillmentEventStatus; on_hold is the fulfilment order's)."""

_RETURNS = {
    "requested": "return_requested",
    "open": "return_approved",
    "declined": "return_declined",
    "closed": "return_closed",
}
"""https://shopify.dev/docs/api/admin-graphql/latest/enums/ReturnStatus; a cancelled return is no moment."""

_LINES = 20
"""Basket lines that are told; a reminder shows few, and they share 1,000 characters."""


class Moment(Struct, frozen=True):
    """`name` is one of rules.MOMENTS; `key` tells it from every other moment of the store."""

    name: str
    key: str
    at: datetime
    properties: wire.Properties


def of_order(
    order: Order, rules: Rules, now: datetime, lane: Lane = Lane.REALTIME, *, was: Order | None = None,
    person: str | None = None,
) -> list[Write]:  # fmt: skip
    """Every moment that the order's state shows and the one before (`was`) did not, excluded with the reason where it
    must not fire."""
    if order.is_test:
        return []
    subject = f"order:{order.id}"
    identity = _Identity(normalise(order.email), rules.customer_id(person, order.customer_id))
    shown = {moment.key for moment in _moments(was, None, rules)} if was is not None else set()
    return [
        _write(moment, identity, rules, now, lane, subject)
        for moment in _moments(order, was, rules)
        if moment.key not in shown
    ]


def of_checkout(checkout: Checkout, person: str | None, rules: Rules, now: datetime) -> Write:
    """The moment of a basket that was left; whether it rests long enough and nothing was ordered is the caller's."""
    key = f"checkout-{keyed_hash(rules.hash_key, 'checkout', checkout.token).hex()}"
    properties: wire.Properties = {
        "total": quantize(checkout.total, checkout.currency),
        "currency": checkout.currency,
        "url": checkout.url,
        "locale": checkout.locale,
        "items": _items(checkout, rules),
    }
    told = {name: value for name, value in properties.items() if value}
    moment = Moment("checkout_abandoned", key, checkout.updated_at, told)
    identity = _Identity(normalise(checkout.email), rules.customer_id(person, checkout.customer_id))
    if identity.email is None:
        return _excluded(moment, rules, Lane.REALTIME, f"checkout:{checkout.token}", "no email")
    return _write(moment, identity, rules, now, Lane.REALTIME, f"checkout:{checkout.token}")


class _Identity(Struct, frozen=True):
    email: str | None
    customer_id: str | None


def _write(moment: Moment, who: _Identity, rules: Rules, now: datetime, lane: Lane, subject: str) -> Write:
    name = rules.event_names.get(moment.name) or None
    reason = _reason(moment, who, rules, now, lane, name)
    if reason is not None or name is None:
        return _excluded(moment, rules, lane, subject, reason or "switched off")
    fitted = fields.fit(moment.properties, "items")
    event = wire.CustomEvent(
        id=f"{rules.namespace}{moment.key}",
        timestamp=fields.utc(moment.at),
        event_type=name[: limits.EVENT_TYPE_CHARS],
        identity_email=who.email,
        identity_account_id=who.customer_id,
        properties=fitted.properties or None,
    )
    return Write(Kind.MOMENT, event.id, wire.encode(event), lane, subject=subject, n_cut=fitted.n_cut)


def _excluded(moment: Moment, rules: Rules, lane: Lane, subject: str, reason: str) -> Write:
    return Write(Kind.MOMENT, f"{rules.namespace}{moment.key}", None, lane, excluded=reason, subject=subject)


def _reason(moment: Moment, who: _Identity, rules: Rules, now: datetime, lane: Lane, name: str | None) -> str | None:
    """Why a moment must not fire; nothing from history or repair ever does."""
    if lane is not Lane.REALTIME:
        return f"from {lane.value}"
    if name is None:
        return "switched off"
    if rules.live_since is None or moment.at < rules.live_since:
        return "before going live"
    if now - moment.at > rules.moment_max_age:
        return f"older than {spell(rules.moment_max_age)}"
    if who.email is None and who.customer_id is None:
        return "nobody to tell"
    return None


def _moments(order: Order, was: Order | None, rules: Rules) -> Iterator[Moment]:
    about: wire.Properties = {"order_id": rules.id_of("order", order.id), "order_name": order.name}
    if order.cancelled_at is not None:
        reason = order.cancel_reason.lower() if order.cancel_reason else None
        properties = {**about, "reason": reason} if reason else about
        yield Moment("order_cancelled", f"order-{order.id}-cancelled", order.cancelled_at, properties)
    yield from _refunds(order, about)
    yield from _fulfilments(order, about)
    yield from _returns(order, was, about)


def _refunds(order: Order, about: wire.Properties) -> Iterator[Moment]:
    """Refunds that moved money; the one that left the shop nothing refunded the order, all others a part of it."""
    moved = [refund for refund in order.refunds if refund.returned.shop > ZERO]
    is_whole = order.financial_status == "REFUNDED" or net(order) <= ZERO
    for refund in moved:
        is_last = refund is moved[-1]
        name = "order_refunded" if is_whole and is_last else "order_partially_refunded"
        amount: Decimal = quantize(refund.returned.shop, order.currency)
        properties = {**about, "amount": amount, "currency": order.currency}
        yield Moment(name, f"refund-{refund.id}", refund.created_at, properties)


def _fulfilments(order: Order, about: wire.Properties) -> Iterator[Moment]:
    """Parcels: the one that completed the order shipped it, the others a part of it."""
    sent = [parcel for parcel in order.fulfilments if parcel.status == "success"]
    for parcel in order.fulfilments:
        properties = {**about, **_tracking(parcel)}
        if parcel.status == "success":
            is_last = order.fulfilment_status == "FULFILLED" and parcel is sent[-1]
            name = "order_shipped" if is_last else "order_partially_shipped"
            yield Moment(name, f"fulfilment-{parcel.id}-shipped", parcel.created_at, properties)
        if parcel.status == "cancelled":
            continue
        if parcel.shipment == "delivered":
            yield Moment("order_delivered", f"fulfilment-{parcel.id}-delivered", parcel.updated_at, properties)
        for state in dict.fromkeys((parcel.status, parcel.shipment)):
            if state in TROUBLE:
                properties = {**properties, "state": state}
                yield Moment("fulfilment_trouble", f"fulfilment-{parcel.id}-{state}", parcel.updated_at, properties)


def _returns(order: Order, was: Order | None, about: wire.Properties) -> Iterator[Moment]:
    known = {returned.id for returned in (was.returns or () if was is not None else ())}
    for returned in order.returns or ():
        if (name := _RETURNS.get(returned.status)) is None:
            continue
        at = returned.created_at
        if returned.status == "open":
            at = returned.approved_at or at
        elif returned.status == "closed":
            at = returned.closed_at or at
        elif returned.status == "declined" and returned.id in known:
            # Shopify does not say when. One that was first seen like this may have been declined long ago.
            at = order.updated_at
        yield Moment(name, f"return-{returned.id}-{returned.status}", at or order.updated_at, about)


def _tracking(parcel: Fulfilment) -> wire.Properties:
    told = {"tracking_company": parcel.tracking_company, "tracking_number": parcel.tracking_number}
    return {name: value for name, value in told.items() if value}


def _items(checkout: Checkout, rules: Rules) -> list[wire.Properties]:
    items: list[wire.Properties] = []
    for line in checkout.lines[:_LINES]:
        item: wire.Properties = {"title": line.title, "quantity": line.quantity}
        item["price"] = quantize(line.price, checkout.currency)
        if line.product_id is not None:
            item["product_id"] = rules.id_of("product", line.product_id)
        if line.variant_id is not None:
            item["variant_id"] = rules.id_of("product", line.variant_id)
        items.append(item)
    return items
