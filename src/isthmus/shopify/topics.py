"""What each webhook topic does to us: one table (https://shopify.dev/docs/api/webhooks/2026-10)."""

import re
from enum import StrEnum

import msgspec
from msgspec import Struct

from isthmus.kit import ids
from isthmus.model.failure import RejectedError
from isthmus.model.lane import Lane
from isthmus.shopify.parse import lenient


class TopicKind(StrEnum):
    """What a topic is about."""

    ORDER = "order"
    CUSTOMER = "customer"
    PRODUCT = "product"
    CHECKOUT = "checkout"
    CONSENT = "consent"
    COMPLIANCE = "compliance"
    APP = "app"
    STOCK = "stock"
    OTHER = "other"


class Action(StrEnum):
    """What a delivery is good for.

    apply: the payload is the whole record · patch: it is the record's body, the rest must be read · claim: a
    statement about consent · read: a hint, fetch the record as it is now · case: a person must act · ignore: kept,
    counted, skipped.
    """

    APPLY = "apply"
    PATCH = "patch"
    CLAIM = "claim"
    READ = "read"
    CASE = "case"
    IGNORE = "ignore"


class Topic(Struct, frozen=True):
    """One row. `subject` lists where the body may name its record, as `kind:path`; the first that is there counts.

    `also` names a second record (the loser of a merge). `scopes`: any one of them lets an app subscribe. `why` is the
    reason shown where a delivery is ignored.
    """

    name: str
    kind: TopicKind
    action: Action
    lane: Lane
    subject: tuple[str, ...]
    scopes: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    is_subscribed: bool = True
    why: str = ""


_CUSTOMER = ("customer:id",)
_CUSTOMERS = ("read_customers",)
_ORDER = ("order:id",)
_ORDERS = ("read_orders",)
_OF_ORDER = ("order:order_id",)
_PRODUCT = ("product:id",)
_PRODUCTS = ("read_products",)
_CHECKOUT = ("checkout:token",)
_RETURN = ("order:order_id", "order:order.id", "return:admin_graphql_api_id")
_RETURNS = ("read_returns",)
_SHOP = ("shop:shop_id", "shop:id")

_ROWS = (
    # Orders come whole; the parser says when a body is not (refunds without their transactions).
    *(
        Topic(f"orders/{verb}", TopicKind.ORDER, Action.APPLY, Lane.REALTIME, _ORDER, _ORDERS)
        for verb in ("create", "updated", "paid", "fulfilled", "partially_fulfilled", "cancelled")
    ),
    Topic("orders/edited", TopicKind.ORDER, Action.READ, Lane.REALTIME, ("order:order_edit.order_id",), _ORDERS),
    Topic("orders/delete", TopicKind.ORDER, Action.READ, Lane.REALTIME, _ORDER, _ORDERS),
    Topic("refunds/create", TopicKind.ORDER, Action.READ, Lane.REALTIME, _OF_ORDER, _ORDERS),
    *(
        Topic(f"fulfillments/{verb}", TopicKind.ORDER, Action.READ, Lane.REALTIME, _OF_ORDER, ("read_fulfillments",))
        for verb in ("create", "update")
    ),
    *(
        Topic(
            f"fulfillment_events/{verb}", TopicKind.ORDER, Action.READ, Lane.REALTIME, _OF_ORDER, ("read_fulfillments",)
        )
        for verb in ("create", "delete")
    ),
    # returns/process was published with an empty body: where no record is named the updated_at poll finds it.
    *(
        Topic(f"returns/{verb}", TopicKind.ORDER, Action.READ, Lane.REALTIME, _RETURN, _RETURNS)
        for verb in ("request", "approve", "decline", "cancel", "close", "reopen", "process", "update")
    ),
    # Customer bodies carry neither tags nor consent nor counts since 2025-01, so a read follows.
    Topic("customers/create", TopicKind.CUSTOMER, Action.PATCH, Lane.REALTIME, _CUSTOMER, _CUSTOMERS),
    Topic("customers/update", TopicKind.CUSTOMER, Action.PATCH, Lane.REALTIME, _CUSTOMER, _CUSTOMERS),
    Topic("customers/enable", TopicKind.CUSTOMER, Action.PATCH, Lane.ENRICHMENT, _CUSTOMER, _CUSTOMERS),
    Topic("customers/disable", TopicKind.CUSTOMER, Action.PATCH, Lane.ENRICHMENT, _CUSTOMER, _CUSTOMERS),
    Topic("customers/delete", TopicKind.CUSTOMER, Action.READ, Lane.REALTIME, _CUSTOMER, _CUSTOMERS),
    Topic(
        "customers/merge",
        TopicKind.CUSTOMER,
        Action.READ,
        Lane.REALTIME,
        ("customer:admin_graphql_api_customer_kept_id",),
        ("read_customer_merge",),
        also=("customer:admin_graphql_api_customer_deleted_id",),
    ),
    *(
        Topic(name, TopicKind.CUSTOMER, Action.READ, Lane.ENRICHMENT, ("customer:customerId",), _CUSTOMERS)
        for name in ("customer.tags_added", "customer.tags_removed", "customers/purchasing_summary")
    ),
    Topic(
        "customers_email_marketing_consent/update",
        TopicKind.CONSENT,
        Action.CLAIM,
        Lane.REALTIME,
        ("customer:customer_id",),
        _CUSTOMERS,
    ),
    Topic("customers_marketing_consent/update", TopicKind.CONSENT, Action.CLAIM, Lane.REALTIME, _CUSTOMER, _CUSTOMERS),
    Topic(
        "customers_whats_app_marketing_consent/update",
        TopicKind.CONSENT,
        Action.IGNORE,
        Lane.ENRICHMENT,
        ("customer:customer_id",),
        _CUSTOMERS,
        is_subscribed=False,
        why="Ometria knows no WhatsApp consent",
    ),
    Topic("checkouts/create", TopicKind.CHECKOUT, Action.APPLY, Lane.REALTIME, _CHECKOUT, _ORDERS),
    Topic("checkouts/update", TopicKind.CHECKOUT, Action.APPLY, Lane.REALTIME, _CHECKOUT, _ORDERS),
    Topic(
        "checkouts/delete",
        TopicKind.CHECKOUT,
        Action.IGNORE,
        Lane.REALTIME,
        _CHECKOUT,
        _ORDERS,
        is_subscribed=False,
        why="a basket is forgotten by its age, and the body names no token",
    ),
    *(
        Topic(
            f"carts/{verb}",
            TopicKind.CHECKOUT,
            Action.IGNORE,
            Lane.ENRICHMENT,
            ("cart:token", "cart:id"),
            _ORDERS,
            is_subscribed=False,
            why="a cart names no customer",
        )
        for verb in ("create", "update")
    ),
    Topic("products/create", TopicKind.PRODUCT, Action.APPLY, Lane.ENRICHMENT, _PRODUCT, _PRODUCTS),
    Topic("products/update", TopicKind.PRODUCT, Action.APPLY, Lane.ENRICHMENT, _PRODUCT, _PRODUCTS),
    Topic("products/delete", TopicKind.PRODUCT, Action.READ, Lane.ENRICHMENT, _PRODUCT, _PRODUCTS),
    *(
        Topic(f"variants/{state}", TopicKind.STOCK, Action.READ, Lane.ENRICHMENT, ("product:product_id",), _PRODUCTS)
        for state in ("in_stock", "out_of_stock")
    ),
    Topic(
        "inventory_levels/update",
        TopicKind.STOCK,
        Action.IGNORE,
        Lane.ENRICHMENT,
        ("inventory_item:inventory_item_id",),
        ("read_inventory",),
        is_subscribed=False,
        why="an inventory item names no product; variants/* and the product poll tell what matters",
    ),
    *(
        Topic(
            f"collections/{verb}",
            TopicKind.OTHER,
            Action.IGNORE,
            Lane.ENRICHMENT,
            ("collection:id",),
            _PRODUCTS,
            is_subscribed=False,
            why="collections are not mapped",
        )
        for verb in ("create", "update", "delete")
    ),
    # The privacy topics are subscribed by shopify.app.toml alone, need no scope and may never be lost:
    # https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance
    *(
        Topic(name, TopicKind.COMPLIANCE, Action.CASE, Lane.REALTIME, subject, is_subscribed=False)
        for name, subject in (
            ("customers/data_request", ("customer:customer.id",)),
            ("customers/redact", ("customer:customer.id",)),
            ("shop/redact", ("shop:shop_id",)),
        )
    ),
    Topic("app/uninstalled", TopicKind.APP, Action.CASE, Lane.REALTIME, _SHOP),
    Topic("app/scopes_update", TopicKind.APP, Action.READ, Lane.REALTIME, _SHOP),
    Topic("shop/update", TopicKind.APP, Action.READ, Lane.ENRICHMENT, ("shop:id",)),
    Topic(
        "bulk_operations/finish",
        TopicKind.OTHER,
        Action.IGNORE,
        Lane.REALTIME,
        ("bulk_operation:admin_graphql_api_id",),
        why="it lets a load look at once; it would have looked soon anyway",
    ),
)

TOPICS: dict[str, Topic] = {row.name: row for row in _ROWS}
"""Every topic we know, by the name the delivery carries."""

SUBSCRIBED: tuple[str, ...] = tuple(row.name for row in _ROWS if row.is_subscribed)
"""What `connect` or the merchant's app configuration subscribes."""

COMPLIANCE: tuple[str, ...] = tuple(row.name for row in _ROWS if row.kind is TopicKind.COMPLIANCE)
"""The privacy topics, which only an app configuration can subscribe."""

SCOPES: tuple[str, ...] = tuple(
    sorted({*(scope for row in _ROWS if row.is_subscribed for scope in row.scopes), "read_inventory"})
)
"""What our topics and readings need; read_inventory tells whether a variant's stock is tracked."""

CONSENT_SCOPE = "write_customers"
"""Without it an opt-out made in Ometria is not written to the shop; all readings go on."""

DELIVERY_SCOPES = (
    "read_assigned_fulfillment_orders",
    "read_merchant_managed_fulfillment_orders",
    "read_third_party_fulfillment_orders",
)
"""With these an app sees how parcels are delivered; without, an address and a shipping line decide."""

HISTORY_SCOPE = "read_all_orders"
"""Without it Shopify shows only the last 60 days of orders: https://shopify.dev/docs/api/usage/access-scopes"""


def topic_enum_name(topic: str) -> str:
    """`orders/create` as GraphQL's WebhookSubscriptionTopic spells it: ORDERS_CREATE."""
    return topic.replace("/", "_").replace(".", "_").upper()


def record_of_body(topic: str, body: bytes) -> tuple[str, str] | None:
    """The record a body is about, as (kind, id): a number as text, or a checkout's token.

    None when the topic is unknown or the body names nothing. Raises RejectedError for what is no JSON object.
    """
    row = TOPICS.get(topic)
    return None if row is None else _first(row.subject, _read(body))


def records_of_body(topic: str, body: bytes) -> tuple[tuple[str, str], ...]:
    """Every record a body is about: one for most topics, the kept and the lost customer for a merge."""
    row = TOPICS.get(topic)
    if row is None:
        return ()
    names = _read(body)
    found = (_first(row.subject, names), _first(row.also, names))
    return tuple(dict.fromkeys(name for name in found if name is not None))


_Id = int | str | None


class _Within(Struct, gc=False):
    id: _Id = None
    order_id: _Id = None


class _Names(Struct, gc=False):
    """Every place where any body names its record; all else is skipped while decoding."""

    id: _Id = None
    token: _Id = None
    order_id: _Id = None
    customer_id: _Id = None
    product_id: _Id = None
    shop_id: _Id = None
    inventory_item_id: _Id = None
    customerId: _Id = None  # noqa: N815 - Shopify's own spelling, here and below
    admin_graphql_api_id: _Id = None
    admin_graphql_api_customer_kept_id: _Id = None
    admin_graphql_api_customer_deleted_id: _Id = None
    order: _Within | None = None
    order_edit: _Within | None = None
    customer: _Within | None = None


_decode = msgspec.json.Decoder(_Names).decode


def _read(body: bytes) -> _Names:
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _names(body)


def _names(body: bytes) -> _Names:
    """The names in a body of which other parts are crooked: each that is a number or a text, for itself."""
    try:
        loaded = lenient.load_json(body)
    except (ValueError, RecursionError):
        raise RejectedError("storefront.unreadable_body", "names no record that can be read") from None
    if not isinstance(loaded, dict):
        raise RejectedError("storefront.unreadable_body", "names no record that can be read")
    found: dict[str, object] = {}
    for name in _Names.__struct_fields__:
        value = loaded.get(name)
        if _is_name(value):
            found[name] = value
        elif isinstance(value, dict) and name in ("order", "order_edit", "customer"):
            found[name] = _Within(*[inner if _is_name(inner := value.get(key)) else None for key in ("id", "order_id")])
    if not found and loaded.keys() & set(_Names.__struct_fields__):
        raise RejectedError("storefront.unreadable_body", "names no record that can be read")
    return _Names(**found)  # type: ignore[arg-type]


def _is_name(value: object) -> bool:
    return isinstance(value, (int, str)) and not isinstance(value, bool)


def _first(paths: tuple[str, ...], names: _Names) -> tuple[str, str] | None:
    for path in paths:
        kind, _, keys = path.partition(":")
        value: object = names
        for key in keys.split("."):
            value = getattr(value, key, None)
        if isinstance(value, int):
            return kind, _number(value)
        if isinstance(value, str) and value:
            return kind, value if kind in _NAMED_BY_TOKEN and _TOKEN.fullmatch(value) else _plain(value)
    return None


_NAMED_BY_TOKEN = frozenset({"checkout", "cart"})
_TOKEN = re.compile(r"[A-Za-z0-9_.:-]{1,255}", re.ASCII)
_LAST = 2**63 - 1


def _plain(value: str) -> str:
    """The number of an id, global or not. A subject is shown and logged, so nothing else may pass for one."""
    try:
        return _number(ids.numeric_id(value))
    except ValueError:
        raise RejectedError("storefront.unreadable_body", "an id without a number") from None


def _number(value: int) -> str:
    if not 0 <= value <= _LAST:
        raise RejectedError("storefront.unreadable_body", "an id out of range")
    return str(value)
