"""Refunds: the units, shipping and adjustments they name, and the money that moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sims.shopify import money
from sims.shopify.pages import Page, whole
from sims.shopify.state import OrderAdjustment as AdjustmentRecord
from sims.shopify.state import Refund as Record
from sims.shopify.state import RefundLine, RefundShipping
from sims.shopify.views import lines, orders, returns, shop
from sims.shopify.views.plain import dated, identified, numbered, own

if TYPE_CHECKING:
    from sims.shopify.views.orders import Order


class Refund:
    """One refund; it exists whether or not money moved."""

    __slots__ = ("order", "record")
    type_name: ClassVar[str] = "Refund"

    def __init__(self, order: Order, record: Record) -> None:
        self.order, self.record = order, record

    id = identified("Refund")
    legacy_resource_id = numbered()
    created_at = dated("created_at")
    updated_at = dated("created_at")
    processed_at = dated("processed_at")
    note = own("note")

    @property
    def total_refunded_set(self) -> dict[str, Any]:
        return self.order.bag(money.moved(self.record))

    @property
    def return_(self) -> returns.Return | None:
        found = (each for each in self.order.record.returns if each.id == self.record.return_id)
        return next((returns.Return(self.order, each) for each in found), None)

    def refund_line_items(self, **asked: Any) -> Page:
        return whole(self.record.lines, lambda each: RefundLineItem(self.order, each), **asked)

    def refund_shipping_lines(self, **asked: Any) -> Page:
        return whole(self.record.shipping, lambda each: RefundShippingLine(self.order, each), **asked)

    def order_adjustments(self, **asked: Any) -> Page:
        return whole(self.record.adjustments, lambda each: OrderAdjustment(self.order, each), **asked)

    def transactions(self, **asked: Any) -> Page:
        return whole(self.record.transactions, lambda each: orders.Transaction(self.order, each), **asked)


class RefundLineItem:
    """Units of a line that a refund names."""

    __slots__ = ("order", "record")
    type_name: ClassVar[str] = "RefundLineItem"

    def __init__(self, order: Order, record: RefundLine) -> None:
        self.order, self.record = order, record

    id = identified("RefundLineItem")
    quantity = own("quantity")
    restock_type = own("restock_type")
    restocked = property(lambda self: self.record.restock_type != "NO_RESTOCK")
    subtotal_set = property(lambda self: self.order.bag(self.record.subtotal))
    total_tax_set = property(lambda self: self.order.bag(self.record.total_tax))

    @property
    def line_item(self) -> lines.LineItem:
        return self.order.line(next(each for each in self.order.record.lines if each.id == self.record.line_id))

    @property
    def price_set(self) -> dict[str, Any]:
        return self.order.bag(self.line_item.record.price)

    @property
    def location(self) -> shop.Location | None:
        places = self.order.sight.store.locations
        return shop.Location(places[0]) if self.restocked and places else None


class RefundShippingLine:
    """Shipping money that a refund names."""

    __slots__ = ("order", "record")
    type_name: ClassVar[str] = "RefundShippingLine"

    def __init__(self, order: Order, record: RefundShipping) -> None:
        self.order, self.record = order, record

    id = identified("RefundShippingLine")
    subtotal_amount_set = property(lambda self: self.order.bag(self.record.subtotal))
    tax_amount_set = property(lambda self: self.order.bag(self.record.tax))

    @property
    def shipping_line(self) -> lines.ShippingLine:
        order = self.order.record
        found = next(each for each in order.shipping_lines if each.id == self.record.shipping_line_id)
        return lines.ShippingLine(order, found)


class OrderAdjustment:
    """What reconciles a refund's named lines with the money that moved."""

    __slots__ = ("order", "record")
    type_name: ClassVar[str] = "OrderAdjustment"

    def __init__(self, order: Order, record: AdjustmentRecord) -> None:
        self.order, self.record = order, record

    id = identified("OrderAdjustment")
    reason = own("reason")
    amount_set = property(lambda self: self.order.bag(self.record.amount))
    tax_amount_set = property(lambda self: self.order.bag(self.record.tax_amount))
