"""How an order comes to be: priced lines, discount, shipping and tax, from a basket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from sims.shopify import money
from sims.shopify.deeds import catalogue
from sims.shopify.events import Event
from sims.shopify.state import (
    NOTHING,
    ZERO,
    Address,
    Customer,
    DiscountCode,
    LineItem,
    MoneyBag,
    Order,
    ShippingLine,
    Store,
    TaxLine,
    Variant,
    World,
)


@dataclass(slots=True)
class Custom:
    """Something sold without a product: a tip, an engraving, an item typed in by the staff."""

    title: str
    price: Decimal
    is_tip: bool = False
    sku: str | None = None


@dataclass(slots=True)
class Basket:
    """What somebody orders and how; `rate` turns shop money into presentment money, None when they are one currency."""

    at: datetime
    goods: Sequence[tuple[Variant | Custom, int]]
    customer: Customer | None = None
    email: str | None = None
    phone: str | None = None
    address: Address | None = None
    presentment_currency: str | None = None
    rate: Decimal | None = None
    shipping: Decimal | None = None
    shipping_discount: bool = False
    discount_code: str | None = None
    discount_rate: Decimal = ZERO
    tax_rate: Decimal = ZERO
    taxes_included: bool = True
    source_name: str = "web"
    gateway: str = "shopify_payments"
    test: bool = False
    buyer_accepts_marketing: bool = False
    locale: str = "en"
    tags: list[str] = field(default_factory=list)
    note: str | None = None
    checkout_token: str | None = None
    cart_token: str | None = None
    delivery: str | None = None  # DeliveryMethodType; by default RETAIL at a till that ships nothing, else SHIPPING
    processed_at: datetime | None = None  # of an imported order: long before it came to the shop


def place(world: World, store: Store, basket: Basket) -> tuple[Order, list[Event]]:
    """Turn a basket into an order without money; paying is the next deed."""
    store.last_order_number += 1
    number = store.last_order_number
    order = Order(
        id=world.next_id(),
        number=number,
        name=f"#{number}",
        created_at=basket.at,
        processed_at=basket.processed_at or basket.at,
        updated_at=basket.at,
        currency=store.shop.currency,
        presentment_currency=basket.presentment_currency or store.shop.currency,
        customer_id=basket.customer.id if basket.customer else None,
        email=basket.email,
        phone=basket.phone,
        lines=[line(world, store, good, quantity, basket) for good, quantity in basket.goods],
        shipping_lines=_shipping(world, basket),
        transactions=[],
        billing_address=basket.address,
        shipping_address=basket.address if basket.shipping is not None and basket.delivery != "PICK_UP" else None,
        taxes_included=basket.taxes_included,
        source_name=basket.source_name,
        test=basket.test,
        buyer_accepts_marketing=basket.buyer_accepts_marketing,
        locale=basket.locale,
        note=basket.note,
        tags=basket.tags,
        checkout_token=basket.checkout_token,
        cart_token=basket.cart_token,
        gateway=basket.gateway,
        location_id=store.locations[0].id if basket.source_name == "pos" else None,
        delivery=basket.delivery or _delivery(basket),
    )
    if basket.discount_code:
        taken = money.total([one.discount for one in order.lines] + [one.discount for one in order.shipping_lines])
        kind = "shipping" if basket.shipping_discount else "percentage"
        order.discount_codes.append(
            DiscountCode(basket.discount_code, taken, kind, money.penny(basket.discount_rate * 100))
        )
    order.original_total = money.totals(order).total
    money.settle(order)
    store.add_order(order)
    events = [Event(store.shop.domain, "orders/create", order.id)]
    if not world.building:
        events += _take_stock(world, store, basket)
    return order, events


def _delivery(basket: Basket) -> str:
    """At a till goods are handed over, unless it ships them."""
    return "RETAIL" if basket.source_name == "pos" and basket.shipping is None else "SHIPPING"


def erase(store: Store, order: Order) -> list[Event]:
    """Delete an order for good; the customer and the sums stay as they are (ASSUMED)."""
    del store.orders[order.id]
    store.gone_orders[order.id] = order
    store.version += 1
    return [Event(store.shop.domain, "orders/delete", order.id)]


def line(world: World, store: Store, good: Variant | Custom, quantity: int, basket: Basket) -> LineItem:
    """Price one line of a basket: unit price, its share of the discount, and tax for the whole quantity."""
    if isinstance(good, Custom):
        made = LineItem(
            id=world.next_id(),
            title=good.title,
            quantity=quantity,
            current_quantity=quantity,
            fulfillable_quantity=quantity if not good.is_tip else 0,
            price=money.exchange(good.price, basket.rate),
            product_id=None,
            variant_id=None,
            sku=good.sku,
            requires_shipping=False,
            is_tip=good.is_tip,
        )
    else:
        product = store.products[good.product_id]
        made = LineItem(
            id=world.next_id(),
            title=product.title,
            quantity=quantity,
            current_quantity=quantity,
            fulfillable_quantity=quantity,
            price=money.exchange(good.price, basket.rate),
            product_id=product.id,
            variant_id=good.id,
            variant_title=good.title if good.title != "Default Title" else None,
            sku=good.sku,
            vendor=product.vendor,
            requires_shipping=good.requires_shipping,
            is_gift_card=product.is_gift_card,
        )
    if basket.discount_rate and not basket.shipping_discount and not made.is_tip and not made.is_gift_card:
        made.discount = money.share(money.times(made.price, quantity), basket.discount_rate)
    if not made.is_tip and not made.is_gift_card:
        made.tax_lines = taxes(money.worth(made, quantity), basket.tax_rate, included=basket.taxes_included)
    return made


def taxes(amount: MoneyBag, rate: Decimal, *, included: bool) -> list[TaxLine]:
    """Give the tax lines on an amount."""
    return [TaxLine("VAT" if included else "Sales tax", rate, money.embedded(amount, rate, included))] if rate else []


def _shipping(world: World, basket: Basket) -> list[ShippingLine]:
    if basket.shipping is None:
        return []
    price = money.exchange(basket.shipping, basket.rate)
    title = "Standard" if price else "Free shipping"
    made = ShippingLine(world.next_id(), title, title, price, price if basket.shipping_discount else NOTHING)
    made.tax_lines = taxes(money.shipping_worth(made), basket.tax_rate, included=basket.taxes_included)
    return [made]


def _take_stock(world: World, store: Store, basket: Basket) -> list[Event]:
    """products/update "also fires when ordered", and stock goes down."""
    events: list[Event] = []
    for good, quantity in basket.goods:
        if isinstance(good, Variant) and good.id in store.variants:
            events += catalogue.stock(world, store, good, good.inventory_quantity - quantity, basket.at)
    return events
