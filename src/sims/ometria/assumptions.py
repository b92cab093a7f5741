"""What this simulator of Ometria rests on, row by row, so that a staging account can be held against it."""

from __future__ import annotations

from sims.assumption import ASSUMED, Assumption

_DOCS = "https://docs.ometria.com/docs"
_INTRODUCTION = f"{_DOCS}/ometria-data-api-introduction"
_PUSH = f"{_DOCS}/push-endpoint"
_SUPPORT = "https://support.ometria.com/hc/en-gb/articles"
_OLD = "https://support.ometria.com/support/solutions/articles"
_FIVETRAN = "https://fivetran.com/docs/connectors/applications/ometria/connector-schema.md"

_ROWS = (
    # transport and limits
    ("X-Ometria-Auth header; a wrong or missing key is 403, never 401", f"{_DOCS}/push-endpoint", "app"),
    ("Error bodies are {status, message}", ASSUMED, "answers"),
    ("A path that does not exist is a 404 without JSON", ASSUMED, "answers"),
    ("8 pushes and 4 other calls per second, 1 merge per minute, by account", _INTRODUCTION, "switches.*_rps"),
    ("A limit is a token bucket that holds one second (merges: one call) of calls", ASSUMED, "limits"),
    ("429 carries no Retry-After", _INTRODUCTION, "answers"),
    ("GET /push/_errors and single-object writes count against the data limit", ASSUMED, "app"),
    ("50,000 waiting records are the most, then 429", f"{_OLD}/7000045354-push-api", "switches.queue_max"),
    ("X-QueueSize-Limit is the most that may wait, X-QueueSize-Remaining what is free", ASSUMED, "push.queue_headers"),
    ("502 happens", "a retailer's public client retries 502, 503 and 504", "app.KNOBS"),
    # push
    ("At most 100 records, one object type, 60 KB per record", _INTRODUCTION, "push"),
    ("A KB is 1000 bytes", ASSUMED, "limits.RECORD_BYTES"),
    ("Too many records, mixed types, no array: 400 for the whole call", ASSUMED, "push"),
    ("One record over 60 KB: 400 for the whole call", ASSUMED, "switches.oversize"),
    ("Answer {status, request_id, accepted, rejected}", _PUSH, "push"),
    ("HTTP status of an accepted push is 200", ASSUMED, "switches.push_status"),
    ("Counted as `rejected`: no object, unknown @type; everything else is found out later", ASSUMED, "push"),
    ("OK means received, not valid; validation failures appear in /push/_errors only", _PUSH, "apply"),
    ("Applied 0.5 to 2 s after acceptance, in the order of acceptance", ASSUMED, "switches.apply_*"),
    ("GET /push/{request_id}", ASSUMED, "switches.push_status_path"),
    ("The error feed keeps the 100 newest", f"{_DOCS}/list-errors", "switches.error_ring"),
    ("The error feed lists the newest first", ASSUMED, "errors"),
    ("Error items have request_id, record_type, record_id, record, timestamp, message", _FIVETRAN, "errors"),
    ("One error per record, for the first field that is wrong", ASSUMED, "validate"),
    # records
    ("Insert or update by id; contacts by collection and id", _PUSH, "apply"),
    ("Without @merge a push replaces the record", "https://ometria-api-reference.readme.io/docs/orders-endpoint",
     "switches.merge_default"),
    ("With @merge fields not sent are kept; arrays and objects are taken whole", f"{_OLD}/7000045353-merge", "written"),
    ("null clears a field, an empty string is a value", ASSUMED, "switches.clear"),
    ("Unknown keys at the top of a record are ignored", ASSUMED, "switches.unknown_keys"),
    ("Properties of a record stay under 1000 characters of JSON and 100 keys", _INTRODUCTION, "checks.properties"),
    ("Properties that are too long make the record an error", ASSUMED, "checks.properties"),
    ("A contact needs an email, customer_id or phone_number", f"{_DOCS}/contacts-endpoint", "validate"),
    ("Phone numbers are E.164 and valid for libphonenumber", f"{_SUPPORT}/360011315838", "switches.phone_rule"),
    ("A wrong phone number or email refuses the whole record", ASSUMED, "validate"),
    ("An order needs id, timestamp, grand_total and currency; a line product_id and quantity",
     "RudderStack's Ometria destination", "validate"),
    ("Money is a JSON number; a number in quotes is an error", ASSUMED, "checks.number"),
    ("is_valid may be the string true or false", f"{_SUPPORT}/23307867139101", "validate"),
    ("Currencies are ISO 4217, countries ISO 3166, in capitals", ASSUMED, "checks"),
    ("Times are ISO 8601; without an offset they are UTC", ASSUMED, "times.read"),
    ("Listings belong to parents only, one per store", f"{_DOCS}/products-product-listings-and-product-variants",
     "validate"),
    ("Variant options of an order that are unknown make a variant product", f"{_DOCS}/orders-endpoint",
     "switches.auto_variants"),
    ("Event types over 32 characters are cut", f"{_SUPPORT}/360011171077", "apply"),
    ("An event of a type Ometria was not told of is refused", ASSUMED, "switches.configured_event_types"),
    ("The same event id again updates the event and starts nothing", ASSUMED, "switches.event_idempotency"),
    # people
    ("After 2024 an identifier of another contact is ignored", f"{_SUPPORT}/360019604358", "switches.identity"),
    ("Phone numbers identify people only where that is enabled", f"{_SUPPORT}/360019604358", "switches.phone_identity"),
    ("A profile has one customer_id; a second one is ignored", ASSUMED, "switches.customer_id_multi"),
    ("A listing moves to another profile only when it shares nothing with its own any more", ASSUMED, "identity"),
    ("A profile without listings, orders and events disappears", ASSUMED, "identity"),
    ("An order makes a profile without marketing preferences", f"{_DOCS}/orders-endpoint", "apply"),
    ("An order with an email of several profiles goes to the one without customer_id", f"{_DOCS}/orders-endpoint",
     "identity.order_owner"),
    ("A merge deletes the listings of the merged", f"{_DOCS}/merge-profiles", "merging"),
    ("A merge takes effect at once and hands the identifiers over", ASSUMED, "merging"),
    ("Revenue is the grand total of valid orders less what lines name as refunded", ASSUMED,
     "switches.refunds_deducted"),
    # consent
    ("A forced listing wins; else one opted-out listing keeps the contact out", f"{_SUPPORT}/9881943263389",
     "switches.optin_model"),
    ("Of two forced listings the one written last wins", ASSUMED, "switches.forced_tie"),
    ("A write without force does not change a forced listing", f"{_SUPPORT}/9881943263389", "switches.forced_listing"),
    ("A refused write still moves the dates, unless force is enhanced", f"{_SUPPORT}/9881990633117",
     "switches.enhanced_force"),
    ("A subscription event needs status and its date together, and fires once per channel",
     f"{_SUPPORT}/360011293458", "apply"),
    ("A subscription event fires whatever the age of the date", ASSUMED, "apply"),
    ("With SMS double opt-in only the two reserved collections count", f"{_SUPPORT}/20854035651101",
     "switches.sms_double_optin"),
    ("The preference centre writes forced listings", f"{_SUPPORT}/9881943263389", "unsubscribes"),
    ("Unsubscribe links and list-unsubscribe force as well", ASSUMED, "unsubscribes"),
    ("Forms and uploaded files write listings of their own, which no list of unsubscribes tells of", ASSUMED,
     "unsubscribes.UNLISTED"),
    ("Staff merge people in the back office without the API's limit, with the same effect", ASSUMED,
     "app.merge_by_hand"),
    ("Opt-outs by API are not in /unsubscribes, and neither is any re-subscription", f"{_SUPPORT}/360011622878",
     "unsubscribes"),
    ("The importer's consent is not forced, it knows no SMS consent", f"{_SUPPORT}/9881943263389", "importer"),
    ("The importer's collection, ids, totals, products and how often it runs", ASSUMED, "switches.importer_*"),
    ("Opt-outs go back to the shop every five minutes, for people known by Shopify's id", f"{_SUPPORT}/17315331725085",
     "switches.native_unsubscriptions"),
    ("What an agency's script writes", ASSUMED, "native.script"),
    # what others do, and what is lost
    ("Records are altered and deleted behind our back, with or without a new time of change", ASSUMED, "tamper"),
    ("An accepted record may never be applied and stand in no error feed", ASSUMED, "app.KNOBS"),
    # reads
    ("limit is 10 by default and 250 at most, offset 0", f"{_DOCS}/ometria-data-api-introduction", "reads"),
    ("A limit above 250 is cut to 250", ASSUMED, "reads"),
    ("Sorted by internal id, or by change with orderby=timestamp_update", f"{_DOCS}/ometria-data-api-introduction",
     "shelf"),
    ("GET /contacts, /contacts/{collection}, /contacts/{collection}/{id}", ASSUMED, "reads"),
    ("GET /orders, /orders/{id}, /products/{id}, /custom-events/, /custom-events/{id}", ASSUMED, "reads"),
    ("updateSince filters profiles", f"{_SUPPORT}/360011514197", "reads"),
    ("updateSince filters contacts, orders and custom events", ASSUMED, "reads"),
    ("active and includeVariants filter products", f"{_SUPPORT}/360011508117", "reads"),
    ("/profiles?email= answers a list", "a retailer's public client reads the first item", "switches.profiles_email"),
    ("A profile's channels object", ASSUMED, "views.profile"),
    ("Lists, /lists/{id} and its changes", f"{_SUPPORT}/360011619778", "reads"),
    ("Times come back with +00:00; unsubscribes' like 2017-05-17 22:08:07+00", f"{_SUPPORT}/360011622878", "times"),
)  # fmt: skip


def listed() -> list[Assumption]:
    """Return every row."""
    return [Assumption(behaviour, basis, f"sims.ometria.{where}") for behaviour, basis, where in _ROWS]
