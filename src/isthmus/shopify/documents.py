"""Every GraphQL operation we send, by file and name in `queries/`, with what the largest batch of it may be.

Costs follow the rule fitted on captured answers (connection: 2 + size(n) x (1 + children), size(n) = floor(2 ln n);
any other object 1; lists are not multiplied, `nodes(ids:)` among them). A shop that charges otherwise answers
MAX_COST_EXCEEDED, and reading halves the batch until it fits.
"""

from functools import cache
from importlib import resources

from msgspec import Struct


class Document(Struct, frozen=True):
    """One operation: the file it stands in, its name there, its requested cost in points, and its batch of ids."""

    file: str
    operation: str
    cost: int
    batch: int = 1

    @property
    def text(self) -> str:
        return _load(self.file)


ORDERS = Document("orders", "Orders", cost=97, batch=50)
"""50 orders of a dozen lines are half a megabyte: as much as one answer should be."""
ORDER_LINES = Document("orders", "OrderLines", cost=58)
ORDER_RETURNS = Document("orders", "OrderReturns", cost=14)
REFUND_LINES = Document("orders", "RefundLines", cost=25)
REFUND_SHIPPING = Document("orders", "RefundShipping", cost=14)
REFUND_TRANSACTIONS = Document("orders", "RefundTransactions", cost=14)
ORDERS_OF_RETURNS = Document("returns", "OrdersOfReturns", cost=2, batch=250)

CUSTOMERS = Document("customers", "Customers", cost=4, batch=250)
"""250 is the most that Shopify takes in one list (https://shopify.dev/docs/api/usage/limits)."""

EMAIL_CONSENT = Document("consent", "EmailConsent", cost=11)
SMS_CONSENT = Document("consent", "SmsConsent", cost=12)
BY_ADDRESS = Document("consent", "ByAddress", cost=3)
"""These three are sent many at a time (`several`)."""

PRODUCTS = Document("products", "Products", cost=79, batch=50)
PRODUCT_VARIANTS = Document("products", "ProductVariants", cost=91)

CHECKOUTS = Document("checkouts", "Checkouts", cost=245)
CHECKOUT_LINES = Document("checkouts", "CheckoutLines", cost=36)

CHANGED = {
    "order": Document("listings", "OrdersChanged", cost=13),
    "customer": Document("listings", "CustomersChanged", cost=13),
    "product": Document("listings", "ProductsChanged", cost=13),
}
ALL = {
    "order": Document("listings", "OrdersAll", cost=13),
    "customer": Document("listings", "CustomersAll", cost=13),
    "product": Document("listings", "ProductsAll", cost=13),
}
NEWEST = Document("listings", "Newest", cost=9)
TALLY = {
    "order": Document("tallies", "OrdersTally", cost=13),
    "customer": Document("tallies", "CustomersTally", cost=24),
    "product": Document("tallies", "ProductsTally", cost=13),
}
COUNT = {
    "order": Document("listings", "OrdersCount", cost=10),
    "customer": Document("listings", "CustomersCount", cost=10),
    "product": Document("listings", "ProductsCount", cost=10),
}

BULK_START = Document("bulk", "BulkStart", cost=10)
BULK_LOOK = Document("bulk", "BulkLook", cost=1)
BULK_UNDER_WAY = Document("bulk", "BulkUnderWay", cost=7)
BULK_CANCEL = Document("bulk", "BulkCancel", cost=10)
OLDEST = {
    "order": Document("bulk", "OldestOrder", cost=3),
    "customer": Document("bulk", "OldestCustomer", cost=3),
    "product": Document("bulk", "OldestProduct", cost=3),
}

SHOP = Document("shop", "Shop", cost=4)
GOVERNANCE = Document("governance", "Governance", cost=7)
NEWEST_ADDRESSES = Document("governance", "NewestAddresses", cost=10)
NEWEST_ORDER = Document("audit", "NewestOrder", cost=3)
DEFINITIONS = Document("audit", "Definitions", cost=24)
CENSUS = {
    "customer": Document("census_customers", "CensusCustomers", cost=2),
    "order": Document("census_orders", "CensusOrders", cost=2),
    "product": Document("census_products", "CensusProducts", cost=2),
}
"""Read by bulk operations only, where no points are counted."""
SUBSCRIPTIONS = Document("webhooks", "Subscriptions", cost=24)
SUBSCRIBE = Document("webhooks", "Subscribe", cost=10)
UNSUBSCRIBE = Document("webhooks", "Unsubscribe", cost=10)

DOCUMENTS: tuple[Document, ...] = (
    ORDERS,
    ORDER_LINES,
    ORDER_RETURNS,
    REFUND_LINES,
    REFUND_SHIPPING,
    REFUND_TRANSACTIONS,
    ORDERS_OF_RETURNS,
    CUSTOMERS,
    EMAIL_CONSENT,
    SMS_CONSENT,
    BY_ADDRESS,
    PRODUCTS,
    PRODUCT_VARIANTS,
    CHECKOUTS,
    CHECKOUT_LINES,
    *CHANGED.values(),
    *ALL.values(),
    NEWEST,
    *TALLY.values(),
    *COUNT.values(),
    BULK_START,
    BULK_LOOK,
    BULK_UNDER_WAY,
    BULK_CANCEL,
    *OLDEST.values(),
    SHOP,
    GOVERNANCE,
    NEWEST_ADDRESSES,
    NEWEST_ORDER,
    DEFINITIONS,
    *CENSUS.values(),
    SUBSCRIPTIONS,
    SUBSCRIBE,
    UNSUBSCRIBE,
)


def bulk(kind: str) -> str:
    """The text that a bulk operation of every record of a kind is made of; it costs nothing and takes no variables."""
    return _load(f"bulk_{kind}s")


@cache
def _load(file: str) -> str:
    return resources.files("isthmus.shopify").joinpath("queries", f"{file}.graphql").read_text()
