"""Orders as the Admin API shows them; every total is derived by the same sums as in webhooks."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from sims.shopify import money
from sims.shopify.filters import RETURNS, confirmation_number
from sims.shopify.pages import Page, whole
from sims.shopify.state import NOTHING, MoneyBag, gid
from sims.shopify.state import LineItem as LineRecord
from sims.shopify.state import Order as Record
from sims.shopify.state import Transaction as TransactionRecord
from sims.shopify.views import customers, fulfilments, lines, refunds, returns, shop
from sims.shopify.views.metafields import WithMetafields
from sims.shopify.views.plain import MailingAddress, always, bag, count, dated, identified, numbered, own
from sims.shopify.views.sight import Sight

APPS = {
    "web": (580111, "Online Store"),
    "pos": (129785, "Point of Sale"),
    "shopify_draft_order": (1354745, "Draft Orders"),
}
"""The apps orders come from by `sourceName`: numbers and names of Shopify's own sales channels."""


def _total(name: str) -> Any:
    """Return a property that writes one of the order's derived totals."""
    return property(lambda self: self.bag(getattr(self.totals, name)))


class Order(WithMetafields):
    """An order with everything that happened to it."""

    __slots__ = ("_totals", "record", "sight")
    type_name: ClassVar[str] = "Order"
    owner_type: ClassVar[str] = "ORDER"

    def __init__(self, sight: Sight, record: Record) -> None:
        self.sight, self.record = sight, record
        self._totals: money.Totals | None = None

    id = identified("Order")
    legacy_resource_id = numbered()
    name = own("name")
    number = own("number")
    confirmation_number = property(lambda self: confirmation_number(self.record))
    created_at = dated("created_at")
    processed_at = dated("processed_at")
    updated_at = dated("updated_at")
    cancelled_at = dated("cancelled_at")
    cancel_reason = own("cancel_reason")
    closed_at = dated("closed_at")
    closed = property(lambda self: self.record.closed_at is not None)
    test = own("test")
    edited = property(lambda self: bool(self.record.edits))
    email = own("email")
    phone = own("phone")
    note = own("note")
    tags = own("tags")
    customer_locale = own("locale")
    customer_accepts_marketing = own("buyer_accepts_marketing")
    currency_code = own("currency")
    presentment_currency_code = own("presentment_currency")
    taxes_included = own("taxes_included")
    display_financial_status = own("financial_status")
    display_fulfillment_status = own("fulfillment_status")
    return_status = own("return_status")
    source_name = own("source_name")
    checkout_token = own("checkout_token")
    cart_token = own("cart_token")
    confirmed = always(True)
    duties_included = estimated_taxes = tax_exempt = always(False)
    po_number = source_identifier = client_ip = always(None)
    custom_attributes = always([])
    discount_codes = property(lambda self: [each.code for each in self.record.discount_codes])
    discount_code = property(lambda self: next(iter(self.discount_codes), None))
    payment_gateway_names = property(lambda self: [self.record.gateway] if self.record.transactions else [])
    requires_shipping = property(lambda self: any(each.requires_shipping for each in self.record.lines))
    fulfillable = property(lambda self: any(each.fulfillable_quantity for each in self.record.lines))
    refundable = property(lambda self: self.totals.net_payment.shop > 0)
    fully_paid = property(lambda self: self.totals.received.shop >= self.totals.total.shop)
    unpaid = property(lambda self: not self.totals.received.shop)

    total_price_set = _total("total")
    current_total_price_set = _total("current_total")
    subtotal_price_set = _total("subtotal")
    current_subtotal_price_set = _total("current_subtotal")
    total_tax_set = _total("tax")
    current_total_tax_set = _total("current_tax")
    total_discounts_set = _total("discounts")
    current_total_discounts_set = _total("current_discounts")
    cart_discount_amount_set = _total("discounts")
    current_cart_discount_amount_set = _total("current_discounts")
    total_shipping_price_set = _total("shipping")
    current_shipping_price_set = _total("current_shipping")
    total_refunded_set = _total("refunded")
    total_refunded_shipping_set = _total("refunded_shipping")
    net_payment_set = _total("net_payment")
    total_received_set = _total("received")
    total_outstanding_set = _total("outstanding")
    total_capturable_set = _total("capturable")
    total_tip_received_set = _total("tip")
    refund_discrepancy_set = _total("refund_discrepancy")
    original_total_price_set = property(lambda self: self.bag(self.record.original_total))

    @property
    def totals(self) -> money.Totals:
        """The order's sums, worked out once per answer."""
        if self._totals is None:
            self._totals = money.totals(self.record)
        return self._totals

    def bag(self, value: MoneyBag) -> dict[str, Any]:
        """Write an amount in the order's two currencies."""
        return bag(value, self.record.currency, self.record.presentment_currency)

    @property
    def app(self) -> dict[str, Any] | None:
        known = APPS.get(self.record.source_name)
        return None if known is None else {"id": gid("App", known[0]), "name": known[1]}

    def status_page_url(self, audience: str | None = None, notification_usage: str | None = None) -> str:  # noqa: ARG002
        token = hashlib.md5(str(self.record.id).encode(), usedforsecurity=False).hexdigest()
        of = self.sight.store.shop
        return f"https://{of.domain}/{of.id}/orders/{token}/authenticate?key={token[::-1]}"

    @property
    def customer(self) -> customers.Customer | None:
        record = self.sight.store.customer_of(self.record)
        return None if record is None else customers.Customer(self.sight, record)

    @property
    def billing_address(self) -> MailingAddress | None:
        address = self.record.billing_address
        return None if address is None else MailingAddress(address, "Address")

    @property
    def shipping_address(self) -> MailingAddress | None:
        address = self.record.shipping_address
        return None if address is None else MailingAddress(address, "Address")

    @property
    def display_address(self) -> MailingAddress | None:
        return self.shipping_address or self.billing_address

    @property
    def retail_location(self) -> shop.Location | None:
        found = (each for each in self.sight.store.locations if each.id == self.record.location_id)
        return next((shop.Location(each) for each in found), None)

    @property
    def tax_lines(self) -> list[dict[str, Any]]:
        return lines.taxes(self.record, lines.summed(self.record))

    @property
    def current_tax_lines(self) -> list[dict[str, Any]]:
        return self.tax_lines if self.totals.current_tax != NOTHING else []

    @property
    def subtotal_line_items_quantity(self) -> int:
        return sum(each.quantity for each in self.record.lines)

    @property
    def current_subtotal_line_items_quantity(self) -> int:
        return sum(each.current_quantity for each in self.record.lines)

    def line_items(self, **asked: Any) -> Page:
        return whole(self.record.lines, self.line, **asked)

    def non_fulfillable_line_items(self, **asked: Any) -> Page:
        mine = [each for each in self.record.lines if not each.fulfillable_quantity and not each.fulfilled_quantity]
        return whole(mine, self.line, **asked)

    def line(self, record: LineRecord) -> lines.LineItem:
        """Show one line."""
        return lines.LineItem(self.sight, self.record, record)

    @property
    def shipping_line(self) -> lines.ShippingLine | None:
        return next((lines.ShippingLine(self.record, each) for each in self.record.shipping_lines), None)

    def shipping_lines(self, include_removals: bool = False, **asked: Any) -> Page:  # noqa: ARG002
        return whole(self.record.shipping_lines, lambda each: lines.ShippingLine(self.record, each), **asked)

    def refunds(self, first: int | None = None) -> list[refunds.Refund]:
        return [refunds.Refund(self, each) for each in self.record.refunds[:first]]

    def fulfillments(self, first: int | None = None, query: str | None = None) -> list[fulfilments.Fulfillment]:  # noqa: ARG002
        return [fulfilments.Fulfillment(self, each) for each in self.record.fulfillments[:first]]

    @property
    def fulfillments_count(self) -> dict[str, Any]:
        return count(len(self.record.fulfillments))

    def returns(self, query: str | None = None, **asked: Any) -> Page:
        mine = self.record.returns
        if query and query.strip():
            matches = self.sight.matcher(query, RETURNS)
            mine = [each for each in mine if matches(each)]
        return whole(mine, lambda each: returns.Return(self, each), **asked)

    def transactions(
        self,
        first: int | None = None,
        capturable: bool | None = None,  # noqa: ARG002
        manually_resolvable: bool | None = None,  # noqa: ARG002
    ) -> list[Transaction]:
        return [Transaction(self, each) for each in self.record.transactions[:first]]

    @property
    def transactions_count(self) -> dict[str, Any]:
        return count(len(self.record.transactions))


class Transaction:
    """One movement of money, or the attempt."""

    __slots__ = ("order", "record")
    type_name: ClassVar[str] = "OrderTransaction"

    def __init__(self, order: Order, record: TransactionRecord) -> None:
        self.order, self.record = order, record

    id = identified("OrderTransaction")
    kind = own("kind")
    status = own("status")
    gateway = own("gateway")
    created_at = dated("created_at")
    processed_at = dated("processed_at")
    test = property(lambda self: self.order.record.test)
    formatted_gateway = property(lambda self: self.record.gateway.replace("_", " ").title())
    manual_payment_gateway = property(lambda self: self.record.gateway == "manual")
    payment_id = property(lambda self: f"{self.order.record.name}.{self.record.id % 10}")
    amount_set = property(lambda self: self.order.bag(self.record.amount))
    total_unsettled_set = property(lambda self: self.order.bag(NOTHING))
    amount_rounding_set = always(None)

    @property
    def error_code(self) -> str | None:
        return None if self.record.status in ("SUCCESS", "PENDING") else "PROCESSING_ERROR"

    @property
    def parent_transaction(self) -> Transaction | None:
        found = (each for each in self.order.record.transactions if each.id == self.record.parent_id)
        return next((Transaction(self.order, each) for each in found), None)
