"""Parcels, where they are, and what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sims.shopify import money
from sims.shopify.pages import Page, whole
from sims.shopify.state import Fulfillment as Record
from sims.shopify.state import FulfillmentEvent as EventRecord
from sims.shopify.state import LineItem, gid
from sims.shopify.views import lines, shop
from sims.shopify.views.plain import always, dated, identified, maybe, numbered, own

if TYPE_CHECKING:
    from sims.shopify.views.orders import Order


class Fulfillment:
    """One parcel."""

    __slots__ = ("order", "record")
    type_name: ClassVar[str] = "Fulfillment"

    def __init__(self, order: Order, record: Record) -> None:
        self.order, self.record = order, record

    id = identified("Fulfillment")
    legacy_resource_id = numbered()
    name = own("name")
    status = own("status")
    created_at = dated("created_at")
    updated_at = dated("updated_at")
    estimated_delivery_at = always(None)
    requires_shipping = property(lambda self: any(each.requires_shipping for each in self._goods()))
    total_quantity = property(lambda self: sum(quantity for _, quantity in self.record.lines))
    in_transit_at = property(lambda self: self._first("IN_TRANSIT"))
    delivered_at = property(lambda self: self._first("DELIVERED"))

    @property
    def display_status(self) -> str:
        """What a person sees: the carrier's last word, else what the shop did."""
        if self.record.status == "CANCELLED":
            return "CANCELED"
        return self.record.shipment_status or "FULFILLED"

    @property
    def location(self) -> shop.Location | None:
        places = self.order.sight.store.locations
        return shop.Location(places[0]) if places else None

    def tracking_info(self, first: int | None = None) -> list[dict[str, Any]]:
        one = self.record
        if not one.tracking_number and not one.tracking_url:
            return []
        return [{"company": one.tracking_company, "number": one.tracking_number, "url": one.tracking_url}][:first]

    def events(self, sort_key: str = "HAPPENED_AT", **asked: Any) -> Page:
        mine = sorted(self.record.events, key=lambda each: each.id if sort_key == "ID" else each.happened_at)
        return whole(mine, lambda each: FulfillmentEvent(self.order, each), **asked)

    def fulfillment_line_items(self, **asked: Any) -> Page:
        return whole(list(enumerate(self.record.lines, 1)), self._line, **asked)

    def fulfillment_orders(self, **asked: Any) -> Page:
        """One of each parcel, with the parcel's number (ASSUMED: the world keeps none)."""
        return whole([self.record], lambda each: FulfillmentOrder(self, each), **asked)

    def _goods(self) -> list[LineItem]:
        numbers = {line for line, _ in self.record.lines}
        return [each for each in self.order.record.lines if each.id in numbers]

    def _line(self, numbered_line: tuple[int, tuple[int, int]]) -> FulfillmentLineItem:
        at, (line, quantity) = numbered_line
        return FulfillmentLineItem(self.order, self.record.id + at, line, quantity)

    def _first(self, status: str) -> str | None:
        times = [each.happened_at for each in self.record.events if each.status == status]
        return maybe(min(times)) if times else None


class FulfillmentOrder:
    """What was to be sent in one parcel, and how it reaches the buyer."""

    __slots__ = ("of", "record")
    type_name: ClassVar[str] = "FulfillmentOrder"

    def __init__(self, of: Fulfillment, record: Record) -> None:
        self.of, self.record = of, record

    id = identified("FulfillmentOrder")
    created_at = dated("created_at")
    updated_at = dated("updated_at")

    @property
    def delivery_method(self) -> dict[str, Any]:
        order = self.of.order.record
        return {
            "id": gid("DeliveryMethod", self.record.id),
            "methodType": order.delivery if self.of.requires_shipping else "NONE",
            "presentedName": order.shipping_lines[0].title if order.shipping_lines else None,
            "serviceCode": order.shipping_lines[0].code if order.shipping_lines else None,
        }


class FulfillmentEvent:
    """A carrier's message."""

    __slots__ = ("order", "record")
    type_name: ClassVar[str] = "FulfillmentEvent"

    def __init__(self, order: Order, record: EventRecord) -> None:
        self.order, self.record = order, record

    id = identified("FulfillmentEvent")
    status = own("status")
    happened_at = dated("happened_at")
    created_at = dated("created_at")
    message = city = province = zip = estimated_delivery_at = always(None)

    @property
    def country(self) -> str | None:
        address = self.order.record.shipping_address
        return None if address is None else address.country_code


class FulfillmentLineItem:
    """Units of a line in a parcel; its number is made of the parcel's, since the world keeps none."""

    __slots__ = ("_number", "line_id", "order", "quantity")
    type_name: ClassVar[str] = "FulfillmentLineItem"
    quantity: int

    def __init__(self, order: Order, number: int, line_id: int, quantity: int) -> None:
        self.order, self._number, self.line_id, self.quantity = order, number, line_id, quantity

    id = property(lambda self: gid("FulfillmentLineItem", self._number))

    @property
    def line_item(self) -> lines.LineItem:
        return self.order.line(next(each for each in self.order.record.lines if each.id == self.line_id))

    @property
    def original_total_set(self) -> dict[str, Any]:
        return self.order.bag(money.times(self.line_item.record.price, self.quantity))

    @property
    def discounted_total_set(self) -> dict[str, Any]:
        return self.order.bag(money.worth(self.line_item.record, self.quantity))
