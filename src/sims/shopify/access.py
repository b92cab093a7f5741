"""Who may read what: the access scopes that types and root fields ask for.

The texts are Shopify's own, published per type and field with the Admin schema in the npm package `@shopify/dev-mcp`
and quoted in the answer when a scope is missing (https://shopify.dev/docs/api/usage/access-scopes).
"""

from __future__ import annotations

import re

DOCUMENTATION = "https://shopify.dev/api/usage/access-scopes"

GRANTED = (
    "read_all_orders",
    "read_assigned_fulfillment_orders",
    "write_customers",
    "read_customer_merge",
    "read_discounts",
    "read_fulfillments",
    "read_inventory",
    "read_locales",
    "read_locations",
    "read_markets",
    "read_merchant_managed_fulfillment_orders",
    "read_orders",
    "read_products",
    "read_returns",
    "read_third_party_fulfillment_orders",
)
"""What the app of every simulated store is granted unless a knob takes some away."""

_ORDERS = "`read_orders` access scope or `read_marketplace_orders` access scope."
_ORDER = "`read_orders` access scope, `read_marketplace_orders` access scope or `read_quick_sale` access scope."
_CHECKOUTS = (
    "`read_orders` access scope. Also: The user must have manage_abandoned_checkouts permission. "
    "When called by Shopify POS, the user must have the view_abandoned_checkouts retail permission."
)
_CUSTOMERS = "`read_customers` access scope."
_FULFILLMENTS = (
    "`read_orders` access scope, `read_marketplace_orders` access scope, `read_assigned_fulfillment_orders` access "
    "scope, `read_merchant_managed_fulfillment_orders` access scope, `read_third_party_fulfillment_orders` access "
    "scope or `read_marketplace_fulfillment_orders` access scope."
)
_FULFILLMENT_ORDERS = (
    "`read_assigned_fulfillment_orders` access scope, `read_merchant_managed_fulfillment_orders` access scope, "
    "`read_third_party_fulfillment_orders` access scope or `read_marketplace_fulfillment_orders` access scope."
)
_PRODUCTS = "`read_products` access scope."
_RETURNS = "`read_returns` access scope or `read_marketplace_returns` access scope."
_LOCATIONS = "`read_locations` access scope, `read_inventory` access scope or `read_markets_home` access scope."

TYPES = {
    "AbandonedCheckout": _CHECKOUTS,
    "Customer": _CUSTOMERS,
    "CustomerMergeable": "The user must have `read_customer_merge` permissions.",
    "Fulfillment": _FULFILLMENTS,
    "FulfillmentEvent": "`read_orders` access scope.",
    "FulfillmentOrder": _FULFILLMENT_ORDERS,
    "InventoryItem": "`read_inventory` access scope or `read_products` access scope.",
    "LineItem": _ORDERS,
    "Location": _LOCATIONS,
    "Order": _ORDER,
    "OrderTransaction": _ORDERS,
    "Product": _PRODUCTS,
    "ProductVariant": _PRODUCTS,
    "Refund": _ORDERS,
    "Return": _RETURNS,
    "ReturnLineItemType": _RETURNS,
    "ReturnReasonDefinition": "`read_returns` access scope.",
}
"""What a field must be granted to return a type; types reached only through these need no row of their own."""

FIELDS = {
    ("Mutation", "customerEmailMarketingConsentUpdate"): "`write_customers` access scope.",
    ("Mutation", "customerSmsMarketingConsentUpdate"): "`write_customers` access scope.",
    # The words of these three are ASSUMED.
    ("Mutation", "customerMerge"): "`write_customer_merge` access scope.",
    ("QueryRoot", "customerMergePreview"): "`read_customer_merge` access scope.",
    ("QueryRoot", "customerMergeJobStatus"): "`read_customer_merge` access scope.",
    ("QueryRoot", "abandonedCheckoutsCount"): _CHECKOUTS,
    ("QueryRoot", "customersCount"): _CUSTOMERS,
    ("QueryRoot", "ordersCount"): _ORDERS,
    ("QueryRoot", "productVariantsCount"): _PRODUCTS,
    ("QueryRoot", "productsCount"): _PRODUCTS,
}
"""What a field asks for beside its type."""


def required(parent: str, field: str, named_type: str) -> str | None:
    """Return the requirement of a field that returns `named_type` (or a connection of it); None when it has none."""
    return FIELDS.get((parent, field)) or TYPES.get(named_type.removesuffix("Connection"))


def allowed(requirement: str, scopes: frozenset[str]) -> bool:
    """Say whether any of the scopes a requirement names is granted; a write scope grants its read scope."""
    names = re.findall(r"`(\w+)`", requirement)
    return any(name in scopes or name.replace("read_", "write_", 1) in scopes for name in names)


def handles(scopes: frozenset[str]) -> list[str]:
    """Return the granted scopes as they are listed: sorted, a write scope together with the read scope it implies."""
    return sorted(scopes | {name.replace("write_", "read_", 1) for name in scopes if name.startswith("write_")})
