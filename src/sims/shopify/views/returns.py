"""Returns and exchanges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sims.shopify import money
from sims.shopify.pages import Page, whole
from sims.shopify.state import LineItem as LineRecord
from sims.shopify.state import Return as Record
from sims.shopify.state import ReturnLine, gid
from sims.shopify.views import fulfilments, lines, refunds
from sims.shopify.views.plain import dated, identified, own

if TYPE_CHECKING:
    from sims.shopify.views.orders import Order


class Return:
    """Somebody wants to send something back."""

    __slots__ = ("order", "record")
    type_name: ClassVar[str] = "Return"

    def __init__(self, order: Order, record: Record) -> None:
        self.order, self.record = order, record

    id = identified("Return")
    name = own("name")
    status = own("status")
    created_at = dated("created_at")
    request_approved_at = dated("approved_at")
    closed_at = dated("closed_at")
    total_quantity = property(lambda self: sum(each.quantity for each in self.record.lines))

    @property
    def decline(self) -> dict[str, Any] | None:
        reason = self.record.decline_reason
        return None if reason is None else {"reason": reason.upper(), "note": "The return window has ended."}

    def refunds(self, **asked: Any) -> Page:
        mine = [each for each in self.order.record.refunds if each.return_id == self.record.id]
        return whole(mine, lambda each: refunds.Refund(self.order, each), **asked)

    def return_line_items(self, processing_status: Any = None, **asked: Any) -> Page:  # noqa: ARG002
        return whole(self.record.lines, lambda each: ReturnLineItem(self, each), **asked)

    def exchange_line_items(
        self,
        include_removed_items: bool = False,  # noqa: ARG002
        processing_status: Any = None,  # noqa: ARG002
        **asked: Any,
    ) -> Page:
        mine = [each for each in self.order.record.lines if each.id in self.record.exchange_line_ids]
        return whole(mine, lambda each: ExchangeLineItem(self.order, each), **asked)


class ReturnLineItem:
    """Units that come back."""

    __slots__ = ("of", "record")
    type_name: ClassVar[str] = "ReturnLineItem"

    def __init__(self, of: Return, record: ReturnLine) -> None:
        self.of, self.record = of, record

    id = identified("ReturnLineItem")
    quantity = own("quantity")
    refunded_quantity = own("refunded_quantity")
    refundable_quantity = property(lambda self: self.record.quantity - self.record.refunded_quantity)
    processed_quantity = property(lambda self: self.record.quantity if self.of.record.status == "CLOSED" else 0)
    processable_quantity = property(lambda self: self.record.quantity - self.processed_quantity)
    unprocessed_quantity = property(lambda self: self.record.quantity - self.processed_quantity)
    return_reason = own("reason")
    return_reason_note = own("note")
    customer_note = property(lambda self: self.record.note or None)

    @property
    def return_reason_definition(self) -> dict[str, Any]:
        reason = self.record.reason
        return {
            "__typename": "ReturnReasonDefinition",
            "id": gid("ReturnReasonDefinition", sum(reason.encode())),
            "handle": reason.lower().replace("_", "-"),
            "name": reason.replace("_", " ").capitalize(),
            "deleted": False,
        }

    @property
    def fulfillment_line_item(self) -> fulfilments.FulfillmentLineItem:
        order = self.of.order
        for parcel in order.record.fulfillments:
            for at, (line, quantity) in enumerate(parcel.lines, 1):
                if line == self.record.line_id:
                    return fulfilments.FulfillmentLineItem(order, parcel.id + at, line, quantity)
        return fulfilments.FulfillmentLineItem(order, self.record.line_id, self.record.line_id, self.record.quantity)

    @property
    def with_code_discounted_total_price_set(self) -> dict[str, Any]:
        order = self.of.order
        line = next(each for each in order.record.lines if each.id == self.record.line_id)
        return order.bag(money.worth(line, self.record.quantity))


class ExchangeLineItem:
    """What goes out instead."""

    __slots__ = ("order", "record")
    type_name: ClassVar[str] = "ExchangeLineItem"

    def __init__(self, order: Order, record: LineRecord) -> None:
        self.order, self.record = order, record

    id = identified("ExchangeLineItem")
    quantity = own("quantity")
    processable_quantity = own("fulfillable_quantity")
    processed_quantity = own("fulfilled_quantity")
    unprocessed_quantity = own("fulfillable_quantity")

    @property
    def variant_id(self) -> str | None:
        number = self.record.variant_id
        return None if number is None else gid("ProductVariant", number)

    @property
    def line_items(self) -> list[lines.LineItem]:
        return [self.order.line(self.record)]
