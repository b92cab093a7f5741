"""Every GraphQL operation we send, by file and name in `queries/`, with what the largest batch of it may be.

Costs follow the rule fitted on captured answers (connection: 2 + size(n) x (1 + children), size(n) = floor(2 ln n);
any other object 1; lists are not multiplied, `nodes(ids:)` among them). A shop that charges otherwise answers
MAX_COST_EXCEEDED, and reading halves the batch until it fits.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

import msgspec
from msgspec import Struct

from isthmus.shopify.parse.lines import field_alias


class Document(Struct, frozen=True):
    """One operation: the file it stands in, its name there, its requested cost in points, and its batch of ids.

    `places` are the connections of custom fields in it, whose length is a variable, each by how often its price counts.
    """

    file: str
    operation: str
    cost: int
    batch: int = 1
    places: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        return _load(self.file)

    def with_fields(self, *ns: int) -> "Document":
        """The same, asking for so many custom fields in each of its places: what that costs.

        One connection costs less than a field for each as soon as there are more than five, and its keys are a
        variable. In a bulk operation it is the other way round: there nothing is counted, each node of a connection
        is a line of its own, and there may be five connections in all.
        """
        more = sum(weight * _size(n) for weight, n in zip(self.places, ns, strict=True))
        return msgspec.structs.replace(self, cost=self.cost + more)


def _size(n: int) -> int:
    """What a connection of n nodes is charged for."""
    return max(1, math.floor(2 * math.log(n))) if n > 0 else 0


ORDERS = Document("orders", "Orders", cost=97, batch=50)
"""50 orders of a dozen lines are half a megabyte: as much as one answer should be."""
ORDER_LINES = Document("orders", "OrderLines", cost=58)
ORDER_RETURNS = Document("orders", "OrderReturns", cost=14)
REFUND_LINES = Document("orders", "RefundLines", cost=25)
REFUND_SHIPPING = Document("orders", "RefundShipping", cost=14)
REFUND_TRANSACTIONS = Document("orders", "RefundTransactions", cost=14)
DELIVERIES = Document("deliveries", "Deliveries", cost=10, batch=100)
ORDERS_OF_RETURNS = Document("returns", "OrdersOfReturns", cost=2, batch=250)

CUSTOMERS = Document("customers", "Customers", cost=4, batch=250)
"""250 is the most that Shopify takes in one list (https://shopify.dev/docs/api/usage/limits)."""

EMAIL_CONSENT = Document("consent", "EmailConsent", cost=11)
SMS_CONSENT = Document("consent", "SmsConsent", cost=12)
BY_ADDRESS = Document("consent", "ByAddress", cost=3)
"""These three are sent many at a time (`several`)."""
CUSTOMERS_WITH_METAFIELDS = Document("customers", "CustomersWithMetafields", cost=6, batch=250, places=(1,))
METAFIELDS = Document("metafields", "Metafields", cost=3, batch=250, places=(1,))
"""Of 250 records at once, whatever they are: seven points for ten fields of each."""

PRODUCTS = Document("products", "Products", cost=79, batch=50)
PRODUCTS_WITH_METAFIELDS = Document("products", "ProductsWithMetafields", cost=99, batch=50, places=(1, 9))
PRODUCT_VARIANTS = Document("products", "ProductVariants", cost=91)
PRODUCT_VARIANTS_WITH_METAFIELDS = Document("products", "ProductVariantsWithMetafields", cost=113, places=(11,))

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

SIGHT = Document("sight", "Sight", cost=3, batch=250)

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
    CUSTOMERS_WITH_METAFIELDS,
    METAFIELDS,
    PRODUCTS,
    PRODUCTS_WITH_METAFIELDS,
    PRODUCT_VARIANTS,
    PRODUCT_VARIANTS_WITH_METAFIELDS,
    CHECKOUTS,
    CHECKOUT_LINES,
    *CHANGED.values(),
    *ALL.values(),
    NEWEST,
    SIGHT,
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


_PLACE = "# METAFIELDS "


def bulk_document(kind: str, keys: Mapping[str, Sequence[str]]) -> str:
    """The text that a bulk operation of every record of a kind is made of; it costs nothing and takes no variables.

    Custom fields stand in it one by one, each under a name made of its key.
    """
    lines = []
    for line in _load(f"bulk_{kind}s").splitlines():
        before, place, owner = line.partition(_PLACE)
        lines += [before + _field(key) for key in keys.get(owner, ())] if place else [line]
    return "\n".join(lines) + "\n"


def _field(key: str) -> str:
    namespace, _, name = key.rpartition(".")
    wanted = f"namespace: {_quoted(namespace)}, key: {_quoted(name)}"
    return f"{field_alias(key)}: metafield({wanted}) {{ namespace key type value }}"


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


@cache
def _load(file: str) -> str:
    return resources.files("isthmus.shopify").joinpath("queries", f"{file}.graphql").read_text()
