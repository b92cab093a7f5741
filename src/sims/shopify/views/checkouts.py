"""Checkouts that were not completed when somebody last looked; completed ones stay and say so."""

from __future__ import annotations

from typing import Any, ClassVar

from sims.shopify import money
from sims.shopify.baskets import Checkout as Record
from sims.shopify.baskets import CheckoutLine as LineRecord
from sims.shopify.pages import Page, encode, whole
from sims.shopify.state import NOTHING, MoneyBag
from sims.shopify.views import catalogue, customers
from sims.shopify.views.plain import MailingAddress, always, bag, dated, identified, own
from sims.shopify.views.sight import Sight


class AbandonedCheckout:
    """A checkout; it has neither token nor email of its own in this API."""

    __slots__ = ("record", "sight")
    type_name: ClassVar[str] = "AbandonedCheckout"

    def __init__(self, sight: Sight, record: Record) -> None:
        self.sight, self.record = sight, record

    id = identified("AbandonedCheckout")
    name = property(lambda self: f"#{self.record.id}")
    abandoned_checkout_url = own("abandoned_checkout_url")
    created_at = dated("created_at")
    updated_at = dated("updated_at")
    completed_at = dated("completed_at")
    note = always("")
    discount_codes = custom_attributes = tax_lines = always([])
    taxes_included = own("taxes_included")
    default_cursor = property(lambda self: encode((self.record.id, self.record.id)))
    total_duties_set = always(None)

    @property
    def customer(self) -> customers.Customer | None:
        number = self.record.customer_id
        record = self.sight.store.customers.get(number) if number is not None else None
        return None if record is None else customers.Customer(self.sight, record)

    @property
    def billing_address(self) -> MailingAddress | None:
        address = self.record.billing_address
        return None if address is None else MailingAddress(address, "Address")

    @property
    def shipping_address(self) -> MailingAddress | None:
        address = self.record.shipping_address
        return None if address is None else MailingAddress(address, "Address")

    def line_items(self, **asked: Any) -> Page:
        return whole(self.record.lines, lambda each: CheckoutLineItem(self, each), **asked)

    @property
    def subtotal_price_set(self) -> dict[str, Any]:
        return self.bag(self._subtotal - self.record.total_discounts)

    @property
    def total_line_items_price_set(self) -> dict[str, Any]:
        return self.bag(self._subtotal)

    @property
    def total_discount_set(self) -> dict[str, Any]:
        return self.bag(self.record.total_discounts)

    @property
    def total_tax_set(self) -> dict[str, Any]:
        return self.bag(self.record.total_tax)

    @property
    def total_price_set(self) -> dict[str, Any]:
        one = self.record
        on_top = NOTHING if one.taxes_included else one.total_tax
        return self.bag(self._subtotal - one.total_discounts + (one.shipping_price or NOTHING) + on_top)

    @property
    def _subtotal(self) -> MoneyBag:
        return money.total(money.times(each.price, each.quantity) for each in self.record.lines)

    def bag(self, value: MoneyBag) -> dict[str, Any]:
        """Write an amount in the checkout's two currencies."""
        return bag(value, self.record.currency, self.record.presentment_currency)


class CheckoutLineItem:
    """A line of a checkout."""

    __slots__ = ("of", "record")
    type_name: ClassVar[str] = "AbandonedCheckoutLineItem"

    def __init__(self, of: AbandonedCheckout, record: LineRecord) -> None:
        self.of, self.record = of, record

    id = identified("AbandonedCheckoutLineItem")
    title = own("title")
    variant_title = own("variant_title")
    sku = own("sku")
    quantity = own("quantity")
    image = always(None)
    custom_attributes = always([])
    original_unit_price_set = discounted_unit_price_set = discounted_unit_price_with_code_discount = property(
        lambda self: self.of.bag(self.record.price)
    )
    original_total_price_set = discounted_total_price_set = discounted_total_price_with_code_discount = property(
        lambda self: self.of.bag(money.times(self.record.price, self.record.quantity))
    )

    @property
    def product(self) -> catalogue.Product | None:
        record = self.of.sight.store.products.get(self.record.product_id)
        return None if record is None else catalogue.Product(self.of.sight, record)

    @property
    def variant(self) -> catalogue.ProductVariant | None:
        record = self.of.sight.store.variants.get(self.record.variant_id)
        return None if record is None else catalogue.ProductVariant(self.of.sight, record)
