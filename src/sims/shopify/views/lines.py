"""Lines of an order: what was bought, what it was shipped for, taxes and discounts on both."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from sims.shopify import money
from sims.shopify.state import NOTHING, MoneyBag, TaxLine
from sims.shopify.state import LineItem as Record
from sims.shopify.state import Order as OrderRecord
from sims.shopify.state import ShippingLine as ShippingRecord
from sims.shopify.views import catalogue
from sims.shopify.views.plain import always, bag, identified, own
from sims.shopify.views.sight import Sight


class LineItem:
    """One line; its quantities are as ordered, as it stands now, and what may still happen to it."""

    __slots__ = ("order", "record", "sight")
    type_name: ClassVar[str] = "LineItem"

    def __init__(self, sight: Sight, order: OrderRecord, record: Record) -> None:
        self.sight, self.order, self.record = sight, order, record

    id = identified("LineItem")
    title = own("title")
    variant_title = own("variant_title")
    sku = own("sku")
    vendor = own("vendor")
    quantity = own("quantity")
    current_quantity = own("current_quantity")
    requires_shipping = own("requires_shipping")
    is_gift_card = own("is_gift_card")
    taxable = property(lambda self: bool(self.record.tax_lines))
    restockable = property(lambda self: self.product is not None)
    merchant_editable = property(lambda self: not self.record.fulfilled_quantity)
    unfulfilled_quantity = own("fulfillable_quantity")
    image = always(None)

    @property
    def name(self) -> str:
        one = self.record
        return f"{one.title} - {one.variant_title}" if one.variant_title else one.title

    @property
    def refundable_quantity(self) -> int:
        return self.record.quantity - self.record.removed_quantity - self.record.refunded_quantity

    @property
    def non_fulfillable_quantity(self) -> int:
        one = self.record
        return max(0, one.quantity - one.fulfilled_quantity - one.fulfillable_quantity)

    @property
    def product(self) -> catalogue.Product | None:
        number = self.record.product_id
        product = self.sight.store.products.get(number) if number is not None else None
        return None if product is None else catalogue.Product(self.sight, product)

    @property
    def variant(self) -> catalogue.ProductVariant | None:
        number = self.record.variant_id
        variant = self.sight.store.variants.get(number) if number is not None else None
        return None if variant is None else catalogue.ProductVariant(self.sight, variant)

    @property
    def custom_attributes(self) -> list[dict[str, Any]]:
        return [{"key": key, "value": value} for key, value in self.record.properties]

    @property
    def original_unit_price_set(self) -> dict[str, Any]:
        return self._bag(self.record.price)

    @property
    def original_total_set(self) -> dict[str, Any]:
        return self._bag(money.times(self.record.price, self.record.quantity))

    @property
    def discounted_unit_price_set(self) -> dict[str, Any]:
        return self._bag(self.record.price)  # without code discounts, as documented; the world knows no others

    @property
    def discounted_unit_price_after_all_discounts_set(self) -> dict[str, Any]:
        worth, n = money.worth(self.record, self.record.quantity), self.record.quantity
        return self._bag(worth if n == 1 else MoneyBag(money.penny(worth.shop / n), money.penny(worth.presentment / n)))

    def discounted_total_set(self, with_code_discounts: bool = False) -> dict[str, Any]:
        if with_code_discounts:
            return self._bag(money.worth(self.record, self.record.quantity))
        return self.original_total_set

    @property
    def total_discount_set(self) -> dict[str, Any]:
        return self._bag(NOTHING)  # without order-level discounts, as documented: see discount_allocations

    @property
    def unfulfilled_original_total_set(self) -> dict[str, Any]:
        return self._bag(money.times(self.record.price, self.record.fulfillable_quantity))

    @property
    def unfulfilled_discounted_total_set(self) -> dict[str, Any]:
        return self._bag(money.worth(self.record, self.record.fulfillable_quantity))

    @property
    def discount_allocations(self) -> list[dict[str, Any]]:
        return allocations(self.order, self.record.discount)

    def tax_lines(self, first: int | None = None) -> list[dict[str, Any]]:
        return taxes(self.order, self.record.tax_lines[:first])

    def _bag(self, value: MoneyBag) -> dict[str, Any]:
        return bag(value, self.order.currency, self.order.presentment_currency)


class ShippingLine:
    """One shipping charge."""

    __slots__ = ("order", "record")
    type_name: ClassVar[str] = "ShippingLine"

    def __init__(self, order: OrderRecord, record: ShippingRecord) -> None:
        self.order, self.record = order, record

    id = identified("ShippingLine")
    title = own("title")
    code = own("code")
    source = always("shopify")
    custom = is_removed = always(False)
    carrier_identifier = delivery_category = phone = always(None)

    @property
    def original_price_set(self) -> dict[str, Any]:
        return self._bag(self.record.price)

    @property
    def discounted_price_set(self) -> dict[str, Any]:
        return self._bag(money.shipping_worth(self.record))

    @property
    def current_discounted_price_set(self) -> dict[str, Any]:
        return self._bag(money.shipping_worth(self.record) - self.record.refunded)

    @property
    def discount_allocations(self) -> list[dict[str, Any]]:
        return allocations(self.order, self.record.discount)

    @property
    def tax_lines(self) -> list[dict[str, Any]]:
        return taxes(self.order, self.record.tax_lines)

    def _bag(self, value: MoneyBag) -> dict[str, Any]:
        return bag(value, self.order.currency, self.order.presentment_currency)


def allocations(order: OrderRecord, discount: MoneyBag) -> list[dict[str, Any]]:
    """Write what an order's one code took off a line."""
    if not discount:
        return []
    amount = bag(discount, order.currency, order.presentment_currency)
    return [{"allocatedAmountSet": amount, "discountApplication": _application(order)}]


def taxes(order: OrderRecord, lines: list[TaxLine]) -> list[dict[str, Any]]:
    """Write tax lines."""
    return [
        {
            "title": one.title,
            "rate": float(one.rate),
            "ratePercentage": float(one.rate * 100),
            "priceSet": bag(one.price, order.currency, order.presentment_currency),
            "source": "Shopify",
            "channelLiable": False,
        }
        for one in lines
    ]


def summed(order: OrderRecord) -> list[TaxLine]:
    """Return the tax lines of an order, summed by title and rate."""
    found: dict[tuple[str, Decimal], MoneyBag] = {}
    for taxes_of_line in [each.tax_lines for each in order.lines] + [each.tax_lines for each in order.shipping_lines]:
        for tax in taxes_of_line:
            found[tax.title, tax.rate] = found.get((tax.title, tax.rate), NOTHING) + tax.price
    return [TaxLine(title, rate, price) for (title, rate), price in found.items()]


def _application(order: OrderRecord) -> dict[str, Any]:
    code = order.discount_codes[0] if order.discount_codes else None
    target = "SHIPPING_LINE" if code is not None and code.type == "shipping" else "LINE_ITEM"
    told: dict[str, Any] = {
        "allocationMethod": "ACROSS",
        "index": 0,
        "targetSelection": "ALL",
        "targetType": target,
        "value": {"__typename": "PricingPercentageValue", "percentage": float(code.value) if code else 0.0},
    }
    if code is None:
        return {**told, "__typename": "ManualDiscountApplication", "title": "Discount", "description": None}
    return {**told, "__typename": "DiscountCodeApplication", "code": code.code}
