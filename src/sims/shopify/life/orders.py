"""What happens to orders after they were placed: paid, edited, sent, returned, refunded, cancelled, erased."""

from __future__ import annotations

import random
from datetime import datetime
from decimal import Decimal

from sims.shopify import money, world
from sims.shopify.deeds import editing, paying, placing, refunding, returning, sending
from sims.shopify.events import Event
from sims.shopify.life.draw import recent
from sims.shopify.state import Order, Store, World
from sims.shopify.story import Teller


def money_arrives(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Pay or capture what is owed, now and then a part of it."""
    one = _order(store, rng, "AUTHORIZED", "PENDING", "PARTIALLY_PAID", None)
    if one is None:
        return []
    due = money.outstanding(one)
    part = money.share(due, Decimal("0.4")) if rng.random() < 0.1 and not one.transactions else None
    return paying.pay(made, store, one, at, part=part)


def money_stays_away(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Void an authorization, or let it run out."""
    one = _order(store, rng, "AUTHORIZED")
    if one is None or not money.capturable(one):
        return []
    return (paying.void if rng.random() < 0.5 else paying.expire)(made, store, one, at)


def an_order_is_edited(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Take a unit off, or put a line or a unit on; what is owed back may be given at once."""
    one = _order(store, rng, "PAID", "PENDING", "AUTHORIZED", None)
    if one is None or one.expired:
        return []
    off = [line for line in one.lines if line.fulfillable_quantity and line.current_quantity and not line.is_tip]
    if off and rng.random() < 0.5:
        events = editing.remove(made, store, one, rng.choice(off), 1, at)
        owed = -money.outstanding(one)
        if owed.shop > 0 and rng.random() < 0.6:
            events += refunding.refund(made, store, one, refunding.Giving(owed=owed), at)
        return events
    plain = [
        line
        for line in one.lines
        if line.fulfillable_quantity == line.quantity == line.current_quantity and not line.discount and not line.is_tip
    ]
    if plain and rng.random() < 0.3:
        return editing.raise_quantity(made, store, one, rng.choice(plain), 1, at)
    shelf = world.shelf(store)
    good = rng.choice(shelf) if shelf and rng.random() < 0.8 else placing.Custom("Gift wrap", Decimal("3.00"))
    events = editing.add(made, store, one, good, 1, at)
    return events + (paying.pay(made, store, one, at) if rng.random() < 0.5 and one.transactions else [])


def a_parcel_goes(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Send what is paid or authorized, whole or in part."""
    one = _order(store, rng, "PAID", "AUTHORIZED", "PARTIALLY_REFUNDED")
    units = sending.everything(one) if one else {}
    if one is None or not units:
        return []
    if len(units) > 1 and rng.random() < 0.3:
        units.popitem()
    return sending.send(made, store, one, units, at)


def a_carrier_reports(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Move a parcel on its way."""
    one = recent(store.orders, rng)
    parcel = rng.choice(one.fulfillments) if one and one.fulfillments else None
    if one is None or parcel is None or parcel.status != "SUCCESS" or parcel.shipment_status == "DELIVERED":
        return []
    after = {None: "IN_TRANSIT", "IN_TRANSIT": "OUT_FOR_DELIVERY", "OUT_FOR_DELIVERY": "DELIVERED"}
    status = (
        after.get(parcel.shipment_status, "DELIVERED") if rng.random() < 0.9 else rng.choice(("DELAYED", "FAILURE"))
    )
    return sending.report(made, store, one, parcel, status, at)


def a_parcel_is_recalled(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Cancel a parcel that nobody has got yet."""
    one = recent(store.orders, rng)
    parcel = one.fulfillments[-1] if one and one.fulfillments and not one.returns else None
    if one is None or parcel is None or parcel.status != "SUCCESS" or parcel.shipment_status or one.refunds:
        return []
    return sending.recall(made, store, one, parcel, at)


def money_goes_back(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Refund lines, shipping, tax, or good will; the money may wait or fail."""
    one = _order(store, rng, "PAID", "PARTIALLY_REFUNDED")
    if one is None or one.cancelled_at or refunding.refundable(one).shop <= 0:
        return []
    teller = Teller(made, store, one, rng, [])
    left = money.total(money.shipping_worth(line) - line.refunded for line in one.shipping_lines[:1])
    kind = rng.choice(("all", "units", "units", "units", "shipping", "goodwill", "tax", "keep", "restock"))
    giving = refunding.Giving()
    if kind == "all":
        giving = refunding.Giving(teller.all_units(), left)
    elif kind == "shipping" and left.shop:
        giving = refunding.Giving(shipping=left)
    elif kind == "goodwill":
        giving = refunding.Giving(goodwill=teller.bag(Decimal("4.00")))
    elif kind == "tax" and money.totals(one).current_tax.shop > 0:
        giving = refunding.Giving(tax_only=money.totals(one).current_tax)
    elif kind == "restock":
        giving = refunding.Giving(teller.some_units(), moves_money=False)
    else:
        giving = refunding.Giving(teller.some_units())
        if kind == "keep" and giving.units and _worth(one, giving) > 3:
            giving.withheld = teller.bag(Decimal("2.50"))
    giving.status = rng.choices(("SUCCESS", "PENDING", "FAILURE"), (0.92, 0.05, 0.03))[0]
    if not (giving.units or giving.shipping or giving.goodwill or giving.tax_only):
        return []
    return refunding.refund(made, store, one, giving, at)


def a_refund_arrives_or_not(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Settle a refund whose money was on its way."""
    waiting = [
        (one, each)
        for one in (recent(store.orders, rng) for _ in range(40))
        if one
        for each in one.refunds
        if any(money_.status == "PENDING" for money_ in each.transactions)
    ]
    if not waiting:
        return []
    one, each = rng.choice(waiting)
    return refunding.finish(made, store, one, each, at, status="SUCCESS" if rng.random() < 0.8 else "FAILURE")


def a_return_moves_on(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Ask for a return, or take one a step further."""
    for one in (recent(store.orders, rng) for _ in range(20)):
        open_ones = [each for each in one.returns if each.status in ("REQUESTED", "OPEN")] if one else []
        if one is None or not open_ones:
            continue
        back = open_ones[0]
        if back.status == "REQUESTED":
            return (returning.approve if rng.random() < 0.8 else returning.decline)(made, store, one, back, at)
        events = returning.refund(made, store, one, back, at) if rng.random() < 0.7 else []
        if not events and not any(line.refunded_quantity for line in back.lines) and rng.random() < 0.2:
            return returning.withdraw(made, store, one, back, at)
        return events or returning.close(made, store, one, back, at)
    return _ask_for_return(made, store, rng, at)


def a_return_is_reopened(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Open a closed return again."""
    one = recent(store.orders, rng)
    closed = [each for each in one.returns if each.status == "CLOSED"] if one else []
    return returning.reopen(made, store, one, closed[0], at) if one and closed else []


def goods_are_exchanged(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Take one unit back for another."""
    one, shelf = _order(store, rng, "PAID"), world.shelf(store)
    units = Teller(made, store, one, rng, []).sent_units() if one and not one.cancelled_at else {}
    if one is None or not units or not shelf:
        return []
    return returning.exchange(made, store, one, units, rng.choice(shelf), 1, at)


def an_order_is_cancelled(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Cancel an order that was not sent; its money goes back, or now and then does not."""
    one = recent(store.orders, rng)
    if one is None or one.cancelled_at or any(line.fulfilled_quantity for line in one.lines):
        return []
    reason = rng.choice(("CUSTOMER", "DECLINED", "FRAUD", "INVENTORY", "OTHER", "STAFF"))
    return refunding.cancel(made, store, one, reason, at, give_back=rng.random() < 0.85)


def an_order_is_erased(_made: World, store: Store, rng: random.Random, _at: datetime) -> list[Event]:
    """Delete a test order or a cancelled one."""
    one = recent(store.orders, rng)
    return placing.erase(store, one) if one and (one.test or one.cancelled_at) else []


def _ask_for_return(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    one = _order(store, rng, "PAID", "PARTIALLY_REFUNDED")
    units = Teller(made, store, one, rng, []).sent_units() if one and not one.cancelled_at else {}
    if one is None or not units:
        return []
    return returning.request(made, store, one, units, rng.choice(("COLOR", "DEFECTIVE", "UNWANTED")), at)


def _order(store: Store, rng: random.Random, *statuses: str | None) -> Order | None:
    """Draw a living order in one of the financial states; a few tries."""
    for _ in range(12):
        one = recent(store.orders, rng)
        if one is None or (one.financial_status in statuses and not one.cancelled_at):
            return one
    return None


def _worth(order: Order, giving: refunding.Giving) -> Decimal:
    return sum((line.price.shop for line in order.lines if line.id in giving.units), Decimal(0))


HAPPENINGS = (
    (money_arrives, 6.0),
    (money_stays_away, 0.7),
    (an_order_is_edited, 4.0),
    (a_parcel_goes, 13.0),
    (a_carrier_reports, 9.0),
    (a_parcel_is_recalled, 0.5),
    (money_goes_back, 6.0),
    (a_refund_arrives_or_not, 1.0),
    (a_return_moves_on, 5.0),
    (a_return_is_reopened, 0.3),
    (goods_are_exchanged, 1.0),
    (an_order_is_cancelled, 3.0),
    (an_order_is_erased, 0.3),
)
