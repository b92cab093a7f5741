"""What an order goes through in one stroke: named stories with weights, so that a history holds every case there is."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from sims.shopify import chance, money
from sims.shopify.deeds import editing, paying, placing, refunding, returning, sending
from sims.shopify.state import LineItem, MoneyBag, Order, Store, Variant, World


class Teller:
    """Tells one order's story; time moves on with every deed but never past the present."""

    def __init__(self, world: World, store: Store, order: Order, rng: random.Random, shelf: list[Variant]) -> None:
        self.world, self.store, self.order, self.rng, self.shelf = world, store, order, rng, shelf
        self.at = order.created_at
        self.end = world.now()

    def wait(self, hours: float) -> datetime:
        """Let some of the hours go by."""
        self.at = min(chance.later(self.rng, self.at, hours), max(self.end, self.at))
        return self.at

    def bag(self, amount: Decimal) -> MoneyBag:
        """Put a shop amount into the order's two currencies."""
        first = next((one.price for one in self.order.lines if one.price.shop), None)
        if first is None or self.order.currency == self.order.presentment_currency:
            return MoneyBag(amount, amount)
        return MoneyBag(amount, money.penny(amount * first.presentment / first.shop))

    def pay(self, part: MoneyBag | None = None) -> None:
        """Pay now, at once with the order."""
        paying.pay(self.world, self.store, self.order, self.at, part=part)

    def send(self, *, part: bool = False) -> None:
        """Send all that is left, or the first line only."""
        units = sending.everything(self.order)
        if part and units:
            first = next(iter(units))
            units = {first: units[first]}
        if units:
            sending.send(self.world, self.store, self.order, units, self.wait(48))

    def arrive(self) -> None:
        """Let the carrier report."""
        parcel = self.order.fulfillments[-1] if self.order.fulfillments else None
        if parcel:
            for status in ("IN_TRANSIT", "DELIVERED" if self.rng.random() < 0.95 else "FAILURE"):
                sending.report(self.world, self.store, self.order, parcel, status, self.wait(48))

    def give(self, giving: refunding.Giving) -> None:
        """Refund."""
        refunding.refund(self.world, self.store, self.order, giving, self.wait(240))

    def goods(self) -> list[LineItem]:
        """Give the lines that can come back."""
        return [one for one in self.order.lines if one.current_quantity and not one.is_tip]

    def all_units(self) -> dict[int, int]:
        """Give everything that is still on the order."""
        return {one.id: one.current_quantity for one in self.order.lines if one.current_quantity}

    def some_units(self) -> dict[int, int]:
        """Give one unit of one line."""
        goods = self.goods()
        return {self.rng.choice(goods).id: 1} if goods else {}

    def sent_units(self) -> dict[int, int]:
        """Give one sent unit that is still on the order."""
        sent = [one for one in self.goods() if one.fulfilled_quantity]
        return {self.rng.choice(sent).id: 1} if sent else {}


def sent(t: Teller) -> None:
    """Paid and sent whole."""
    t.pay()
    t.send()
    if t.rng.random() < 0.3:
        t.arrive()


def paid(t: Teller) -> None:
    """Paid and waiting."""
    t.pay()


def part_sent(t: Teller) -> None:
    """Paid and sent in part."""
    t.pay()
    t.send(part=True)


def captured(t: Teller) -> None:
    """Authorized, then captured on sending."""
    paying.authorize(t.world, t.store, t.order, t.at)
    t.wait(24)
    t.pay()
    t.send()


def unpaid(t: Teller) -> None:
    """No payment ever met: the status is null."""


def pending(t: Teller) -> None:
    """A transfer is on its way."""
    paying.await_money(t.world, t.store, t.order, t.at)


def failed(t: Teller) -> None:
    """The first payment fails, the second may not."""
    paying.fail(t.world, t.store, t.order, t.at)
    if t.rng.random() < 0.5:
        t.wait(1)
        t.pay()


def authorized(t: Teller) -> None:
    """Authorized and not captured."""
    paying.authorize(t.world, t.store, t.order, t.at)


def expired(t: Teller) -> None:
    """An authorization ran out."""
    paying.authorize(t.world, t.store, t.order, t.at)
    paying.expire(t.world, t.store, t.order, t.wait(200))


def voided(t: Teller) -> None:
    """An authorization given back."""
    paying.authorize(t.world, t.store, t.order, t.at)
    if money.capturable(t.order):
        paying.void(t.world, t.store, t.order, t.wait(48))


def part_paid(t: Teller) -> None:
    """A deposit."""
    total = money.totals(t.order).total.shop
    t.pay(t.bag(money.penny(total / 3)))


def refunded(t: Teller) -> None:
    """Everything comes back with shipping."""
    sent(t)
    line = t.order.shipping_lines[0] if t.order.shipping_lines else None
    t.give(refunding.Giving(t.all_units(), money.shipping_worth(line) if line else t.bag(Decimal("0.00"))))


def part_refunded(t: Teller) -> None:
    """A unit comes back, perhaps some shipping, perhaps less money than it cost."""
    sent(t)
    giving = refunding.Giving(t.some_units(), note="does not fit")
    line = t.order.shipping_lines[0] if t.order.shipping_lines else None
    if line and line.price and not line.discount and t.rng.random() < 0.3:
        giving.shipping = money.share(line.price, Decimal("0.5"))
    if t.rng.random() < 0.2:
        giving.withheld = t.bag(Decimal("2.50"))
    t.give(giving)
    if t.rng.random() < 0.2 and t.some_units():
        t.give(refunding.Giving(t.some_units()))


def goodwill(t: Teller) -> None:
    """Money without lines."""
    sent(t)
    t.give(refunding.Giving(goodwill=t.bag(Decimal("5.00")), note="sorry for the delay"))


def shipping_refunded(t: Teller) -> None:
    """Shipping alone goes back."""
    sent(t)
    line = t.order.shipping_lines[0] if t.order.shipping_lines else None
    if line and money.shipping_worth(line).shop:
        t.give(refunding.Giving(shipping=money.shipping_worth(line)))


def tax_refunded(t: Teller) -> None:
    """Tax alone goes back, to somebody exempt."""
    sent(t)
    tax = money.totals(t.order).current_tax
    if tax.shop:
        t.give(refunding.Giving(tax_only=tax, note="tax exempt"))


def refund_failed(t: Teller) -> None:
    """A refund whose money never arrived."""
    sent(t)
    t.give(refunding.Giving(t.some_units(), status="FAILURE"))


def refund_pending(t: Teller) -> None:
    """A refund whose money is on its way."""
    sent(t)
    t.give(refunding.Giving(t.some_units(), status="PENDING"))


def restocked(t: Teller) -> None:
    """A refund without any movement of money."""
    sent(t)
    t.give(refunding.Giving(t.some_units(), moves_money=False))


def shrunk(t: Teller) -> None:
    """A unit edited out, and its money given back."""
    t.pay()
    lines = [one for one in t.order.lines if one.fulfillable_quantity and not one.is_tip]
    if len(lines) > 1 or (lines and lines[0].quantity > 1):
        editing.remove(t.world, t.store, t.order, t.rng.choice(lines), 1, t.wait(12))
        owed = -money.outstanding(t.order)
        if owed.shop > 0 and t.rng.random() < 0.8:
            t.give(refunding.Giving(owed=owed))
    t.send()


def grown(t: Teller) -> None:
    """A line added after the purchase, paid for or not yet."""
    t.pay()
    good = t.rng.choice(t.shelf)
    editing.add(t.world, t.store, t.order, good, 1, t.wait(12))
    if t.rng.random() < 0.7:
        t.wait(12)
        t.pay()
        t.send()


def typed_in(t: Teller) -> None:
    """A custom item added by the staff, then sent."""
    t.pay()
    editing.add(t.world, t.store, t.order, placing.Custom("Gift wrap", Decimal("3.00")), 1, t.wait(12))
    t.wait(1)
    t.pay()
    t.send()


def exchanged(t: Teller) -> None:
    """One unit for another: the difference goes back, is paid, or stays owed."""
    sent(t)
    units = t.sent_units()
    if not units:
        return
    good = t.rng.choice(t.shelf)
    returning.exchange(t.world, t.store, t.order, units, good, 1, t.wait(200))
    if t.rng.random() < 0.7:
        t.pay()
        t.send()
    if t.rng.random() < 0.7:
        returning.close(t.world, t.store, t.order, t.order.returns[-1], t.wait(200))


def cancelled(t: Teller) -> None:
    """Cancelled with the money given back."""
    t.pay()
    refunding.cancel(t.world, t.store, t.order, "CUSTOMER", t.wait(12))


def cancelled_unpaid(t: Teller) -> None:
    """Cancelled before anything was paid."""
    t.rng.choice((unpaid, pending, authorized))(t)
    refunding.cancel(t.world, t.store, t.order, t.rng.choice(("FRAUD", "DECLINED", "INVENTORY")), t.wait(12))


def cancelled_kept(t: Teller) -> None:
    """Cancelled and the money kept."""
    t.pay()
    refunding.cancel(t.world, t.store, t.order, "OTHER", t.wait(12), give_back=False)


def returned(t: Teller) -> None:
    """A return that stops at one of its stations."""
    sent(t)
    units = t.sent_units()
    if not units:
        return
    returning.request(t.world, t.store, t.order, units, "WRONG_ITEM", t.wait(200))
    one, goal = t.order.returns[-1], t.rng.choice(("REQUESTED", "DECLINED", "OPEN", "CANCELED", "CLOSED", "CLOSED"))
    if goal == "DECLINED":
        returning.decline(t.world, t.store, t.order, one, t.wait(48))
    if goal in ("OPEN", "CLOSED", "CANCELED"):
        returning.approve(t.world, t.store, t.order, one, t.wait(48))
    if goal == "CANCELED":
        returning.withdraw(t.world, t.store, t.order, one, t.wait(48))
    if goal == "CLOSED":
        returning.refund(t.world, t.store, t.order, one, t.wait(100))
        returning.close(t.world, t.store, t.order, one, t.wait(48))


def recalled(t: Teller) -> None:
    """A parcel cancelled and sent again."""
    t.pay()
    t.send()
    if t.order.fulfillments:
        sending.recall(t.world, t.store, t.order, t.order.fulfillments[-1], t.wait(24))
        t.send()


STORIES: tuple[tuple[Callable[[Teller], None], float], ...] = (
    (sent, 0.55),
    (paid, 0.05),
    (part_sent, 0.03),
    (captured, 0.04),
    (unpaid, 0.01),
    (pending, 0.015),
    (failed, 0.01),
    (authorized, 0.015),
    (expired, 0.005),
    (voided, 0.01),
    (part_paid, 0.01),
    (refunded, 0.03),
    (part_refunded, 0.06),
    (goodwill, 0.015),
    (shipping_refunded, 0.01),
    (tax_refunded, 0.005),
    (refund_failed, 0.005),
    (refund_pending, 0.005),
    (restocked, 0.005),
    (shrunk, 0.02),
    (grown, 0.015),
    (typed_in, 0.005),
    (exchanged, 0.015),
    (cancelled, 0.02),
    (cancelled_unpaid, 0.01),
    (cancelled_kept, 0.005),
    (returned, 0.03),
    (recalled, 0.005),
)
"""Every story with its share of all orders; together they make about one."""


def tell(world: World, store: Store, order: Order, rng: random.Random, shelf: list[Variant]) -> str:
    """Let an order go through one story drawn by weight and give the story's name."""
    teller = Teller(world, store, order, rng, shelf)
    if order.source_name == "pos":
        sent(teller)
        return "sent"
    story = rng.choices([one for one, _ in STORIES], [weight for _, weight in STORIES])[0]
    story(teller)
    return story.__name__
