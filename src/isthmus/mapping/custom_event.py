"""What happened, told once: the custom events that an order's or a basket's state shows.

Every function here is a pure reading of states. An id is derived from what happened, never from when we looked, so
that seeing a state again names the same moments again, and whoever keeps them keeps the first. What the state before
showed already has not happened now.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from isthmus.kit.duration import format_duration
from isthmus.kit.email import normalise_email
from isthmus.kit.ids import keyed_hash
from isthmus.kit.money import ZERO, quantize
from isthmus.mapping import fields
from isthmus.mapping.order import net_revenue
from isthmus.mapping.rules import Rules
from isthmus.model.checkout import Checkout
from isthmus.model.lane import Lane
from isthmus.model.order import Fulfilment, Order
from isthmus.model.write import RecordKind, Write
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

TRAVELS = frozenset({"SHIPPING", "LOCAL", "PICKUP_POINT"})
"""Delivery methods by which goods travel to somebody
(https://shopify.dev/docs/api/admin-graphql/2026-10/enums/DeliveryMethodType)."""

UNREADABLE = "UNREADABLE"
"""In the place of a delivery method that Shopify did not tell."""

IMPORTED_FOR = timedelta(hours=24)
"""How long after an imported order was created what it tells may still be the import's."""

_LINES = 20
"""Basket lines that are told; a reminder shows few, and they share 1,000 characters."""


class EventToSend(Struct, frozen=True):
    """`name` is one of rules.MOMENTS; `key` tells it from every other moment of the store."""

    name: str
    key: str
    at: datetime
    properties: wire.Properties
    parcel: Fulfilment | None = None
    """The parcel it is about, where it is an event only if that travels."""
    since: datetime | None = None
    """From when on it may have happened, where `at` is only when it was last told."""


def events_of_order(
    order: Order,
    rules: Rules,
    now: datetime,
    lane: Lane = Lane.REALTIME,
    *,
    was: Order | None = None,
    person: str | None = None,
) -> list[Write]:
    """Every moment that the order's state shows and the one before (`was`) did not, excluded with the reason where it
    must not fire."""
    if order.is_test:
        return []
    subject = f"order:{order.id}"
    identity = _Identity(normalise_email(order.email), rules.customer_id(person, order.customer_id))
    shown = _shown(was, rules)
    return [
        _write(moment, identity, rules, now, lane, subject, order)
        for moment in _moments(order, was, rules)
        if moment.key not in shown and (moment.parcel is None or travels(order, moment.parcel))
    ]


def mark_undecided(order: Order, was: Order | None, rules: Rules, now: datetime) -> Order:
    """The order with, on each parcel, what happened to it now of which nobody can say yet whether it is an event:
    only what travels is told, and how a parcel reaches its buyer has to be read."""
    if order.is_test or all(travels(order, parcel) is not None for parcel in order.fulfilments):
        return order
    shown = _shown(was, rules)
    pending: dict[int, tuple[str, ...]] = {}
    for moment in _moments(order, was, rules):
        parcel = moment.parcel
        if parcel is None or moment.key in shown or travels(order, parcel) is not None:
            continue
        if rules.event_names.get(moment.name) and _untimely(moment, order, rules, now) is None:
            pending[parcel.id] = (*pending.get(parcel.id, ()), moment.key)
    if not pending:
        return order
    return replace(
        order, fulfilments=tuple([replace(one, pending=pending.get(one.id, one.pending)) for one in order.fulfilments])
    )


def travels(order: Order, parcel: Fulfilment) -> bool | None:
    """Whether a parcel is on its way to somebody; None while that has to be read.

    Nothing that needs no shipping travels, and nothing does without both an address and a shipping line. Where Shopify
    does not say how a parcel is delivered, having all of these decides.
    """
    has_way = order.shipping_address is not None and order.shipping_method is not None
    if not parcel.requires_shipping or (order.shipping_address is None and order.shipping_method is None):
        return False
    if parcel.delivery is None:
        return None
    return has_way if parcel.delivery == UNREADABLE else parcel.delivery in TRAVELS


def _shown(was: Order | None, rules: Rules) -> set[str]:
    """What the state before showed already, whether it was an event or not, but for what is still to be decided."""
    if was is None:
        return set()
    pending = {key for parcel in was.fulfilments for key in parcel.pending}
    return {moment.key for moment in _moments(was, None, rules)} - pending


def event_of_checkout(checkout: Checkout, person: str | None, rules: Rules, now: datetime) -> Write:
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
    moment = EventToSend("checkout_abandoned", key, checkout.updated_at, told)
    identity = _Identity(normalise_email(checkout.email), rules.customer_id(person, checkout.customer_id))
    if identity.email is None:
        return _excluded(moment, rules, Lane.REALTIME, f"checkout:{checkout.token}", "no email")
    return _write(moment, identity, rules, now, Lane.REALTIME, f"checkout:{checkout.token}")


class _Identity(Struct, frozen=True):
    email: str | None
    customer_id: str | None


def _write(
    moment: EventToSend,
    who: _Identity,
    rules: Rules,
    now: datetime,
    lane: Lane,
    subject: str,
    order: Order | None = None,
) -> Write:
    name = rules.event_names.get(moment.name) or None
    reason = _reason(moment, who, rules, now, lane, name, order)
    if reason is not None or name is None:
        return _excluded(moment, rules, lane, subject, reason or "switched off")
    fitted = fields.fit_properties(moment.properties, "items")
    event = wire.CustomEvent(
        id=f"{rules.namespace}{moment.key}",
        timestamp=fields.to_utc(moment.at),
        event_type=name[: limits.EVENT_TYPE_CHARS],
        identity_email=who.email,
        identity_account_id=who.customer_id,
        properties=fitted.properties or None,
    )
    return Write(RecordKind.MOMENT, event.id, wire.encode_record(event), lane, subject=subject, n_cut=fitted.n_cut)


def _excluded(moment: EventToSend, rules: Rules, lane: Lane, subject: str, reason: str) -> Write:
    return Write(RecordKind.MOMENT, f"{rules.namespace}{moment.key}", None, lane, excluded=reason, subject=subject)


def _reason(
    moment: EventToSend, who: _Identity, rules: Rules, now: datetime, lane: Lane, name: str | None, order: Order | None
) -> str | None:
    """Why a moment must not fire; nothing from history or repair ever does."""
    if lane is not Lane.REALTIME:
        return f"from {lane.value}"
    if name is None:
        return "switched off"
    if (reason := _untimely(moment, order, rules, now)) is not None:
        return reason
    if who.email is None and who.customer_id is None:
        return "nobody to tell"
    return None


def _untimely(moment: EventToSend, order: Order | None, rules: Rules, now: datetime) -> str | None:
    """Why a moment says nothing about a person now."""
    at = moment.since or moment.at
    if rules.live_since is None or at < rules.live_since:
        return "before going live"
    if now - at > rules.event_max_age:
        return f"older than {format_duration(rules.event_max_age)}"
    if order is not None and _is_imported(order, rules) and at < order.created_at + IMPORTED_FOR:
        return "told by the import of the order"
    return None


def _is_imported(order: Order, rules: Rules) -> bool:
    """Whether the order was placed long before it came to Shopify: what an import tells happened elsewhere, once."""
    return order.created_at - order.processed_at > rules.event_max_age


def _moments(order: Order, was: Order | None, rules: Rules) -> Iterator[EventToSend]:
    about: wire.Properties = {"order_id": rules.id_of("order", order.id), "order_name": order.name}
    if order.cancelled_at is not None:
        reason = order.cancel_reason.lower() if order.cancel_reason else None
        properties = {**about, "reason": reason} if reason else about
        yield EventToSend("order_cancelled", f"order-{order.id}-cancelled", order.cancelled_at, properties)
    yield from _refunds(order, about)
    yield from _fulfilments(order, was, about)
    yield from _returns(order, was, about)


def _refunds(order: Order, about: wire.Properties) -> Iterator[EventToSend]:
    """Refunds that moved money; the one that left the shop nothing refunded the order, all others a part of it."""
    moved = [refund for refund in order.refunds if refund.returned.shop > ZERO]
    is_whole = order.financial_status == "REFUNDED" or net_revenue(order) <= ZERO
    for refund in moved:
        is_last = refund is moved[-1]
        name = "order_refunded" if is_whole and is_last else "order_partially_refunded"
        amount: Decimal = quantize(refund.returned.shop, order.currency)
        properties = {**about, "amount": amount, "currency": order.currency}
        yield EventToSend(name, f"refund-{refund.id}", refund.created_at, properties)


def _fulfilments(order: Order, was: Order | None, about: wire.Properties) -> Iterator[EventToSend]:
    """Parcels: the one after which nothing that is to be shipped is open shipped the order, the others a part of it.

    A parcel does not say when its carrier's word came, only when it last changed. Of an order that was not known
    before, that may be long after: how old the event is counts from when the parcel was made.
    """
    sent = [one for one in order.fulfilments if one.status == "success" and travels(order, one) is not False]
    for parcel in order.fulfilments:
        properties = {**about, **_tracking(parcel)}
        since = parcel.created_at if was is None else None
        if parcel.status == "success":
            is_last = bool(sent) and parcel is sent[-1] and not order.has_open_goods
            name = "order_shipped" if is_last else "order_partially_shipped"
            yield EventToSend(name, f"fulfilment-{parcel.id}-shipped", parcel.created_at, properties, parcel)
        if parcel.status == "cancelled":
            continue
        if parcel.shipment == "delivered":
            key = f"fulfilment-{parcel.id}-delivered"
            yield EventToSend("order_delivered", key, parcel.updated_at, properties, parcel, since)
        if parcel.shipment == "ready_for_pickup":
            key = f"fulfilment-{parcel.id}-ready_for_pickup"
            yield EventToSend("order_ready_for_pickup", key, parcel.updated_at, properties, since=since)
        for state in dict.fromkeys((parcel.status, parcel.shipment)):
            if state in TROUBLE:
                properties = {**properties, "state": state}
                key = f"fulfilment-{parcel.id}-{state}"
                yield EventToSend("fulfilment_trouble", key, parcel.updated_at, properties, since=since)


def _returns(order: Order, was: Order | None, about: wire.Properties) -> Iterator[EventToSend]:
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
        yield EventToSend(name, f"return-{returned.id}-{returned.status}", at or order.updated_at, about)


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
