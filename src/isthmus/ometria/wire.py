"""The JSON that goes to Ometria's push endpoint (https://docs.ometria.com/docs/push-endpoint).

Money is written with exactly the decimals it has, never through a float. Orders, products and moments leave out what
is None. On a contact the two differ: UNSET is left out, None is sent as `null`, which clears the field.
"""

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

Optin = Literal["EXPLICITLY_OPTEDIN", "EXPLICITLY_OPTEDOUT", "NOT_SPECIFIED"]
Properties = dict[str, object]
Text = str | None | UnsetType


class Sms(Struct, frozen=True, gc=False, omit_defaults=True):
    """What is allowed by SMS (https://support.ometria.com/hc/en-gb/articles/20854035651101)."""

    allow_marketing: bool
    dt_updated_marketing: datetime | None = None


class Channels(Struct, frozen=True, gc=False, omit_defaults=True):
    sms: Sms | None = None


class ContactBody(Struct, frozen=True, gc=False, tag_field="@type", tag="contact"):
    """One listing of a person (https://docs.ometria.com/docs/contacts-endpoint)."""

    collection: str = field(name="@collection")
    id: str
    customer_id: Text = UNSET
    email: Text = UNSET
    phone_number: Text = UNSET
    firstname: Text = UNSET
    lastname: Text = UNSET
    country_id: Text = UNSET
    store_ids: tuple[str, ...] | UnsetType = UNSET
    marketing_optin: Optin | UnsetType = UNSET
    timestamp_acquired: datetime | UnsetType = UNSET
    timestamp_subscribed: datetime | UnsetType = UNSET
    timestamp_unsubscribed: datetime | UnsetType = UNSET
    force_optin: bool | UnsetType = field(name="@force_optin", default=UNSET)
    merge: bool | UnsetType = field(name="@merge", default=UNSET)
    channels: Channels | UnsetType = UNSET
    properties: Properties | UnsetType = UNSET


class Totals(Struct, frozen=True, gc=False):
    """An order's sums in one currency; `subtotal + shipping + tax = grand_total`."""

    currency: str
    subtotal: Decimal
    discount: Decimal
    shipping: Decimal
    tax: Decimal
    grand_total: Decimal


class LineTotals(Struct, frozen=True, gc=False, omit_defaults=True):
    """A line's sums in one currency."""

    currency: str
    unit_price: Decimal
    subtotal: Decimal
    discount: Decimal
    tax: Decimal
    total: Decimal
    refunded: Decimal | None = None


class OrderTotals(Struct, frozen=True, gc=False, omit_defaults=True):
    """`base` is the account's reporting currency, `local` the one the customer paid in."""

    base: Totals | None = None
    local: Totals | None = None


class LineItemTotals(Struct, frozen=True, gc=False, omit_defaults=True):
    base: LineTotals | None = None
    local: LineTotals | None = None


class LineItem(Struct, frozen=True, gc=False, omit_defaults=True):
    product_id: str
    quantity: int
    unit_price: Decimal
    subtotal: Decimal
    discount: Decimal
    tax: Decimal
    total: Decimal
    variant_id: str | None = None
    sku: str | None = None
    quantity_refunded: int | None = None
    refunded: Decimal | None = None
    totals: LineItemTotals | None = None
    properties: Properties | None = None


class OrderCustomer(Struct, frozen=True, gc=False, omit_defaults=True):
    """`id` is the customer_id of the person's contacts."""

    id: str | None = None
    email: str | None = None
    firstname: str | None = None
    lastname: str | None = None


class AddressBody(Struct, frozen=True, gc=False, omit_defaults=True):
    city: str | None = None
    state: str | None = None
    postcode: str | None = None
    country_code: str | None = None


class OrderBody(Struct, frozen=True, gc=False, omit_defaults=True, tag_field="@type", tag="order"):
    """A whole order; never sent in parts (https://ometria-api-reference.readme.io/docs/orders-endpoint)."""

    id: str
    web_id: str
    timestamp: datetime
    status: str
    is_valid: bool
    currency: str
    subtotal: Decimal
    discount: Decimal
    shipping: Decimal
    tax: Decimal
    grand_total: Decimal
    store: str
    lineitems: tuple[LineItem, ...]
    totals: OrderTotals | None = None
    customer: OrderCustomer | None = None
    channel: str | None = None
    payment_method: str | None = None
    shipping_method: str | None = None
    coupon_code: str | None = None
    billing_address: AddressBody | None = None
    shipping_address: AddressBody | None = None
    properties: Properties | None = None


class Attribute(Struct, frozen=True, gc=False):
    """A typed value of a product; Ometria replaces the whole list at every push."""

    type: str
    id: str
    label: str


class Listing(Struct, frozen=True, gc=False, omit_defaults=True):
    """A product page in one store (https://docs.ometria.com/docs/products-product-listings-and-product-variants)."""

    store: str
    title: str
    url: str
    currency: str
    is_active: bool
    image_url: str | None = None
    price: Decimal | None = None
    special_price: Decimal | None = None


class ProductBody(Struct, frozen=True, gc=False, omit_defaults=True, tag_field="@type", tag="product"):
    """A product page, or with `is_variant` one of its variants (https://docs.ometria.com/docs/product-endpoint)."""

    id: str
    title: str
    currency: str
    is_variant: bool
    is_active: bool
    is_in_stock: bool
    attributes: tuple[Attribute, ...]
    sku: str | None = None
    price: Decimal | None = None
    special_price: Decimal | None = None
    url: str | None = None
    image_url: str | None = None
    listings: tuple[Listing, ...] | None = None
    properties: Properties | None = None


class CustomEvent(Struct, frozen=True, gc=False, omit_defaults=True, tag_field="@type", tag="custom_event"):
    """Something that happened (https://support.ometria.com/hc/en-gb/articles/360011171077)."""

    id: str
    timestamp: datetime
    event_type: str
    identity_email: str | None = None
    identity_account_id: str | None = None
    properties: Properties | None = None


Record = ContactBody | OrderBody | ProductBody | CustomEvent

_ENCODER = msgspec.json.Encoder(decimal_format="number", order="deterministic")


def encode_record(record: Record) -> bytes:
    """The bytes of one record: equal records give equal bytes, so that their hash tells whether anything changed."""
    return _ENCODER.encode(record)


def properties_size(properties: Properties) -> int:
    """Bytes that custom properties take as JSON, keys included."""
    return len(_ENCODER.encode(properties))
