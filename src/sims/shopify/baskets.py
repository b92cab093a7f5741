"""A checkout as a simulated Shopify remembers it: plain mutable records, like those of `state`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sims.shopify.state import NOTHING, Address, MoneyBag


@dataclass(slots=True)
class CheckoutLine:
    """A line of a checkout."""

    id: int
    variant_id: int
    product_id: int
    title: str
    variant_title: str | None
    sku: str | None
    vendor: str
    quantity: int
    price: MoneyBag


@dataclass(slots=True)
class Checkout:
    """A checkout that was started; completed once it became an order. Webhooks carry no id of it since 2026-04."""

    id: int
    token: str
    cart_token: str | None
    created_at: datetime
    updated_at: datetime
    currency: str
    presentment_currency: str
    lines: list[CheckoutLine]
    email: str | None = None
    phone: str | None = None
    customer_id: int | None = None
    completed_at: datetime | None = None
    order_id: int | None = None
    buyer_accepts_marketing: bool = False
    sms_marketing: bool = False
    shipping_address: Address | None = None
    billing_address: Address | None = None
    shipping_price: MoneyBag | None = None
    total_tax: MoneyBag = NOTHING
    total_discounts: MoneyBag = NOTHING
    taxes_included: bool = True
    locale: str = "en"
    source_name: str = "web"
    abandoned_checkout_url: str = ""
    no_address: str = "list"  # how a body says that none was typed: list, absent, object, nulls, null
