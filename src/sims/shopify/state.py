"""What a simulated Shopify remembers: plain mutable records, one dict per kind and store.

Enumerations hold Shopify's own GraphQL spelling in upper case (``PAID``); REST bodies lower them.
All datetimes are aware UTC with whole seconds, as Shopify's are. Money lives in `MoneyBag`: shop and presentment.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from sims.shopify.later import Later
from sims.statements import Statements

if TYPE_CHECKING:
    from sims.shopify.baskets import Checkout
    from sims.shopify.merges import Merge

ZERO = Decimal("0.00")
SECOND = timedelta(seconds=1)


class Clock(Protocol):
    """Whatever tells the time of the simulated world."""

    def now(self) -> datetime:
        """Give the present as an aware UTC datetime."""
        ...


class Dated(Protocol):
    """A record that knows when it last changed."""

    updated_at: datetime


@dataclass(slots=True, unsafe_hash=True)
class MoneyBag:
    """One amount in the shop's currency and in the currency the customer saw; never mutated, only replaced."""

    shop: Decimal
    presentment: Decimal

    def __add__(self, other: MoneyBag) -> MoneyBag:
        return MoneyBag(self.shop + other.shop, self.presentment + other.presentment)

    def __sub__(self, other: MoneyBag) -> MoneyBag:
        return MoneyBag(self.shop - other.shop, self.presentment - other.presentment)

    def __neg__(self) -> MoneyBag:
        return MoneyBag(-self.shop, -self.presentment)

    def __bool__(self) -> bool:
        return bool(self.shop) or bool(self.presentment)


NOTHING = MoneyBag(ZERO, ZERO)


def gid(kind: str, number: int) -> str:
    """Give the global id of a record, e.g. ``gid://shopify/Order/7``."""
    return f"gid://shopify/{kind}/{number}"


# --- people -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Address:
    """A postal address; on a customer it has an id, on an order it has none."""

    id: int
    first_name: str | None
    last_name: str | None
    address1: str | None
    city: str | None
    zip: str | None
    country: str
    country_code: str
    province: str | None = None
    province_code: str | None = None
    address2: str | None = None
    company: str | None = None
    phone: str | None = None


@dataclass(slots=True)
class EmailConsent:
    """Marketing consent by email: state of CustomerEmailAddressMarketingState."""

    state: str = "NOT_SUBSCRIBED"  # SUBSCRIBED UNSUBSCRIBED PENDING INVALID REDACTED
    opt_in_level: str = "SINGLE_OPT_IN"
    updated_at: datetime | None = None


@dataclass(slots=True)
class SmsConsent:
    """Marketing consent by text message."""

    state: str = (
        "NOT_SUBSCRIBED"  # SUBSCRIBED UNSUBSCRIBED PENDING REDACTED; rendered NEVER_SUBSCRIBED by the 2026-10 field
    )
    opt_in_level: str = "SINGLE_OPT_IN"
    updated_at: datetime | None = None
    collected_from: str = "OTHER"  # or SHOPIFY


@dataclass(slots=True)
class Metafield:
    """One custom field of a record."""

    id: int
    namespace: str
    key: str
    type: str
    value: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Definition:
    """What a merchant says of a custom field: whose it is (CUSTOMER, ORDER, PRODUCT …), what it is called and holds."""

    owner: str
    namespace: str
    key: str
    name: str
    type: str


@dataclass(slots=True)
class Customer:
    """A customer account of one store; guests have none."""

    id: int
    created_at: datetime
    updated_at: datetime
    email: str | None
    phone: str | None
    first_name: str | None
    last_name: str | None
    state: str = "DISABLED"  # ENABLED INVITED DECLINED
    note: str | None = None
    verified_email: bool = True
    locale: str = "en"
    tags: list[str] = field(default_factory=list)
    addresses: list[Address] = field(default_factory=list)
    default_address: Address | None = None
    email_consent: EmailConsent = field(default_factory=EmailConsent)
    sms_consent: SmsConsent = field(default_factory=SmsConsent)
    number_of_orders: int = 0
    amount_spent: Decimal = ZERO  # shop currency
    last_order_id: int | None = None
    metafields: list[Metafield] = field(default_factory=list)
    tax_exempt: bool = False
    merge_blockers: tuple[str, ...] = ()  # of CustomerMergeErrorFieldType
    merged_into: int | None = None  # set on a merge loser; the record then lives in Store.gone_customers only
    human: int = 0  # whose account this really is, by the id of that human's first account; 0: nobody else's


# --- catalogue --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Variant:
    """One buyable version of a product; price in the shop's currency."""

    id: int
    product_id: int
    inventory_item_id: int
    created_at: datetime
    updated_at: datetime
    title: str
    position: int
    price: Decimal
    compare_at_price: Decimal | None
    sku: str | None
    barcode: str | None
    inventory_quantity: int
    options: tuple[str, ...]  # option values in the order of Product.options
    image_id: int | None = None
    requires_shipping: bool = True
    taxable: bool = True
    grams: int = 0
    inventory_policy: str = "DENY"
    metafields: list[Metafield] = field(default_factory=list)


@dataclass(slots=True)
class Image:
    """A picture of a product."""

    id: int
    url: str
    alt: str | None
    position: int


@dataclass(slots=True)
class Product:
    """A product with at least one variant."""

    id: int
    created_at: datetime
    updated_at: datetime
    title: str
    handle: str
    body_html: str
    vendor: str
    product_type: str
    status: str  # ACTIVE ARCHIVED DRAFT UNLISTED
    published_at: datetime | None
    tags: list[str]
    options: list[tuple[str, tuple[str, ...]]]  # option name and its values
    variants: list[Variant]
    images: list[Image]
    category: tuple[str, str] | None = None  # taxonomy id (gid) and full name
    metafields: list[Metafield] = field(default_factory=list)
    is_gift_card: bool = False


@dataclass(slots=True)
class Collection:
    """A hand-made collection."""

    id: int
    title: str
    handle: str
    body_html: str
    published_at: datetime | None
    updated_at: datetime
    product_ids: list[int] = field(default_factory=list)


# --- orders -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class TaxLine:
    """Tax on one line or shipping line, for its whole quantity."""

    title: str
    rate: Decimal
    price: MoneyBag


@dataclass(slots=True)
class LineItem:
    """A line of an order. `quantity` is as ordered; `current_quantity` is after edits, refunds and cancellation."""

    id: int
    title: str
    quantity: int
    current_quantity: int
    price: MoneyBag  # of one unit, before discounts
    product_id: int | None  # stays on the line when the product is deleted: look it up before rendering
    variant_id: int | None
    variant_title: str | None = None
    sku: str | None = None
    vendor: str | None = None
    discount: MoneyBag = NOTHING  # allocated to the whole quantity
    tax_lines: list[TaxLine] = field(default_factory=list)
    fulfilled_quantity: int = 0
    fulfillable_quantity: int = 0  # units that may still be sent
    removed_quantity: int = 0  # units edited out
    refunded_quantity: int = 0  # units named by refunds (cancellation included)
    requires_shipping: bool = True
    is_gift_card: bool = False
    is_tip: bool = False
    properties: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class ShippingLine:
    """A shipping charge."""

    id: int
    title: str
    code: str
    price: MoneyBag
    discount: MoneyBag = NOTHING
    tax_lines: list[TaxLine] = field(default_factory=list)
    refunded: MoneyBag = NOTHING  # before tax when taxes are not included


@dataclass(slots=True)
class DiscountCode:
    """A code the customer typed; `amount` is what it took off in all."""

    code: str
    amount: MoneyBag
    type: str = "percentage"  # fixed_amount shipping
    value: Decimal = ZERO


@dataclass(slots=True)
class Transaction:
    """One movement of money, or the attempt."""

    id: int
    kind: str  # AUTHORIZATION SALE CAPTURE VOID REFUND
    status: str  # SUCCESS PENDING FAILURE ERROR
    gateway: str
    amount: MoneyBag
    created_at: datetime
    processed_at: datetime
    parent_id: int | None = None
    refund_id: int | None = None


@dataclass(slots=True)
class RefundLine:
    """Units of one line that a refund names; subtotal after discounts, in the line's own tax treatment."""

    id: int
    line_id: int
    quantity: int
    restock_type: str  # RETURN CANCEL NO_RESTOCK
    subtotal: MoneyBag
    total_tax: MoneyBag


@dataclass(slots=True)
class RefundShipping:
    """Shipping money that a refund names."""

    id: int
    shipping_line_id: int
    subtotal: MoneyBag
    tax: MoneyBag


@dataclass(slots=True)
class OrderAdjustment:
    """What reconciles a refund's named lines with the money that moved: positive when less money was returned."""

    id: int
    amount: MoneyBag
    tax_amount: MoneyBag
    reason: str = "REFUND_DISCREPANCY"


@dataclass(slots=True)
class Refund:
    """A refund. It exists whether or not money moved; its transactions say."""

    id: int
    created_at: datetime
    processed_at: datetime
    note: str | None
    lines: list[RefundLine]
    shipping: list[RefundShipping]
    adjustments: list[OrderAdjustment]
    transactions: list[Transaction]  # the same objects also stand in Order.transactions
    return_id: int | None = None
    restock: bool = False


@dataclass(slots=True)
class FulfillmentEvent:
    """A carrier's message about a parcel."""

    id: int
    status: str  # CONFIRMED IN_TRANSIT OUT_FOR_DELIVERY DELIVERED FAILURE DELAYED
    happened_at: datetime
    created_at: datetime


@dataclass(slots=True)
class Fulfillment:
    """A parcel: (line id, quantity) pairs."""

    id: int
    created_at: datetime
    updated_at: datetime
    status: str  # SUCCESS CANCELLED PENDING
    name: str
    lines: list[tuple[int, int]]
    tracking_company: str | None
    tracking_number: str | None
    tracking_url: str | None
    shipment_status: str | None = None
    events: list[FulfillmentEvent] = field(default_factory=list)


@dataclass(slots=True)
class ReturnLine:
    """Units somebody wants to send back."""

    id: int
    line_id: int
    quantity: int
    reason: str
    note: str = ""
    refunded_quantity: int = 0


@dataclass(slots=True)
class Return:
    """A return; an exchange is a return with exchange lines (order line ids)."""

    id: int
    name: str
    status: str  # REQUESTED OPEN CLOSED DECLINED CANCELED
    created_at: datetime
    lines: list[ReturnLine]
    exchange_line_ids: list[int] = field(default_factory=list)
    closed_at: datetime | None = None
    decline_reason: str | None = None
    approved_at: datetime | None = None


@dataclass(slots=True)
class OrderEdit:
    """One committed edit: (line id, delta) for units added and removed."""

    id: int
    committed_at: datetime
    additions: list[tuple[int, int]]
    removals: list[tuple[int, int]]


@dataclass(slots=True)
class Order:
    """An order. Statuses are stored and set right after every change; totals are derived by `money.totals`."""

    id: int
    number: int
    name: str
    created_at: datetime
    processed_at: datetime
    updated_at: datetime
    currency: str
    presentment_currency: str
    customer_id: int | None
    email: str | None
    phone: str | None
    lines: list[LineItem]
    shipping_lines: list[ShippingLine]
    transactions: list[Transaction]
    billing_address: Address | None
    shipping_address: Address | None
    financial_status: str | None = None  # OrderDisplayFinancialStatus; null is possible
    fulfillment_status: str = "UNFULFILLED"  # OrderDisplayFulfillmentStatus
    return_status: str = "NO_RETURN"
    taxes_included: bool = True
    source_name: str = "web"  # pos, shopify_draft_order, an app id
    test: bool = False
    cancelled_at: datetime | None = None
    cancel_reason: str | None = None  # CUSTOMER DECLINED FRAUD INVENTORY OTHER STAFF
    closed_at: datetime | None = None
    expired: bool = False  # its authorization ran out
    buyer_accepts_marketing: bool = False
    locale: str = "en"
    note: str | None = None
    tags: list[str] = field(default_factory=list)
    discount_codes: list[DiscountCode] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    fulfillments: list[Fulfillment] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)
    edits: list[OrderEdit] = field(default_factory=list)
    checkout_token: str | None = None
    cart_token: str | None = None
    original_total: MoneyBag = NOTHING  # total at creation
    gateway: str = "shopify_payments"
    location_id: int | None = None
    metafields: list[Metafield] = field(default_factory=list)
    delivery: str = "SHIPPING"  # DeliveryMethodType of what requires shipping


# --- webhooks ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Subscription:
    """A wish to be told of one topic. `owner` is "api" (deleted after eight failures) or "app" (shopify.app.toml)."""

    id: int
    topic: str  # slash form, e.g. orders/create
    uri: str
    owner: str
    created_at: datetime
    updated_at: datetime
    format: str = "JSON"
    filter: str | None = None
    include_fields: tuple[str, ...] = ()
    metafield_namespaces: tuple[str, ...] = ()
    metafields: tuple[tuple[str, str], ...] = ()
    name: str | None = None
    failures: int = 0  # consecutive


# --- the merchant -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Shop:
    """One store's settings and its app's credentials."""

    id: int
    name: str  # short name: uk, int
    domain: str
    title: str
    email: str
    currency: str
    presentment_currencies: tuple[str, ...]
    iana_timezone: str
    country: str
    country_code: str
    tax_rate: Decimal
    namespace: str
    client_id: str
    client_secret: str
    plan: str
    created_at: datetime
    updated_at: datetime
    locales: tuple[str, ...] = ("en",)
    old_client_secret: str | None = None  # before the last rotation; deliveries are signed with it until `signs_new_at`
    signs_new_at: datetime | None = None
    taxes_included: bool = True
    sms_consent_at_checkout: bool = True
    customer_accounts: str = "NEW_CUSTOMER_ACCOUNTS"
    webhook_version: str = "2026-10"  # of the app's webhooks: a setting of the app, not of a subscription
    is_installed: bool = True  # whether the app still has access to the shop


@dataclass(slots=True)
class Location:
    """A place stock is kept."""

    id: int
    name: str
    country_code: str


@dataclass(slots=True)
class Store:
    """All records of one shop with the indexes that reads need; its methods keep the indexes right."""

    shop: Shop
    locations: list[Location] = field(default_factory=list)
    customers: dict[int, Customer] = field(default_factory=dict)
    products: dict[int, Product] = field(default_factory=dict)
    variants: dict[int, Variant] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    collections: dict[int, Collection] = field(default_factory=dict)
    checkouts: dict[str, Checkout] = field(default_factory=dict)  # by token
    subscriptions: dict[int, Subscription] = field(default_factory=dict)
    gone_customers: dict[int, Customer] = field(
        default_factory=dict
    )  # deleted, or merged (then merged_into says where)
    gone_products: dict[int, Product] = field(default_factory=dict)
    gone_orders: dict[int, Order] = field(default_factory=dict)
    by_email: dict[str, int] = field(default_factory=dict)  # lower-cased email -> customer id; unique within a store
    by_phone: dict[str, int] = field(default_factory=dict)
    orders_of: dict[int, list[int]] = field(default_factory=dict)  # customer id -> order ids, oldest first
    definitions: list[Definition] = field(
        default_factory=lambda: [Definition("CUSTOMER", "loyalty", "points", "Points", "number_integer")]
    )
    last_order_number: int = 1000
    statements: Statements = field(default_factory=Statements)  # shared by all stores and both sides
    version: int = 0  # rises with every mutation: whoever caches a sorted view compares it
    touched: list[Dated] = field(default_factory=list)  # records whose `updated_at` moved, in order

    def add_customer(self, customer: Customer) -> None:
        """Keep a customer and index the identifiers."""
        self.customers[customer.id] = customer
        self.index_customer(customer)

    def index_customer(self, customer: Customer) -> None:
        """Enter a customer's email and phone into the indexes."""
        if customer.email:
            self.by_email[customer.email.strip().lower()] = customer.id
        if customer.phone:
            self.by_phone[customer.phone] = customer.id
        self.version += 1

    def unindex_customer(self, customer: Customer) -> None:
        """Take a customer's email and phone out of the indexes: before either changes, and on deletion."""
        if customer.email and self.by_email.get(customer.email.strip().lower()) == customer.id:
            del self.by_email[customer.email.strip().lower()]
        if customer.phone and self.by_phone.get(customer.phone) == customer.id:
            del self.by_phone[customer.phone]
        self.version += 1

    def drop_customer(self, customer: Customer) -> None:
        """Move a customer to the gone ones; its orders stay."""
        self.unindex_customer(customer)
        del self.customers[customer.id]
        self.gone_customers[customer.id] = customer

    def add_product(self, product: Product) -> None:
        """Keep a product and its variants."""
        self.products[product.id] = product
        for variant in product.variants:
            self.variants[variant.id] = variant
        self.version += 1

    def drop_product(self, product: Product) -> None:
        """Move a product to the gone ones; order lines keep its number and title."""
        for variant in product.variants:
            del self.variants[variant.id]
        del self.products[product.id]
        self.gone_products[product.id] = product
        self.version += 1

    def add_order(self, order: Order) -> None:
        """Keep an order and index it under its customer."""
        self.orders[order.id] = order
        if order.customer_id is not None:
            self.orders_of.setdefault(order.customer_id, []).append(order.id)
        self.version += 1

    def customer_of(self, order: Order) -> Customer | None:
        """Give the living customer of an order."""
        return None if order.customer_id is None else self.customers.get(order.customer_id)

    def orders_by(self, customer_id: int) -> Iterator[Order]:
        """Walk a customer's living orders, oldest first."""
        return (self.orders[number] for number in self.orders_of.get(customer_id, ()) if number in self.orders)


@dataclass(slots=True)
class World:
    """Every store of the merchant, one id sequence, one generator, one clock."""

    stores: dict[str, Store]  # by shop domain, in order: uk first
    rng: random.Random
    clock: Clock
    seed: int = 0
    last_id: int = 6_000_000_000_000
    lock: threading.RLock = field(default_factory=threading.RLock)  # held by whoever reads or changes the state
    same_second: bool = False  # let two changes to one record carry the same updated_at
    building: bool = False  # while history is laid down, customers are summed once at the end
    transactions_in_shop_money: bool = False  # in REST bodies; else in the currency the customer paid
    merges: dict[str, Merge] = field(default_factory=dict)  # asked for by API, by job
    later: Later = field(default_factory=Later)  # what the shops do by themselves
    merge_touches_orders: bool = True  # whether a merge bumps the loser's orders is not documented

    def next_id(self) -> int:
        """Hand out the next number of Shopify's one global sequence."""
        self.last_id += 32_768  # ids leave gaps; their size is ASSUMED
        return self.last_id

    def now(self) -> datetime:
        """Give the present in whole seconds."""
        return self.clock.now().replace(microsecond=0)

    def touch(self, store: Store, record: Dated, at: datetime) -> datetime:
        """Move a record's `updated_at` to `at`, or a second past its last change when that is not earlier."""
        store.version += 1
        store.touched.append(record)
        last = record.updated_at
        record.updated_at = at if at > last or (self.same_second and at == last) else last + SECOND
        return record.updated_at

    def store(self, key: str) -> Store:
        """Find a store by its domain or its short name."""
        if key in self.stores:
            return self.stores[key]
        return next(store for store in self.stores.values() if store.shop.name == key)
