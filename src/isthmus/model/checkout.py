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
    """Known by its token: checkout bodies have had no id since API version 2026-04.

    A reading has no token of the checkout; it is then known by the cart's, or by the number of the reading's record.
    `is_listed` says that only readings told of it.
    """

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
    cart_token: str | None = None
    is_listed: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Every token that names its basket."""
        return (self.token,) if self.cart_token in (None, self.token) else (self.token, self.cart_token)
