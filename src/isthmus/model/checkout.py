"""A basket that got as far as contact details."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct


class CheckoutLine(Struct, frozen=True, gc=False, omit_defaults=True):
    title: str
    quantity: int
    price: Decimal
    product_id: int | None = None
    variant_id: int | None = None
    sku: str | None = None


class Checkout(Struct, frozen=True, gc=False, omit_defaults=True):
    """Known by its token: checkout bodies have had no id since API version 2026-04."""

    token: str
    created_at: datetime
    updated_at: datetime
    currency: str
    total: Decimal
    completed_at: datetime | None = None
    email: str | None = None
    phone: str | None = None
    customer_id: int | None = None
    firstname: str | None = None
    lastname: str | None = None
    locale: str | None = None
    url: str | None = None
    lines: tuple[CheckoutLine, ...] = ()
