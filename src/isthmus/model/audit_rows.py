"""A shop as an audit counts it: thin rows, whichever way they were read, and what the shop says of itself."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct, field

from isthmus.kit.money import ZERO
from isthmus.model.customer import ChannelConsent


class Source(StrEnum):
    """What there may be to read. The export has customers without the times and levels of their consent."""

    CUSTOMERS = "customers"
    CONSENT = "consent records"
    ORDERS = "orders"
    OWNERS = "whose the orders are"
    PRODUCTS = "products"
    SHOP = "what the shop says of itself"
    SAMPLE = "whole records"
    PROFILES = "profiles of Ometria"
    WRITERS = "records of other writers"


class CustomerRef(Struct, frozen=True, gc=False):
    """A customer by number, and what they spent: all that a check keeps of somebody it may meet again."""

    store: str
    id: str
    spent: Decimal = ZERO
    currency: str = ""


class CustomerRow(Struct, frozen=True, gc=False):
    """One customer of one store. `n_orders` is the shop's own count, also of orders that we may not see."""

    who: CustomerRef
    email: str | None = None
    phone: str | None = None
    firstname: str | None = None
    lastname: str | None = None
    postcode: str | None = None
    country_code: str | None = None
    tags: tuple[str, ...] = ()
    email_consent: ChannelConsent | None = None
    sms_consent: ChannelConsent | None = None
    n_orders: int = 0


class OrderRow(Struct, frozen=True, gc=False):
    """One order. `customer` is its customer's id, `presentment` the currency that was paid in, `day` is YYYY-MM-DD."""

    store: str
    id: str
    name: str
    total: Decimal
    currency: str
    presentment: str
    day: str = ""
    email: str | None = None
    phone: str | None = None
    customer: str | None = None
    is_test: bool = False
    n_tag_chars: int = 0


class Sku(Struct, frozen=True, gc=False):
    """One variant; `price` None where none is written down."""

    id: str
    sku: str | None
    price: Decimal | None


class ProductRow(Struct, frozen=True, gc=False):
    """One product with its variants; `is_sold` says whether it is active, or reached by its link."""

    store: str
    id: str
    title: str
    skus: tuple[Sku, ...]
    is_sold: bool = True
    has_image: bool = True
    is_gift_card: bool = False
    tags: tuple[str, ...] = ()


class ProfileRow(Struct, frozen=True, gc=False):
    """One person of Ometria's; `optin` True, False, or None where nothing was said."""

    id: str
    email: str | None
    optin: bool | None


class Fields(Struct, frozen=True):
    """A custom field that the shop defines: whose it is, its name, its type."""

    owner: str
    name: str
    type: str


class ShopFacts(Struct, frozen=True, kw_only=True):
    """What a shop says of itself, beside what the connection says of it.

    `missing_scopes` are those that are needed; `sees_history` whether orders older than 60 days are to be had, and
    `is_horizon_accepted` whether the connection says that they need not be; `writes_consent` whether opt-outs made on
    Ometria may be written to the shop.
    `n_to_subscribe` and `n_to_delete` are what would make the webhook subscriptions right, None where the app's own
    configuration does that; `n_doubled` are API-made ones beside those. `definitions` is None where they could not
    be read. `newest_name` is the name of the newest order, "#1234".
    """

    store: str
    domain: str
    said_domain: str
    name: str
    plan: str
    currency: str
    said_currency: str
    presentment: tuple[str, ...]
    timezone: str
    scopes: tuple[str, ...]
    missing_scopes: tuple[str, ...] = ()
    sees_history: bool = True
    is_horizon_accepted: bool = False
    writes_consent: bool = True
    api_version: str
    served_version: str | None = None
    supported: tuple[str, ...] = ()
    n_to_subscribe: int | None = None
    n_to_delete: int = 0
    n_doubled: int = 0
    definitions: tuple[Fields, ...] | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    newest_name: str | None = None


class Mapped(Struct, frozen=True):
    """A whole record as it would be sent: `n_bytes` of it, how many values were cut, or why it cannot be said."""

    kind: str
    store: str
    id: str
    n_bytes: int
    n_cut: int = 0
    rejected: str | None = None


class ForeignSample(Struct, frozen=True):
    """Records of Ometria's that somebody else wrote, as far as a sample showed."""

    kind: str
    n: int
    of: int
    says: str


class ReadDenied(Struct, frozen=True):
    """A source of a store that could not be read, and the code of the failure."""

    store: str
    source: Source
    code: str
