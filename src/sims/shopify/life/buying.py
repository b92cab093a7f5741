"""How people buy: a checkout started, gone on with, left alone, or an order placed."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from sims.shopify import chance, money, world
from sims.shopify.baskets import Checkout
from sims.shopify.deeds import browsing, paying, people, placing, sending
from sims.shopify.events import Event
from sims.shopify.life.draw import recent
from sims.shopify.state import ZERO, Customer, EmailConsent, Order, Store, World


def somebody_starts_a_checkout(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Fill a cart and go to the checkout."""
    basket = _basket(store, rng, at, recent(store.customers, rng))
    if basket is None:
        return []
    basket.checkout_token, basket.cart_token = chance.token(rng), chance.cart(rng)
    checkout = chance.checkout(made, store, rng, basket)
    if rng.random() < 0.6:
        chance.identify(checkout, basket)
    return browsing.start(store, checkout)


def somebody_types_into_a_checkout(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Go on with a checkout; some say only now who they are."""
    checkout = _open_checkout(store, rng)
    if checkout is None:
        return []
    if checkout.email is None and checkout.phone is None:
        basket = _basket(store, rng, at, recent(store.customers, rng))
        if basket:
            chance.identify(checkout, basket)
    elif checkout.lines and rng.random() < 0.08:
        checkout.lines.clear()  # a cart that was emptied again
    elif checkout.lines:
        checkout.lines[0].quantity += 1
    return browsing.update(made, store, checkout, at)


def a_checkout_is_forgotten(_made: World, store: Store, rng: random.Random, _at: datetime) -> list[Event]:
    """Delete a checkout."""
    checkout = _open_checkout(store, rng)
    return browsing.forget(store, checkout) if checkout else []


def somebody_orders(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Place an order: of a returning, a new, or no customer; from an open checkout or straight away."""
    events: list[Event] = []
    buyer = recent(store.customers, rng)
    dice = rng.random()
    if dice < 0.25:
        buyer = chance.customer(made, store, rng, at)
        events += people.appear(store, buyer)
    elif dice < 0.33:
        buyer = None
    checkout = _open_checkout(store, rng) if rng.random() < 0.4 else None
    if checkout and checkout.customer_id in store.customers:
        buyer = store.customers[checkout.customer_id] if checkout.customer_id else buyer
    basket = _basket(store, rng, at, buyer)
    if basket is None:
        return events
    if checkout:
        _take_over(store, basket, checkout)
    order, placed = placing.place(made, store, basket)
    events += placed
    events += _pay(made, store, order, rng, at)
    events += sending.at_once(made, store, order, at)
    if checkout:
        events += browsing.complete(made, store, checkout, order, at)
    if buyer:
        events += people.summarise(made, store, buyer, at)
        if basket.buyer_accepts_marketing and buyer.email_consent.state not in ("SUBSCRIBED", "REDACTED"):
            events += people.email_consent(
                made, store, buyer, EmailConsent("SUBSCRIBED", "SINGLE_OPT_IN", at), at, way="checkout"
            )
    return events


def an_old_order_is_imported(made: World, store: Store, rng: random.Random, at: datetime) -> list[Event]:
    """Bring over an order from the shop before this one: placed years ago, created, paid and fulfilled now."""
    basket = _basket(store, rng, at, recent(store.customers, rng))
    if basket is None:
        return []
    basket.processed_at = at - timedelta(days=rng.randrange(400, 2000))
    basket.source_name, basket.delivery = "580111", "SHIPPING"
    basket.checkout_token = basket.cart_token = None
    basket.shipping = basket.shipping or ZERO
    order, events = placing.place(made, store, basket)
    events += paying.pay(made, store, order, at)
    return events + sending.send(made, store, order, sending.everything(order), at)


def _basket(store: Store, rng: random.Random, at: datetime, buyer: Customer | None) -> placing.Basket | None:
    shelf = world.shelf(store)
    return chance.basket(store, rng, at, buyer, shelf) if shelf else None


def _open_checkout(store: Store, rng: random.Random) -> Checkout | None:
    """Draw a checkout that was not completed; a few tries, since most of the newest may be."""
    for _ in range(5):
        one = recent(store.checkouts, rng)
        if one is None or one.completed_at is None:
            return one
    return None


def _take_over(store: Store, basket: placing.Basket, checkout: Checkout) -> None:
    """Order what stands in the checkout, as far as it can still be bought."""
    goods = [
        (store.variants[one.variant_id], one.quantity) for one in checkout.lines if one.variant_id in store.variants
    ]
    basket.goods = goods or basket.goods
    basket.checkout_token, basket.cart_token, basket.source_name = checkout.token, checkout.cart_token, "web"
    if checkout.email and basket.customer is None:
        basket.email = checkout.email


def _pay(made: World, store: Store, order: Order, rng: random.Random, at: datetime) -> list[Event]:
    """Most pay at once; some authorize, some send the money by post, some pay nothing yet."""
    how = chance.weighted(rng, ("pay", 0.85), ("authorize", 0.07), ("await", 0.04), ("fail", 0.01), ("nothing", 1))
    if how == "pay" or order.source_name == "pos":
        return paying.pay(made, store, order, at)
    if not money.totals(order).total.shop or how == "nothing":
        return paying.changed(made, store, order, at)
    deed = {"authorize": paying.authorize, "await": paying.await_money, "fail": paying.fail}[how]
    return deed(made, store, order, at)


HAPPENINGS = (
    (somebody_starts_a_checkout, 8.0),
    (somebody_types_into_a_checkout, 6.0),
    (a_checkout_is_forgotten, 0.3),
    (somebody_orders, 22.0),
    (an_old_order_is_imported, 0.2),
)
