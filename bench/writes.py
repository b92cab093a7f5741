"""Writes by the hundred thousand, of the size that the mapping makes them: what waits in an outbox."""

from datetime import UTC, datetime

from bench.bodies import Bodies
from bench.rig import RULES

from isthmus.mapping.order import map_order
from isthmus.model.lane import Lane
from isthmus.model.order import Order
from isthmus.model.write import RecordKind, Write
from isthmus.ometria import wire
from isthmus.shopify.parse import order_webhook

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Writes:
    """The n-th write of a kind and lane is always the same, and no two have the same id."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies

    def write(self, kind: RecordKind, lane: Lane, n: int) -> Write:
        number = f"{lane.rank}{n:09}"
        match kind:
            case RecordKind.ORDER:
                made = order_webhook.parse_order_webhook(self._bodies.body(n))
                assert isinstance(made, Order)
                named = map_order(made, None, RULES, lane)
                assert named.body is not None
                own = f"uk:5{number}"
                return Write(kind, own, named.body.replace(named.id.encode(), own.encode()), lane)
            case RecordKind.CONTACT:
                return contact(f"uk:6{number}", f"bea{number}@example.com", lane)
            case RecordKind.PRODUCT:
                own = f"uk:7{number}"
                return Write(kind, own, wire.encode_record(_product(own)), lane)
            case RecordKind.MOMENT:
                own = f"uk:shipped-8{number}"
                return Write(kind, own, wire.encode_record(_moment(own, f"bea{number}@example.com")), lane)


def contact(own: str, email: str, lane: Lane) -> Write:
    record = wire.ContactBody(
        collection="shopify",
        id=own,
        customer_id=own,
        email=email,
        phone_number=None,
        firstname="Bea",
        lastname="Other",
        country_id="GB",
        store_ids=(RULES.store_id,),
        marketing_optin="EXPLICITLY_OPTEDIN",
        timestamp_acquired=AT,
        properties={"tags": "vip, wholesale"},
    )
    return Write(RecordKind.CONTACT, own, wire.encode_record(record), lane, opts_in=True)


def _product(own: str) -> wire.ProductBody:
    names = ("vendor", "type", "category", "tag", "option_size", "option_colour")
    return wire.ProductBody(
        id=own,
        title="Linen shirt, washed",
        currency="GBP",
        is_variant=False,
        is_active=True,
        is_in_stock=True,
        attributes=tuple(wire.Attribute(name, f"{name}-{place}", name.title()) for place, name in enumerate(names)),
        sku=f"SKU-{own}",
        url=f"https://shop.example/products/{own}",
        image_url=f"https://cdn.example/{own}.jpg",
    )


def _moment(own: str, email: str) -> wire.CustomEvent:
    return wire.CustomEvent(
        id=own,
        timestamp=AT,
        event_type="order_shipped",
        identity_email=email,
        properties={"order_id": own, "tracking_number": "JD000000000000000000", "carrier": "Royal Mail"},
    )
